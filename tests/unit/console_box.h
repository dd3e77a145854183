/*
 * A box for the tests of the console: two partitions, a terminal, and in place of the lifecycle and of the virtual PC
 * a record of what was asked. Definitions, not declarations: a test that includes this is the only one in its program
 * and needs none of the real ones.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/lifecycle.h"
#include "core/log.h"
#include "tests/unit/fake_cpu.h"

enum { BOX_HZ = 1000000, BOX_OUTPUT_SIZE = 256 * 1024 };

struct platform {
    size_t takes; /* bytes the guest's UART has room for */
    size_t length;
    char input[1024];
};

static struct {
    struct console_port port;
    size_t wire; /* bytes the port takes in one write */
    size_t length, checked;
    char output[BOX_OUTPUT_SIZE]; /* all that was ever shown */
    size_t typed_length;
    char typed[4096]; /* not yet read */
    struct config config;
    struct machine machine;
    struct plan plan;
    struct backend backend;
    struct vcpu vcpus[3];
    struct ring rings[2];
    struct platform platforms[2];
    enum lifecycle_answer answer;
    enum partition_goal asked;
    const struct partition *asked_of;
    uint32_t delivered;
    struct platform_outcome next_outcome;
} box;

struct partition_table partition_table;

/* In place of core/lifecycle.c, core/partition_interrupt.c and drivers/virt/platform.c. */

struct partition *partition_find(struct slice name)
{
    for (uint32_t i = 0; i < partition_table.count; i++) {
        if (slice_equals(name, partition_name(&partition_table.partitions[i])))
            return &partition_table.partitions[i];
    }
    return NULL;
}

enum lifecycle_answer lifecycle_ask(struct partition *p, enum partition_goal goal)
{
    box.asked = goal;
    box.asked_of = p;
    if (box.answer == LIFECYCLE_ACCEPTED)
        p->goal = (uint32_t)goal + 0x300; /* the word also counts: see core/lifecycle.c */
    return box.answer;
}

enum partition_goal lifecycle_goal(const struct partition *p) { return (enum partition_goal)(p->goal & 0xff); }
bool lifecycle_settled(const struct partition *p) { return lifecycle_goal(p) == GOAL_NONE; }

void partition_deliver(struct partition *p, const struct platform_outcome *outcome)
{
    assert_true(p >= partition_table.partitions && p < partition_table.partitions + partition_table.count);
    box.delivered += outcome->message_count;
}

size_t platform_input(struct platform *platform, const char *bytes, size_t length, uint64_t now,
                      struct platform_outcome *outcome)
{
    assert_int_equal(now, fake_cpu.clock);
    size_t count = length < platform->takes ? length : platform->takes;
    assert_true(count <= sizeof platform->input - platform->length);
    memcpy(platform->input + platform->length, bytes, count);
    platform->length += count;
    platform->takes -= count;
    *outcome = box.next_outcome;
    return count;
}

const char *exit_kind_name(enum exit_kind kind)
{
    static const char *const names[] = {
#define X(name, text) [EXIT_##name] = text,
        EXIT_KIND_LIST(X)
#undef X
    };
    return names[kind];
}

static size_t port_read(struct console_port *self, char *to, size_t size)
{
    assert_ptr_equal(self, &box.port);
    size_t count = box.typed_length < size ? box.typed_length : size;
    memcpy(to, box.typed, count);
    box.typed_length -= count;
    memmove(box.typed, box.typed + count, box.typed_length);
    return count;
}

static size_t port_write(struct console_port *self, const char *from, size_t size)
{
    assert_ptr_equal(self, &box.port);
    assert_true(size <= 1024); /* the work of one call is bounded */
    size_t count = size < box.wire ? size : box.wire;
    assert_true(count < sizeof box.output - box.length);
    memcpy(box.output + box.length, from, count);
    box.length += count;
    box.output[box.length] = '\0';
    return count;
}

