/*
 * The plan: what is built, what is refused and in which words; the checker against every promise broken on purpose;
 * both against a page-by-page oracle on random small boxes; and the picture for a person.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/plan.h"

/* ---- a sink that keeps what it gets ---- */

struct said_sink {
    struct sink sink;
    size_t length;
    char text[16384];
};
static struct said_sink errors;

static void text_put(struct sink *self, const char *text, size_t length)
{
    struct said_sink *t = (struct said_sink *)self;
    assert_true(length < sizeof t->text - t->length);
    memcpy(t->text + t->length, text, length);
    t->length += length;
    t->text[t->length] = '\0';
}

static void errors_clear(void)
{
    errors.sink.put = text_put;
    errors.length = 0;
    errors.text[0] = '\0';
}

static void assert_says(const char *part)
{
    if (strstr(errors.text, part) == NULL)
        fail_msg("expected '%s' in '%s'", part, errors.text);
}

static unsigned lines(void)
{
    unsigned count = 0;
    for (size_t i = 0; i < errors.length; i++)
        count += errors.text[i] == '\n';
    return count;
}

/* ---- a box of 4 CPUs and 6 GiB, and a configuration to put on it ---- */

static struct machine machine;
static struct config config;
static struct plan plan;

static void add_region(uint64_t base, uint64_t size, enum memory_kind kind)
{
    machine.regions[machine.region_count++] = (struct machine_region){{base, size}, kind};
}

static void add_module(const char *name, uint64_t base, uint64_t size)
{
    struct machine_module *m = &machine.modules[machine.module_count++];
    m->range = (struct range){base, size};
    strncpy(m->name, name, sizeof m->name - 1);
}

static struct config_text text_of(const char *text, uint32_t line)
{
    return (struct config_text){{text, strlen(text)}, {line, 14}};
}

static struct config_partition *add_partition(const char *name, uint32_t cpu, uint64_t memory)
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

static int setup(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof machine);
    memset(&config, 0, sizeof config);
    memset(&plan, 0xa5, sizeof plan);
    errors_clear();
    machine.cpu_count = 4;
    for (uint32_t i = 0; i < 4; i++)
        machine.cpus[i] = (struct machine_cpu){.apic_id = i, .acpi_uid = i, .core = i, .online = true};
    machine.caps = (struct cpu_caps){.nested_1g = true, .nested_2m = true, .x2apic = true, .guest_timer = true, .physical_bits = 40};
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

static unsigned build(void) { return plan_build("ringfence.conf", &config, &machine, &plan, &errors.sink); }

static bool check(void)
{
    errors_clear();
    return plan_check(&plan, &machine, &errors.sink);
}

static uint64_t free_bytes(void)
{
    uint64_t total = 0;
    struct range run = {0, 0};
    while (plan_free_next(&plan, &machine, range_end(run), &run))
        total += run.size;
    return total;
}

static void assert_free_runs(const struct range *expected, size_t count)
{
    struct range run = {0, 0};
    for (size_t i = 0; i < count; i++) {
        assert_true(plan_free_next(&plan, &machine, range_end(run), &run));
        assert_true(run.base == expected[i].base);
        assert_true(run.size == expected[i].size);
    }
    assert_false(plan_free_next(&plan, &machine, range_end(run), &run));
}

static void assert_chunk(uint32_t partition, uint32_t chunk, uint64_t guest, uint64_t host, uint64_t size)
{
    const struct plan_chunk *c = &plan.partitions[partition].chunks[chunk];
    assert_true(chunk < plan.partitions[partition].chunk_count);
    assert_true(c->gpa.raw == guest);
    assert_true(c->hpa.raw == host);
    assert_true(c->size == size);
}

/* ---- building ---- */

static void no_partitions_is_a_plan(void **state)
{
    (void)state;
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partition_count, 0);
    assert_int_equal(plan.console_cpu, 0);
    assert_string_equal(errors.text, "");
    assert_true(check());
}

static void partition_gets_what_it_asks_for(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("linux", 3, 256 * MIB);
    p->cpu_count = 2;
    p->cpus[1] = 1;
    p->initrd = text_of("initrd", 14);
    p->module_count = 2;
    p->modules[0] = text_of("initrd", 15);
    p->modules[1] = text_of("vmlinuz", 15);
    config.console_cpu = 2;
    assert_int_equal(build(), 0);
    assert_string_equal(errors.text, "");
    assert_int_equal(plan.partition_count, 1);
    assert_int_equal(plan.console_cpu, 2);
    const struct plan_partition *q = &plan.partitions[0];
    assert_ptr_equal(q->config, p);
    assert_int_equal(q->cpu_count, 2);
    assert_int_equal(q->cpus[0], 3);
    assert_int_equal(q->cpus[1], 1);
    assert_int_equal(q->kernel, 0);
    assert_int_equal(q->initrd, 1);
    assert_int_equal(q->modules[0], 1);
    assert_int_equal(q->modules[1], 0);
    assert_int_equal(q->chunk_count, 1);
    assert_true(is_aligned(q->chunks[0].hpa.raw, 2 * MIB));
    assert_true(check());
}

static void missing_initrd_is_not_module_0(void **state)
{
    (void)state;
    add_partition("linux", 0, 64 * MIB);
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partitions[0].initrd, PLAN_NO_MODULE);
}

