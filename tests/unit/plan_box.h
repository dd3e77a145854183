/*
 * A box of 4 CPUs and 6 GiB for a test, a configuration to put on it, the plan of both, and what is said meanwhile.
 */
#pragma once

#include "core/plan.h"

struct said_sink {
    struct sink sink;
    size_t length;
    char text[16384];
};
static struct said_sink errors;

static inline void text_put(struct sink *self, const char *text, size_t length)
{
    struct said_sink *t = (struct said_sink *)self;
    assert_true(length < sizeof t->text - t->length);
    memcpy(t->text + t->length, text, length);
    t->length += length;
    t->text[t->length] = '\0';
}

static inline void errors_clear(void)
{
    errors.sink.put = text_put;
    errors.length = 0;
    errors.text[0] = '\0';
}

static inline void assert_says(const char *part)
{
    if (strstr(errors.text, part) == NULL)
        fail_msg("expected '%s' in '%s'", part, errors.text);
}

static inline unsigned lines(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < errors.length; i++)
        count += errors.text[i] == '\n';
    return count;
}

static struct machine machine;
static struct config config;
static struct plan plan;

static inline void add_region(uint64_t base, uint64_t size, enum memory_kind kind)
{
    machine.regions[machine.region_count++] = (struct machine_region){{base, size}, kind};
}

static inline void add_module(const char *name, uint64_t base, uint64_t size)
{
    struct machine_module *m = &machine.modules[machine.module_count++];
    m->range = (struct range){base, size};
    strncpy(m->name, name, sizeof m->name - 1);
}

static inline struct config_text text_of(const char *text, uint32_t line)
{
    return (struct config_text){{text, strlen(text)}, {line, 14}};
}

static inline struct config_partition *add_partition(const char *name, uint32_t cpu, uint64_t memory)
{
    uint32_t line = 10 * (config.partition_count + 1);
    struct config_partition *p = &config.partitions[config.partition_count++];
    strncpy(p->name, name, sizeof p->name - 1);
    p->place = (struct config_place){line, 1};
    p->cpu_count = 1;
    p->cpus[0] = cpu;
    p->cpus_place = (struct config_place){line + 1, 14};
    p->memory = memory;
    p->memory_place = (struct config_place){line + 2, 14};
    p->kernel = text_of("vmlinuz", line + 3);
    return p;
}

static inline int setup(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof machine);
    memset(&config, 0, sizeof config);
    memset(&plan, 0xa5, sizeof plan);
    errors_clear();
    machine.cpu_count = 4;
    for (uint32_t i = 0; i < 4; i++)
        machine.cpus[i] = (struct machine_cpu){.apic_id = i, .acpi_uid = i, .core = i, .online = true};
    machine.caps = (struct cpu_caps){
        .nested_1g = true, .nested_2m = true, .x2apic = true, .guest_timer = true, .physical_bits = 40};
    machine.hypervisor = (struct range){2 * MIB, 62 * MIB};
    add_region(0, 0x9fc00, MEMORY_USABLE);
    add_region(0xf0000, 0x10000, MEMORY_RESERVED);
    add_region(MIB, 3 * GIB - MIB - 0x20000, MEMORY_USABLE);
    add_region(3 * GIB - 0x20000, 0x20000, MEMORY_ACPI);
    add_region(0xfffc0000, 0x40000, MEMORY_RESERVED);
    add_region(4 * GIB, 3 * GIB, MEMORY_USABLE);
    add_module("vmlinuz", 100 * MIB, 8 * MIB);
    add_module("initrd", 108 * MIB, 12345);
    return 0;
}

static inline unsigned build(void) { return plan_build("ringfence.conf", &config, &machine, &plan, &errors.sink); }

static inline bool check(void)
{
    errors_clear();
    return plan_check(&plan, &machine, &errors.sink);
}

static inline uint64_t free_bytes(void)
{
    uint64_t total = 0;
    struct range run = {0, 0};
    while (plan_free_next(&plan, &machine, range_end(run), &run))
        total += run.size;
    return total;
}

static inline void assert_free_runs(const struct range *expected, size_t count)
{
    struct range run = {0, 0};
    for (size_t i = 0; i < count; i++) {
        assert_true(plan_free_next(&plan, &machine, range_end(run), &run));
        assert_true(run.base == expected[i].base);
        assert_true(run.size == expected[i].size);
    }
    assert_false(plan_free_next(&plan, &machine, range_end(run), &run));
}

static inline void assert_chunk(uint32_t partition, uint32_t chunk, uint64_t guest, uint64_t host, uint64_t size)
{
    const struct plan_chunk *c = &plan.partitions[partition].chunks[chunk];
    assert_true(chunk < plan.partitions[partition].chunk_count);
    assert_true(c->gpa.raw == guest);
    assert_true(c->hpa.raw == host);
    assert_true(c->size == size);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)
