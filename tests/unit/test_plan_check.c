/* The plan's checker against every promise broken on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/plan_box.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(checker_sees_firmware_out_of_place),
        TEST(checker_sees_cpus),
        TEST(checker_sees_a_cpu_twice_in_one_partition),
        TEST(checker_sees_modules),
        TEST(checker_sees_host_memory),
        TEST(checker_sees_a_byte_twice_in_one_partition),
        TEST(checker_sees_guest_layout),
        TEST(checker_sees_malformed_chunks),
        TEST(checker_sees_guest_addresses_too_high),
        TEST(checker_sees_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