static void large_partition_gets_whole_gib_pages_around_the_hole(void **state)
{
    (void)state;
    add_partition("big", 0, 4 * GIB);
    assert_int_equal(build(), 0);
    /* Host memory from 4 GiB on holds all of the low RAM in one piece; the rest is 1 GiB-aligned as well. */
    assert_int_equal(plan.partitions[0].chunk_count, 2);
    assert_chunk(0, 0, 0, 4 * GIB, 3 * GIB);
    assert_chunk(0, 1, 4 * GIB, GIB, GIB);
    assert_true(check());
}

static void pieces_go_from_large_to_small(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(0x10001000, 0x3000, MEMORY_USABLE);
    add_region(0x20200000 - 0x1000, 0x402000, MEMORY_USABLE); /* 2 whole 2 MiB pages */
    add_region(GIB, GIB, MEMORY_USABLE);
    add_partition("odd", 0, GIB + 4 * MIB + 0x5000);
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partitions[0].chunk_count, 5);
    assert_chunk(0, 0, 0, GIB, GIB);
    assert_chunk(0, 1, GIB, 0x20200000, 4 * MIB);
    assert_chunk(0, 2, GIB + 4 * MIB, 0x10001000, 0x3000);
    assert_chunk(0, 3, GIB + 4 * MIB + 0x3000, 0x201ff000, 0x1000);
    assert_chunk(0, 4, GIB + 4 * MIB + 0x4000, 0x20600000, 0x1000);
    assert_true(check());
    assert_true(free_bytes() == 0);
}

static void page_sizes_the_cpu_lacks_are_not_aimed_at(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(GIB - 0x1000, GIB + 0x1000, MEMORY_USABLE);
    add_partition("p", 0, GIB);
    machine.caps.nested_1g = machine.caps.nested_2m = false;
    assert_int_equal(build(), 0);
    assert_chunk(0, 0, 0, GIB - 0x1000, GIB);
    machine.caps.nested_2m = true;
    assert_int_equal(build(), 0);
    assert_chunk(0, 0, 0, GIB, GIB);
}

static void tightest_run_is_taken(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(0x10000000, 64 * MIB, MEMORY_USABLE);
    add_region(0x20000000, 16 * MIB, MEMORY_USABLE);
    add_region(0x30000000, 32 * MIB, MEMORY_USABLE);
    add_partition("a", 0, 16 * MIB);
    add_partition("b", 1, 20 * MIB);
    assert_int_equal(build(), 0);
    assert_chunk(0, 0, 0, 0x20000000, 16 * MIB);
    assert_chunk(1, 0, 0, 0x30000000, 20 * MIB);
}

static void exact_fit_is_one_piece(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(0x10000000, 0x1000, MEMORY_USABLE);
    add_region(0x20000000, 2 * MIB + 0x1000, MEMORY_USABLE);
    add_partition("a", 0, 2 * MIB + 0x1000);
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partitions[0].chunk_count, 1);
    assert_chunk(0, 0, 0, 0x20000000, 2 * MIB + 0x1000);
}

static void regions_that_touch_are_one_run(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(0x10400000, 4 * MIB, MEMORY_USABLE); /* unsorted, and one overlaps its neighbours */
    add_region(0x10000000, 4 * MIB, MEMORY_USABLE);
    add_region(0x10300000, 2 * MIB, MEMORY_USABLE);
    plan.partition_count = 0;
    const struct range whole = {0x10000000, 8 * MIB};
    assert_free_runs(&whole, 1);
    add_partition("a", 0, 8 * MIB);
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partitions[0].chunk_count, 1);
    assert_chunk(0, 0, 0, 0x10000000, 8 * MIB);
    assert_true(check());
    assert_true(free_bytes() == 0);
}

static void lying_maps_lose(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(0, UINT64_MAX, MEMORY_USABLE);            /* everything there is, says the firmware */
    add_region(0x10000800, 0x1000, MEMORY_BAD);          /* spoils two pages */
    add_region(0x20000000, UINT64_MAX, MEMORY_RESERVED); /* passes the end of the address space */
    add_region(0x1ffff000, 0, MEMORY_RESERVED);          /* nothing */
    plan.partition_count = 0;
    const struct range expected[] = {{MIB, MIB},
                                     {64 * MIB, 36 * MIB},
                                     {108 * MIB + 0x4000, 0x10000000 - 108 * MIB - 0x4000},
                                     {0x10002000, 0x20000000 - 0x10002000}};
    assert_free_runs(expected, array_size(expected));
}

static void memory_the_cpu_cannot_address_is_not_free(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(((uint64_t)1 << 40) - MIB, 2 * MIB, MEMORY_USABLE);
    plan.partition_count = 0;
    const struct range below = {((uint64_t)1 << 40) - MIB, MIB};
    assert_free_runs(&below, 1);
    machine.caps.physical_bits = 0; /* not known: nothing can be mapped */
    assert_free_runs(NULL, 0);
    machine.caps.physical_bits = 255; /* more than the architecture has */
    const struct range all = {((uint64_t)1 << 40) - MIB, 2 * MIB};
    assert_free_runs(&all, 1);
}

/* ---- refusals ---- */

static void assert_left_out(const char *message)
{
    errors_clear();
    assert_int_equal(build(), 1);
    assert_string_equal(errors.text, message);
    assert_true(check());
}

