/* The plan: what is built, what is refused and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/plan_box.h"

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
        TEST(memory_of_an_impossible_size),
        TEST(memory_in_too_many_pieces),
        TEST(memory_with_no_guest_address),
        TEST(console_cpu_that_is_not_there),
        TEST(refused_configuration_is_skipped_in_silence),
        TEST(others_do_not_move_when_one_is_refused),
        TEST(refused_partition_keeps_no_memory_from_others),
        TEST(each_refused_partition_is_one_line),
        TEST(as_many_partitions_as_a_configuration_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