static void box_partition(uint32_t index, const char *name, const uint32_t *cpus, uint32_t cpu_count,
                          struct vcpu *vcpus, enum partition_console console)
{
    struct config_partition *config = &box.config.partitions[index];
    struct plan_partition *plan = &box.plan.partitions[index];
    struct partition *p = &partition_table.partitions[index];
    strcpy(config->name, name);
    config->console = console;
    config->memory = 256 * MIB;
    *plan = (struct plan_partition){.config = config, .cpu_count = cpu_count, .chunk_count = 1};
    plan->chunks[0] = (struct plan_chunk){gpa(0), hpa((index + 1) * GIB), config->memory};
    plan->kernel = 0;
    plan->initrd = PLAN_NO_MODULE;
    *p = (struct partition){.plan = plan, .machine = &box.machine, .index = index, .vcpu_count = cpu_count};
    p->vcpus = vcpus;
    p->platform = &box.platforms[index];
    p->output = &box.rings[index];
    for (uint32_t i = 0; i < cpu_count; i++) {
        plan->cpus[i] = cpus[i];
        vcpus[i] = (struct vcpu){.partition = p, .index = i, .cpu = cpus[i]};
    }
}

static void box_machine(void)
{
    struct machine *machine = &box.machine;
    machine->tsc_hz = BOX_HZ;
    machine->cpu_count = 5;
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        machine->cpus[i] = (struct machine_cpu){.apic_id = i * 2, .acpi_uid = i, .core = i, .online = i != 4};
    machine->region_count = 1;
    machine->regions[0] = (struct machine_region){{0x100000, 4 * GIB - 0x100000}, MEMORY_USABLE};
    machine->hypervisor = (struct range){0x200000, 8 * MIB};
    machine->module_count = 1;
    machine->modules[0] = (struct machine_module){{0x1000000, 0x345000}, "vmlinuz"};
    machine->caps.physical_bits = 39;
}

static void service(uint32_t times)
{
    for (uint32_t i = 0; i < times; i++)
        console_service();
}

/* A box whose partition "linux" runs and "tiny" is stopped; "broken" was refused at boot. */
static int box_setup(void **state)
{
    (void)state;
    memset(&box, 0, sizeof box);
    memset(&partition_table, 0, sizeof partition_table);
    fake_cpu_setup();
    box_machine();
    partition_table.count = box.plan.partition_count = 2;
    box_partition(0, "linux", (const uint32_t[]){1, 2}, 2, &box.vcpus[0], CONSOLE_UART);
    box_partition(1, "tiny", (const uint32_t[]){3}, 1, &box.vcpus[2], CONSOLE_NONE);
    box.config.partition_count = 3;
    strcpy(box.config.partitions[2].name, "broken");
    box.config.escape = 0x1d;
    partition_table.partitions[0].state = PARTITION_RUNNING;
    partition_table.partitions[0].starts = 1;
    box.backend.name = "VT-x";
    box.port = (struct console_port){port_read, port_write};
    box.wire = SIZE_MAX;
    log_ring()->written = 0; /* the log of the test before this one */
    console_init(&box.port, &box.config, &box.machine, &box.plan, &box.backend);
    service(2);
    return 0;
}

static void type_bytes(const char *bytes, size_t length)
{
    assert_true(length <= sizeof box.typed - box.typed_length);
    memcpy(box.typed + box.typed_length, bytes, length);
    box.typed_length += length;
}

static void type(const char *text) { type_bytes(text, strlen(text)); }

/* `text` must have been shown after what was expected last. */
static void expect(const char *text)
{
    const char *found = strstr(box.output + box.checked, text);
    if (found == NULL)
        fail_msg("expected \"%s\" in \"%s\"", text, box.output + box.checked);
    else
        box.checked = (size_t)(found - box.output) + strlen(text);
}

static void expect_none(const char *text)
{
    if (strstr(box.output + box.checked, text) != NULL)
        fail_msg("did not expect \"%s\" in \"%s\"", text, box.output + box.checked);
}

/* Types a line and lets the console work until nothing new is shown. */
static void command(const char *line)
{
    box.checked = box.length;
    type(line);
    type("\r");
    for (size_t before = SIZE_MAX; before != box.length || box.typed_length != 0;) {
        before = box.length;
        service(5);
    }
}

static void guest_says(uint32_t partition, const char *text)
{
    for (; *text != '\0'; text++)
        ring_put(&box.rings[partition], *text);
}