static void cpu_that_is_not_there(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("linux", 7, 64 * MIB);
    assert_left_out("ringfence.conf:11:14: partition 'linux': CPU 7 is not there (this box has CPUs 0-3)\n");
    assert_int_equal(plan.partition_count, 0);
    p->cpus[0] = UINT32_MAX;
    assert_left_out("ringfence.conf:11:14: partition 'linux': CPU 4294967295 is not there (this box has CPUs 0-3)\n");
    p->cpus[0] = 1;
    machine.cpu_count = 1;
    assert_left_out("ringfence.conf:11:14: partition 'linux': CPU 1 is not there (this box has CPU 0)\n");
}

static void cpu_that_did_not_start(void **state)
{
    (void)state;
    add_partition("linux", 2, 64 * MIB);
    machine.cpus[2].online = false;
    assert_left_out(
        "ringfence.conf:11:14: partition 'linux': CPU 2 is not online (it did not answer its start-up IPI)\n");
}

static void cpu_of_another_partition(void **state)
{
    (void)state;
    add_partition("linux", 1, 64 * MIB);
    struct config_partition *second = add_partition("other", 0, 64 * MIB);
    second->cpu_count = 2;
    second->cpus[1] = 1;
    add_partition("third", 0, 64 * MIB);
    assert_left_out("ringfence.conf:21:14: partition 'other': CPU 1 belongs to partition 'linux' already (line 11)\n");
    /* CPU 0 went to nobody with it, so the third may have it. */
    assert_int_equal(plan.partition_count, 2);
    assert_string_equal(plan.partitions[1].config->name, "third");
}

static void cpu_lists_that_make_no_sense(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("linux", 1, 64 * MIB);
    p->cpu_count = 2;
    p->cpus[1] = 1;
    assert_left_out("ringfence.conf:11:14: partition 'linux': CPU 1 is listed twice\n");
    p->cpu_count = 0;
    assert_left_out("ringfence.conf:10:1: partition 'linux': 0 CPUs: expected 1 to 64\n");
    p->cpu_count = 65;
    assert_left_out("ringfence.conf:10:1: partition 'linux': 65 CPUs: expected 1 to 64\n");
    machine.caps.guest_timer = false; /* then it matters whether one of them is the console's */
    for (uint32_t i = 0; i < CONFIG_MAX_CPUS; i++)
        p->cpus[i] = 1;
    assert_left_out("ringfence.conf:10:1: partition 'linux': 65 CPUs: expected 1 to 64\n");
}

static void modules_that_are_not_there(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("linux", 0, 64 * MIB);
    p->kernel = text_of("vmlinux", 13);
    assert_left_out(
        "ringfence.conf:13:14: partition 'linux': kernel 'vmlinux': no such module (modules: vmlinuz, initrd)\n");
    p->kernel = text_of("vmlinuz", 13);
    p->initrd = text_of("initrd.gz", 14);
    assert_left_out(
        "ringfence.conf:14:14: partition 'linux': initrd 'initrd.gz': no such module (modules: vmlinuz, initrd)\n");
    p->initrd.place.line = 0;
    p->module_count = 2;
    p->modules[0] = text_of("initrd", 15);
    p->modules[1] = text_of("", 15);
    assert_left_out("ringfence.conf:15:14: partition 'linux': module '': no such module (modules: vmlinuz, initrd)\n");
    p->module_count = 0;
    machine.module_count = 0;
    assert_left_out("ringfence.conf:13:14: partition 'linux': kernel 'vmlinuz': no such module (modules: none)\n");
    p->kernel = (struct config_text){{NULL, 0}, {0, 0}};
    add_module("", 0, 0);
    assert_left_out("ringfence.conf:10:1: partition 'linux': kernel '': no such module (modules: )\n");
}

static void memory_that_is_not_free(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(0x10000000, 812 * MIB, MEMORY_USABLE);
    struct config_partition *p = add_partition("linux", 0, 4 * GIB);
    assert_left_out("ringfence.conf:12:14: partition 'linux': memory 4 GiB: 812 MiB are free\n");
    p->memory = 812 * MIB + 0x1000;
    assert_left_out("ringfence.conf:12:14: partition 'linux': memory 831492 KiB: 812 MiB are free\n");
    p->memory = UINT64_MAX - 0xfff;
    errors_clear();
    assert_int_equal(build(), 1);
    assert_says(": 812 MiB are free\n");
    p->memory = 812 * MIB;
    assert_int_equal(build(), 0);
}

/* Behind the RAM below the hole: pages of their own, up to 4 GiB, however odd the image's size. */
static void firmware_has_memory_below_4_gib(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("bios", 0, 4 * GIB);
    p->boot = BOOT_FIRMWARE;
    machine.modules[0].range.size = 0x20001;
    machine.caps.nested_1g = false;
    assert_int_equal(build(), 0);
    assert_true(plan_check(&plan, &machine, &errors.sink));
    const struct plan_partition *slot = &plan.partitions[0];
    uint64_t firmware = 0, end = 0;
    for (uint32_t i = 0; i < slot->chunk_count; i++) {
        uint64_t at = slot->chunks[i].gpa.raw;
        assert_true(at >= end);
        end = at + slot->chunks[i].size;
        assert_true(at < 3 * GIB || at >= 4 * GIB - 0x21000);
        firmware += at >= 3 * GIB && at < 4 * GIB ? slot->chunks[i].size : 0;
    }
    assert_int_equal(firmware, 0x21000);
    assert_int_equal(end, 5 * GIB);
}

