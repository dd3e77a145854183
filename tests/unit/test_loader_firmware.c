/* Firmware images: where they go, how the guest starts, what the CMOS RAM says, and each way to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/loader.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/virt/platform.h"
#include "tests/unit/fake_guest.h"

#define MEMORY     (4 * MIB)
#define SPLIT      0x201000u
#define IMAGE_SIZE 0x30000u /* 192 KiB: larger than the shadow */

static uint8_t *image;

/* The memory of the image lies behind RAM on the host: fake_guest has it as the last part of chunk 1. */
static void move_firmware(uint64_t size)
{
    struct plan_partition *plan = &fake_guest.plan;
    plan->chunks[1].size -= size;
    plan->chunks[2] = (struct plan_chunk){gpa(4 * GIB - size), hpa(plan->chunks[1].hpa.raw + plan->chunks[1].size), size};
    plan->chunk_count = 3;
    fake_guest.config.memory -= size;
}

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FIRMWARE, MEMORY + IMAGE_SIZE, SPLIT);
    move_firmware(IMAGE_SIZE);
    fake_guest.plan.virtual_interrupts = true;
    fake_guest.partition.platform = calloc(1, platform_size());
    static struct ring ring;
    platform_reset(fake_guest.partition.platform, &ring, true, true, 1000000000);
    image = fake_guest_module("bios.bin", IMAGE_SIZE);
    for (unsigned i = 0; i < IMAGE_SIZE; i++)
        image[i] = (uint8_t)(i * 13 + (i >> 8) + 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(fake_guest.partition.platform);
    fake_guest_teardown();
    return 0;
}

static void expect_error(const char *text)
{
    assert_false(fake_guest_check());
    assert_string_equal(fake_guest_errors(), text);
    assert_false(fake_guest_load());
    assert_string_equal(fake_guest_errors(), text);
}

static void load_or_fail(void)
{
    if (!fake_guest_check() || !fake_guest_load())
        fail_msg("%s", fake_guest_errors());
    assert_string_equal(fake_guest_errors(), "");
}

static void expect_bytes(uint64_t at, const uint8_t *bytes, size_t size)
{
    static uint8_t found[IMAGE_SIZE];
    fake_guest_read(at, found, size);
    assert_memory_equal(found, bytes, size);
}

static void lies_below_4_gib_and_1_mib(void **state)
{
    (void)state;
    load_or_fail();
    expect_bytes(4 * GIB - IMAGE_SIZE, image, IMAGE_SIZE);
    expect_bytes(0xe0000, image + IMAGE_SIZE - 0x20000, 0x20000);
    uint8_t zero[0x20000] = {0};
    expect_bytes(0xc0000, zero, sizeof zero);
    expect_bytes(0x100000, zero, sizeof zero);
}

static void starts_at_the_reset_vector(void **state)
{
    (void)state;
    load_or_fail();
    assert_int_equal(fake_guest.entry.mode, VCPU_MODE_REAL);
    assert_int_equal(fake_guest.entry.cs_selector, 0xf000);
    assert_int_equal(fake_guest.entry.cs_base, 0xffff0000);
    assert_int_equal(fake_guest.entry.rip, 0xfff0);
    for (int i = 0; i < GPRS; i++)
        assert_int_equal(fake_guest.entry.gpr[i], 0);
}

static void a_small_image_has_a_small_shadow(void **state)
{
    (void)state;
    fake_guest.machine.modules[0].range.size = 0x10000;
    load_or_fail();
    expect_bytes(4 * GIB - 0x10000, image, 0x10000);
    expect_bytes(0xf0000, image, 0x10000);
    uint8_t zero[0x10000] = {0};
    expect_bytes(0xe0000, zero, sizeof zero);
}

static uint8_t cmos(uint8_t index)
{
    struct platform_outcome outcome;
    struct bus_access select = {.address = 0x70, .size = 1, .write = true, .value = index};
    struct bus_access data = {.address = 0x71, .size = 1};
    assert_true(platform_port(fake_guest.partition.platform, &select, 0, &outcome));
    assert_true(platform_port(fake_guest.partition.platform, &data, 0, &outcome));
    return (uint8_t)data.value;
}

static void the_cmos_ram_knows_memory_and_cpus(void **state)
{
    (void)state;
    fake_guest.partition.vcpu_count = 2;
    load_or_fail();
    assert_int_equal(cmos(0x15) | cmos(0x16) << 8, 640);
    assert_int_equal(cmos(0x17) | cmos(0x18) << 8, 3 * 1024);
    assert_int_equal(cmos(0x30) | cmos(0x31) << 8, 3 * 1024);
    assert_int_equal(cmos(0x34) | cmos(0x35) << 8, 0);
    assert_int_equal(cmos(0x5b) | cmos(0x5c) << 8 | cmos(0x5d) << 16, 0);
    assert_int_equal(cmos(0x5f), 1);
}

static void refuses_bad_sizes(void **state)
{
    (void)state;
    struct range *range = &fake_guest.machine.modules[0].range;
    range->size = 15;
    expect_error("partition 'p': kernel 'bios.bin' is no firmware: 15 bytes, expected 16 to 16777216\n");
    range->size = 16 * MIB + 1;
    expect_error("partition 'p': kernel 'bios.bin' is no firmware: 16777217 bytes, expected 16 to 16777216\n");
}

static void refuses_too_little_memory(void **state)
{
    (void)state;
    fake_guest.config.memory = MIB - PAGE_SIZE;
    expect_error("partition 'p': kernel 'bios.bin' does not fit: it needs RAM up to 0x100000, there is RAM up to "
                 "0xff000\n");
}

static void refuses_direct_interrupts(void **state)
{
    (void)state;
    fake_guest.plan.virtual_interrupts = false;
    expect_error("partition 'p': kernel 'bios.bin' is firmware, which needs interrupts = virtual\n");
}

static void says_when_the_plan_has_no_memory_for_it(void **state)
{
    (void)state;
    fake_guest.plan.chunk_count = 2;
    assert_false(fake_guest_load());
    assert_string_equal(fake_guest_errors(),
                        "partition 'p': kernel 'bios.bin' does not fit: no RAM for 196608 bytes at 0xfffd0000\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lies_below_4_gib_and_1_mib),
        TEST(starts_at_the_reset_vector),
        TEST(a_small_image_has_a_small_shadow),
        TEST(the_cmos_ram_knows_memory_and_cpus),
        TEST(refuses_bad_sizes),
        TEST(refuses_too_little_memory),
        TEST(refuses_direct_interrupts),
        TEST(says_when_the_plan_has_no_memory_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