static void firmware_decides_for_virtual_interrupts(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("bios", 1, MIB);
    p->interrupts = INTERRUPTS_ANY;
    assert_int_equal(build(), 0);
    assert_false(plan.partitions[0].virtual_interrupts);
    p->boot = BOOT_FIRMWARE;
    assert_int_equal(build(), 0);
    assert_true(plan.partitions[0].virtual_interrupts);
}

/* An image that cannot be one gets no memory: its loader then says why. */
static void firmware_that_is_too_large_has_none(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("bios", 0, 16 * MIB);
    p->boot = BOOT_FIRMWARE;
    machine.modules[0].range.size = 16 * MIB + 1;
    assert_int_equal(build(), 0);
    assert_true(plan_check(&plan, &machine, &errors.sink));
    assert_int_equal(plan.partitions[0].chunk_count, 1);
}

static void memory_that_does_not_hold_the_firmware(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(0x10000000, 8 * MIB, MEMORY_USABLE);
    struct config_partition *p = add_partition("bios", 0, 8 * MIB);
    p->boot = BOOT_FIRMWARE;
    machine.modules[0].range.size = 0x40000;
    assert_left_out("ringfence.conf:12:14: partition 'bios': memory 8 MiB and 256 KiB for the firmware: 8 MiB are "
                    "free\n");
    p->memory = 8 * MIB - 0x40000;
    errors_clear();
    assert_int_equal(build(), 0);
}

static void checker_sees_firmware_out_of_place(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("bios", 0, 16 * MIB);
    p->boot = BOOT_FIRMWARE;
    machine.modules[0].range.size = 0x20000;
    assert_int_equal(build(), 0);
    struct plan_partition *slot = &plan.partitions[0];
    assert_int_equal(slot->chunk_count, 2);
    struct plan_partition good = *slot;
    slot->chunks[1].gpa.raw -= 0x1000;
    errors_clear();
    assert_false(plan_check(&plan, &machine, &errors.sink));
    assert_says("guest memory 0xfffdf000 of 0x20000 bytes, expected it at 0xfffe0000\n");
    *slot = good;
    slot->chunk_count = 1;
    errors_clear();
    assert_false(plan_check(&plan, &machine, &errors.sink));
    assert_says("131072 bytes of the configured memory are missing\n");
    *slot = good;
    p->boot = BOOT_FLAT; /* then nobody has memory there */
    errors_clear();
    assert_false(plan_check(&plan, &machine, &errors.sink));
    assert_says("guest memory 0xfffe0000 of 0x20000 bytes, expected it at 0x100000000\n");
}

static void memory_of_an_impossible_size(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("linux", 0, 0);
    assert_left_out("ringfence.conf:12:14: partition 'linux': memory 0 bytes: expected a multiple of 4 KiB above 0\n");
    p->memory = 0x1800;
    assert_left_out("ringfence.conf:12:14: partition 'linux': memory 6 KiB: expected a multiple of 4 KiB above 0\n");
}

static void memory_in_too_many_pieces(void **state)
{
    (void)state;
    machine.region_count = 0;
    for (uint64_t i = 0; i < PLAN_MAX_CHUNKS + 1; i++)
        add_region(0x10000000 + i * 0x2000, 0x1000, MEMORY_USABLE);
    struct config_partition *p = add_partition("linux", 0, (PLAN_MAX_CHUNKS + 1) * PAGE_SIZE);
    assert_left_out(
        "ringfence.conf:12:14: partition 'linux': memory 260 KiB: 260 KiB are free, but in more than 64 pieces\n");
    assert_true(free_bytes() == 260 * KIB);
    p->memory = PLAN_MAX_CHUNKS * PAGE_SIZE;
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partitions[0].chunk_count, PLAN_MAX_CHUNKS);
    assert_true(check());
}

static void memory_with_no_guest_address(void **state)
{
    (void)state;
    /* Nearly all of 2^34 bytes are free; with the hole in it, a guest of more than 15 GiB would pass 2^34. */
    machine.region_count = 0;
    machine.caps.physical_bits = 34;
    add_region(128 * MIB, 16 * GIB - 128 * MIB, MEMORY_USABLE);
    struct config_partition *p = add_partition("linux", 0, 15 * GIB + 2 * MIB);
    errors_clear();
    assert_int_equal(build(), 1);
    assert_says("memory 15362 MiB: 16256 MiB are free, but this CPU has guest addresses of 34 bits\n");
    p->memory = 15 * GIB;
    assert_int_equal(build(), 0);
    assert_true(check());
}

static void console_cpu_that_is_not_there(void **state)
{
    (void)state;
    config.console_cpu = 9;
    config.console_cpu_place = (struct config_place){5, 15};
    assert_int_equal(build(), 0);
    assert_string_equal(errors.text,
                        "ringfence.conf:5:15: console_cpu: using CPU 0: CPU 9 is not there (this box has CPUs 0-3)\n");
    assert_int_equal(plan.console_cpu, 0);
    config.console_cpu = 3;
    machine.cpus[3].online = false;
    errors_clear();
    assert_int_equal(build(), 0);
    assert_says("CPU 3 is not online");
    assert_int_equal(plan.console_cpu, 0);
}

/* ---- partitions and each other ---- */

static void refused_configuration_is_skipped_in_silence(void **state)
{
    (void)state;
    add_partition("bad", 99, 77)->refused = true;
    add_partition("good", 1, 64 * MIB);
    assert_int_equal(build(), 0);
    assert_string_equal(errors.text, "");
    assert_int_equal(plan.partition_count, 1);
    assert_ptr_equal(plan.partitions[0].config, &config.partitions[1]);
}

static void others_do_not_move_when_one_is_refused(void **state)
{
    (void)state;
    static struct plan whole;
    for (uint32_t i = 0; i < 4; i++)
        add_partition("p", i, (100 + 7 * i) * MIB);
    assert_int_equal(build(), 0);
    whole = plan;
    for (uint32_t bad = 0; bad < 4; bad++) {
        for (int by_config = 0; by_config < 2; by_config++) {
            config.partitions[bad].refused = by_config == 1;
            config.partitions[bad].kernel = text_of("nonsense", 1);
            assert_int_equal(build(), by_config == 1 ? 0 : 1);
            assert_int_equal(plan.partition_count, 3);
            for (uint32_t i = 0; i < 3; i++)
                assert_memory_equal(&plan.partitions[i], &whole.partitions[i < bad ? i : i + 1],
                                    sizeof plan.partitions[i]);
        }
        config.partitions[bad].refused = false;
        config.partitions[bad].kernel = text_of("vmlinuz", 1);
    }
}

static void refused_partition_keeps_no_memory_from_others(void **state)
{
    (void)state;
    add_partition("bad", 9, 5 * GIB);
    add_partition("good", 1, 5 * GIB);
    assert_int_equal(build(), 1);
    assert_int_equal(lines(), 1);
    assert_int_equal(plan.partition_count, 1);
    assert_string_equal(plan.partitions[0].config->name, "good");
    assert_true(check());
}

static void each_refused_partition_is_one_line(void **state)
{
    (void)state;
    add_partition("a", 9, 64 * MIB);
    add_partition("b", 0, 64 * MIB);
    add_partition("c", 0, 64 * MIB);
    add_partition("d", 1, 64 * GIB);
    assert_int_equal(build(), 3);
    assert_int_equal(lines(), 3);
    assert_int_equal(plan.partition_count, 1);
    assert_true(check());
}

static void as_many_partitions_as_a_configuration_holds(void **state)
{
    (void)state;
    machine.cpu_count = CONFIG_MAX_PARTITIONS;
    for (uint32_t i = 0; i < CONFIG_MAX_PARTITIONS; i++) {
        machine.cpus[i] = (struct machine_cpu){.core = i, .online = true};
        add_partition("p", i, 32 * MIB);
    }
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partition_count, CONFIG_MAX_PARTITIONS);
    assert_true(check());
}

/* ---- the checker against broken promises ---- */

/* Two partitions, the first in two chunks around the hole. */
static void build_pair(void)
{
    machine.cpus[2].online = false;
    struct config_partition *p = add_partition("one", 1, 3 * GIB + 64 * MIB);
    p->initrd = text_of("initrd", 1);
    p = add_partition("two", 3, 64 * MIB);
    p->module_count = 1;
    p->modules[0] = text_of("initrd", 1);
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partition_count, 2);
    assert_int_equal(plan.partitions[0].chunk_count, 2);
    assert_true(check());
    assert_string_equal(errors.text, "");
}

static void assert_broken(const char *part)
{
    static struct plan good;
    assert_false(check());
    assert_says(part);
    assert_int_equal(build(), 0); /* as it was, for the next one */
    good = plan;
    assert_true(plan_check(&good, &machine, &errors.sink));
}

static void checker_sees_cpus(void **state)
{
    (void)state;
    build_pair();
    struct plan_partition *one = &plan.partitions[0], *two = &plan.partitions[1];
    two->cpus[0] = 1;
    assert_broken("plan: partition 'two': CPU 1 is owned twice\n");
    two->cpus[0] = 0;
    assert_broken("plan: partition 'two': vCPU 0 is on CPU 0, the configuration says CPU 3\n");
    one->cpus[0] = 4;
    assert_broken("plan: partition 'one': CPU 4: this box has 4 CPUs\n");
    one->cpus[0] = 2;
    assert_broken("plan: partition 'one': CPU 2 is not online\n");
    one->cpu_count = 0;
    assert_broken("plan: partition 'one': 0 CPUs, the configuration has 1\n");
    one->cpu_count = 2;
    assert_broken("2 CPUs, the configuration has 1\n");
    one->cpu_count = UINT32_MAX;
    assert_broken("4294967295 CPUs");
    config.partitions[0].cpu_count = one->cpu_count = CONFIG_MAX_CPUS + 1;
    assert_false(check());
    assert_says("65 CPUs");
    config.partitions[0].cpu_count = 1;
    assert_int_equal(build(), 0);
    plan.console_cpu = 4;
    assert_broken("plan: console CPU 4 is not there or not online\n");
    plan.console_cpu = 2;
    assert_broken("plan: console CPU 2 is not there or not online\n");
}

static void checker_sees_a_cpu_twice_in_one_partition(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("one", 1, 64 * MIB);
    p->cpu_count = 2;
    p->cpus[1] = 2;
    assert_int_equal(build(), 0);
    assert_true(check());
    plan.partitions[0].cpus[1] = 1;
    p->cpus[1] = 1;
    assert_false(check());
    assert_string_equal(errors.text, "plan: partition 'one': CPU 1 is owned twice\n");
}

static void checker_sees_modules(void **state)
{
    (void)state;
    build_pair();
    struct plan_partition *one = &plan.partitions[0], *two = &plan.partitions[1];
    one->kernel = 2;
    assert_broken("plan: partition 'one': kernel is module 2, there are 2\n");
    one->kernel = PLAN_NO_MODULE;
    assert_broken("kernel is module -1");
    one->kernel = 1;
    assert_broken("kernel is module 'initrd', the configuration says 'vmlinuz'\n");
    one->initrd = PLAN_NO_MODULE;
    assert_broken("initrd is module -1");
    two->initrd = 1;
    assert_broken("plan: partition 'two': initrd is module 1, the configuration has none\n");
    two->modules[0] = 7;
    assert_broken("module is module 7");
    two->modules[0] = 0;
    assert_broken("module is module 'vmlinuz', the configuration says 'initrd'\n");
    config.partitions[1].module_count = CONFIG_MAX_MODULES + 1;
    assert_false(check());
    assert_says("9 modules, at most 8 are possible\n");
}

/* Moves the one chunk of partition `two`. */
static void assert_place_refused(uint64_t host, const char *part)
{
    plan.partitions[1].chunks[0].hpa.raw = host;
    assert_broken(part);
}

static void checker_sees_host_memory(void **state)
{
    (void)state;
    build_pair();
    const uint64_t size = 64 * MIB;
    assert_place_refused(0, "memory at 0x0 is below 1 MiB\n");
    assert_place_refused(MIB - 0x1000, "memory at 0xff000 is below 1 MiB\n");
    assert_place_refused(64 * MIB - 0x1000, "memory at 0x3fff000 overlaps the hypervisor\n");
    assert_place_refused(100 * MIB + 0x1000, "overlaps module 'vmlinuz'\n");
    assert_place_refused(108 * MIB + 0x3000, "overlaps module 'initrd'\n");
    assert_place_refused(3 * GIB - size, "overlaps a reserved region at 0xbffe0000\n");
    assert_place_refused(3 * GIB, "memory at 0xc0000000 is not all usable\n");
    assert_place_refused(7 * GIB - 0x1000, "is not all usable\n");
    assert_place_refused(plan.partitions[0].chunks[0].hpa.raw, "belongs to partition 'one' already\n");
    assert_place_refused(plan.partitions[0].chunks[1].hpa.raw, "belongs to partition 'one' already\n");
    assert_place_refused(UINT64_MAX - size - 0xfff, "is not all usable\n");

    add_region(0x200000000, GIB, MEMORY_USABLE);
    machine.caps.physical_bits = 33;
    assert_int_equal(build(), 0);
    assert_place_refused(0x200000000, "memory at 0x200000000 is beyond the CPU's 33 address bits\n");
    machine.regions[machine.region_count - 1].kind = MEMORY_RESERVED;
    add_region(plan.partitions[1].chunks[0].hpa.raw, 1, MEMORY_ACPI); /* a region on top of a usable one */
    assert_false(check());
    assert_says("overlaps a reserved region");
}

static void checker_sees_a_byte_twice_in_one_partition(void **state)
{
    (void)state;
    build_pair();
    struct plan_partition *one = &plan.partitions[0];
    one->chunks[1].hpa.raw = one->chunks[0].hpa.raw + one->chunks[0].size - one->chunks[1].size;
    assert_broken("belongs to partition 'one' already\n");
}

static void checker_sees_guest_layout(void **state)
{
    (void)state;
    build_pair();
    struct plan_partition *one = &plan.partitions[0];
    struct plan_chunk *first = &one->chunks[0], *second = &one->chunks[1];
    first->gpa.raw = 0x1000;
    assert_broken("guest memory 0x1000 of 0xc0000000 bytes, expected it at 0x0\n");
    second->gpa.raw = 3 * GIB;
    assert_broken("guest memory 0xc0000000 of 0x4000000 bytes, expected it at 0x100000000\n");
    second->gpa.raw = 2 * GIB; /* on top of the first */
    assert_broken("guest memory 0x80000000");
    second->gpa.raw = 5 * GIB;
    assert_broken("guest memory 0x140000000");
    first->size += 0x1000; /* into the hole */
    second->size -= 0x1000;
    assert_broken("guest memory 0x0 of 0xc0001000 bytes");
    second->size -= 0x1000;
    assert_broken("plan: partition 'one': 4096 bytes of the configured memory are missing\n");
    second->size += 0x1000;
    assert_broken("guest memory 0x100000000 of 0x4001000 bytes");
    one->chunk_count = 0;
    assert_broken("bytes of the configured memory are missing\n");
    const uint64_t memory = config.partitions[0].memory;
    config.partitions[0].memory = ((uint64_t)1 << 48) + PAGE_SIZE;
    assert_false(check());
    assert_says("0x1000000001000 bytes of memory, beyond 48 address bits\n");
    config.partitions[0].memory = memory;
    one->chunk_count = PLAN_MAX_CHUNKS + 1;
    assert_broken("65 pieces of memory, at most 64 are possible\n");
}

static void checker_sees_malformed_chunks(void **state)
{
    (void)state;
    build_pair();
    struct plan_chunk *c = &plan.partitions[1].chunks[0];
    const struct plan_chunk good = *c;
    const struct plan_chunk bad[] = {
        {{0}, good.hpa, 0},
        {{0x800}, good.hpa, good.size},
        {{0}, {good.hpa.raw + 1}, good.size},
        {{0}, good.hpa, good.size + 1},
        {{0}, good.hpa, UINT64_MAX - 0xfff},
        {{UINT64_MAX - 0xfff}, good.hpa, good.size},
        {{0}, {UINT64_MAX - 0xfff}, good.size},
    };
    for (size_t i = 0; i < array_size(bad); i++) {
        *c = bad[i];
        assert_broken("plan: partition 'two': piece 0 of the memory is empty, unaligned or too large\n");
    }
}

static void checker_sees_guest_addresses_too_high(void **state)
{
    (void)state;
    build_pair();
    machine.caps.physical_bits = 32;
    assert_false(check());
    assert_says("guest memory ends at 0x104000000, beyond 32 address bits\n");
}

static void checker_sees_partitions(void **state)
{
    (void)state;
    build_pair();
    plan.partitions[1].config = NULL;
    assert_broken("plan: partition 1 has no configuration that was accepted\n");
    config.partitions[0].refused = true;
    assert_false(check());
    assert_says("partition 0 has no configuration");
    config.partitions[0].refused = false;
    plan.partition_count = CONFIG_MAX_PARTITIONS + 1;
    assert_false(check());
    assert_says("plan: 17 partitions, at most 16 are possible\n");
}

/* ---- builder, checker and free list against an oracle on random small boxes ---- */

enum { GRAIN = 512, BOX_SIZE = 16 * 1024 * 1024, GRAINS = BOX_SIZE / GRAIN, PER_PAGE = 4096 / GRAIN };

static uint64_t random_state;
static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

static struct range random_range(uint32_t size_limit)
{
    uint64_t base = random_below(GRAINS);
    uint64_t size = random_below(size_limit / GRAIN);
    return (struct range){base * GRAIN, (base + size > GRAINS ? GRAINS - base : size) * GRAIN};
}

static uint8_t usable[GRAINS], taken[GRAINS];

static void mark(uint8_t *map, struct range r)
{
    for (uint64_t i = r.base / GRAIN; i < range_end(r) / GRAIN; i++)
        map[i] = 1;
}

static void random_box(void)
{
    memset(usable, 0, sizeof usable);
    memset(taken, 0, sizeof taken);
    mark(taken, (struct range){0, MIB});
    machine.region_count = machine.module_count = 0;
    for (uint32_t i = 0, n = 1 + random_below(6); i < n; i++) {
        add_region(0, 0, MEMORY_USABLE);
        machine.regions[i].range = random_range(BOX_SIZE);
        mark(usable, machine.regions[i].range);
    }
    for (uint32_t i = 0, n = random_below(6); i < n; i++) {
        struct range r = random_range(64 * 1024);
        add_region(r.base, r.size, (enum memory_kind)(MEMORY_RESERVED + random_below(3)));
        mark(taken, r);
    }
    machine.hypervisor = random_range(MIB);
    mark(taken, machine.hypervisor);
    struct range module = random_range(MIB);
    add_module("vmlinuz", module.base, module.size);
    mark(taken, module);
    machine.caps.nested_2m = random_below(4) != 0;
}

static bool page_is_free(uint64_t page)
{
    for (uint64_t i = 0; i < PER_PAGE; i++)
        if (!usable[page * PER_PAGE + i] || taken[page * PER_PAGE + i])
            return false;
    return true;
}

/* The free runs are the free pages, each once. Returns how many pages. */
static uint64_t check_free(void)
{
    uint64_t pages = 0, listed = 0;
    struct range run = {0, 0};
    for (uint64_t page = 0; page < BOX_SIZE / PAGE_SIZE; page++)
        pages += page_is_free(page);
    while (plan_free_next(&plan, &machine, range_end(run), &run))
        for (uint64_t at = run.base; at < range_end(run); at += PAGE_SIZE, listed++)
            assert_true(page_is_free(at / PAGE_SIZE));
    assert_int_equal(listed, pages);
    return pages;
}

static void random_boxes(void **state)
{
    unsigned planned = 0, refused = 0;
    for (uint32_t seed = 0; seed < 400; seed++) {
        setup(state);
        random_state = seed;
        random_box();
        plan.partition_count = 0;
        check_free();
        for (uint32_t i = 0; i < 4; i++)
            add_partition("p", i, (1 + random_below(6 * 256)) * PAGE_SIZE);
        unsigned left_out = build();
        assert_int_equal(plan.partition_count + left_out, 4);
        assert_int_equal(lines(), left_out);
        bool fragmented = strstr(errors.text, "pieces") != NULL;
        assert_true(check());
        for (uint32_t i = 0; i < plan.partition_count; i++)
            for (uint32_t k = 0; k < plan.partitions[i].chunk_count; k++) {
                struct range r = {plan.partitions[i].chunks[k].hpa.raw, plan.partitions[i].chunks[k].size};
                for (uint64_t at = r.base; at < range_end(r); at += PAGE_SIZE)
                    assert_true(page_is_free(at / PAGE_SIZE));
                mark(taken, r);
            }
        uint64_t left = check_free() * PAGE_SIZE;
        for (uint32_t i = 0; i < 4 && !fragmented; i++) { /* nobody was left out who would have fitted */
            bool in_plan = false;
            for (uint32_t k = 0; k < plan.partition_count; k++)
                in_plan |= plan.partitions[k].config == &config.partitions[i];
            assert_true(in_plan || config.partitions[i].memory > left);
        }
        planned += plan.partition_count;
        refused += left_out;
    }
    assert_true(planned > 100 && refused > 100); /* both really happen */
}

/* ---- the picture ---- */

static void print_shows_every_owner(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("linux", 1, 4 * GIB + 2 * MIB + 4 * KIB);
    p->cpu_count = 2;
    p->cpus[1] = 2;
    p->initrd = text_of("initrd", 1);
    p = add_partition("quiet", 3, 64 * MIB);
    p->console = CONSOLE_NONE;
    p->boot = BOOT_MULTIBOOT1;
    p->start = START_MANUAL;
    p->on_stop = ON_STOP_RESTART;
    p->module_count = 1;
    p->modules[0] = text_of("initrd", 1);
    assert_int_equal(build(), 0);
    assert_true(check());
    plan_print(&plan, &machine, &errors.sink);
    const char *const parts[] = {
        "console      CPU 0\n",
        "partition    linux: start auto, on stop stay\n  CPUs       1-2\n",
        "0x00000000000-0x000bfffffff -> 0x00100000000  3 GiB = 3 x 1 GiB\n",
        "-> 0x00040000000  1050628 KiB = 1 x 1 GiB + 1 x 2 MiB + 1 x 4 KiB\n",
        "  image      linux 'vmlinuz', initrd 'initrd'\n",
        "  devices    console: UART at port 0x3f8, IRQ 4; interrupts direct\n",
        "partition    quiet: start manual, on stop restart\n  CPUs       3\n  memory     64 MiB",
        "  image      multiboot1 'vmlinuz', modules 'initrd'\n",
        "  devices    no console; interrupts direct\n",
        "idle CPUs    0\noffline CPUs none\n",
        "free memory  ",
    };
    for (size_t i = 0; i < array_size(parts); i++)
        assert_says(parts[i]);
}

static void print_shows_what_nobody_owns(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(MIB, 3 * MIB, MEMORY_USABLE);
    machine.cpus[1].online = false;
    assert_int_equal(build(), 0);
    plan_print(&plan, &machine, &errors.sink);
    assert_string_equal(errors.text, "console      CPU 0\n"
                                     "idle CPUs    0,2-3\n"
                                     "offline CPUs 1\n"
                                     "free memory  1 MiB\n"
                                     "             0x00000100000-0x000001fffff  1 MiB\n");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_partitions_is_a_plan),
        TEST(partition_gets_what_it_asks_for),
        TEST(missing_initrd_is_not_module_0),
        TEST(large_partition_gets_whole_gib_pages_around_the_hole),
        TEST(pieces_go_from_large_to_small),
        TEST(page_sizes_the_cpu_lacks_are_not_aimed_at),
        TEST(tightest_run_is_taken),
        TEST(exact_fit_is_one_piece),
        TEST(regions_that_touch_are_one_run),
        TEST(lying_maps_lose),
        TEST(memory_the_cpu_cannot_address_is_not_free),
        TEST(cpu_that_is_not_there),
        TEST(cpu_that_did_not_start),
        TEST(cpu_of_another_partition),
        TEST(cpu_lists_that_make_no_sense),
        TEST(modules_that_are_not_there),
        TEST(memory_that_is_not_free),
        TEST(firmware_has_memory_below_4_gib),
        TEST(firmware_decides_for_virtual_interrupts),
        TEST(firmware_that_is_too_large_has_none),
        TEST(memory_that_does_not_hold_the_firmware),
        TEST(checker_sees_firmware_out_of_place),
        TEST(memory_of_an_impossible_size),
        TEST(memory_in_too_many_pieces),
        TEST(memory_with_no_guest_address),
        TEST(console_cpu_that_is_not_there),
        TEST(refused_configuration_is_skipped_in_silence),
        TEST(others_do_not_move_when_one_is_refused),
        TEST(refused_partition_keeps_no_memory_from_others),
        TEST(each_refused_partition_is_one_line),
        TEST(as_many_partitions_as_a_configuration_holds),
        TEST(checker_sees_cpus),
        TEST(checker_sees_a_cpu_twice_in_one_partition),
        TEST(checker_sees_modules),
        TEST(checker_sees_host_memory),
        TEST(checker_sees_a_byte_twice_in_one_partition),
        TEST(checker_sees_guest_layout),
        TEST(checker_sees_malformed_chunks),
        TEST(checker_sees_guest_addresses_too_high),
        TEST(checker_sees_partitions),
        cmocka_unit_test(random_boxes),
        TEST(print_shows_every_owner),
        TEST(print_shows_what_nobody_owns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
