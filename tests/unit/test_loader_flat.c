/* Flat images, the dispatch by protocol, and copying across chunks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/loader.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/fake_guest.h"

#define MEMORY (2 * MIB)
#define SPLIT  0x101000u

static uint8_t *image;

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, MEMORY, SPLIT);
    image = fake_guest_module("demo", 0x3000);
    for (unsigned i = 0; i < 0x3000; i++)
        image[i] = (uint8_t)(i * 7 + (i >> 8));
    fake_guest.config.load = 0x100000;
    fake_guest.config.entry = 0x100010;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
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

static void loads_across_chunks(void **state)
{
    (void)state;
    uint8_t found[0x3000];
    assert_true(fake_guest_check());
    assert_true(fake_guest_load());
    assert_string_equal(fake_guest_errors(), "");
    fake_guest_read(0x100000, found, sizeof found);
    assert_memory_equal(found, image, sizeof found);
    assert_int_equal(fake_guest.entry.mode, VCPU_MODE_FLAT32);
    assert_int_equal(fake_guest.entry.rip, 0x100010);
    assert_int_equal(fake_guest.entry.cs_selector, 0x10);
    assert_int_equal(fake_guest.entry.ds_selector, 0x18);
    for (int i = 0; i < GPRS; i++)
        assert_int_equal(fake_guest.entry.gpr[i], 0);
}

static void writes_nothing_around(void **state)
{
    (void)state;
    static uint8_t ram[MEMORY];
    assert_true(fake_guest_load());
    fake_guest_read(0, ram, sizeof ram);
    for (size_t i = 0; i < sizeof ram; i++)
        if ((i < 0x100000 || i >= 0x103000) && ram[i] != 0)
            fail_msg("0x%x at 0x%zx", ram[i], i);
}

static void fills_ram_to_the_last_byte(void **state)
{
    (void)state;
    fake_guest.config.load = fake_guest.config.entry = MEMORY - 0x3000;
    assert_true(fake_guest_check());
    assert_true(fake_guest_load());
    fake_guest.config.load = 0;
    fake_guest.config.entry = 0x2fff;
    assert_true(fake_guest_check());
    assert_true(fake_guest_load());
}

static void refuses_what_passes_ram(void **state)
{
    (void)state;
    fake_guest.config.load = MEMORY - 0x2fff;
    expect_error("partition 'p': kernel 'demo' does not fit: 12288 bytes at load address 0x1fd001, RAM is 0x0 to "
                 "0x200000\n");
    fake_guest.config.load = UINT64_MAX - 0x10;
    expect_error(
        "partition 'p': kernel 'demo' does not fit: 12288 bytes at load address 0xffffffffffffffef, RAM is 0x0 "
        "to 0x200000\n");
}

static void refuses_load_above_the_hole(void **state)
{
    (void)state;
    fake_guest.config.memory = 8 * GIB;
    fake_guest.config.load = fake_guest.config.entry = 5 * GIB;
    assert_false(fake_guest_check());
    assert_string_equal(fake_guest_errors(), "partition 'p': kernel 'demo' does not fit: 12288 bytes at load address "
                                             "0x140000000, RAM is 0x0 to 0xc0000000\n");
}

static void refuses_entry_outside(void **state)
{
    (void)state;
    fake_guest.config.entry = 0x103000;
    expect_error(
        "partition 'p': kernel 'demo' has its entry at 0x103000, expected an address of the image, 0x100000 to "
        "0x103000\n");
    fake_guest.config.entry = 0xfffff;
    assert_false(fake_guest_check());
}

static void refuses_empty_image(void **state)
{
    (void)state;
    fake_guest.machine.modules[0].range.size = 0;
    expect_error("partition 'p': kernel 'demo' is empty, expected at least one byte\n");
}

static void refuses_unknown_module(void **state)
{
    (void)state;
    fake_guest.plan.kernel = 1;
    expect_error("partition 'p': kernel is boot module 1, expected one of the 1 that there are\n");
    fake_guest.plan.kernel = PLAN_NO_MODULE;
    expect_error("partition 'p': kernel is boot module -1, expected one of the 1 that there are\n");
}

static void refuses_module_that_wraps(void **state)
{
    (void)state;
    fake_guest.machine.modules[0].range = (struct range){UINT64_MAX - 10, 100};
    expect_error(
        "partition 'p': kernel 'demo' passes the end of the address space (0x64 bytes at 0xfffffffffffffff5)\n");
}

static void says_when_the_plan_has_less_ram(void **state)
{
    (void)state;
    fake_guest.plan.chunks[1].size = 0x1000; /* the image's last page is gone */
    assert_false(fake_guest_load());
    assert_string_equal(fake_guest_errors(),
                        "partition 'p': kernel 'demo' does not fit: no RAM for 12288 bytes at 0x100000\n");
    uint8_t first;
    fake_guest_read(0x100001, &first, 1);
    assert_int_equal(first, 0); /* nothing copied */
}

static void refuses_unknown_protocol(void **state)
{
    (void)state;
    fake_guest.config.boot = (enum boot_protocol)6;
    expect_error("partition 'p': boot protocol 6 is not known\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loads_across_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_nothing_around, setup, teardown),
        cmocka_unit_test_setup_teardown(fills_ram_to_the_last_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_passes_ram, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_load_above_the_hole, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_entry_outside, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_empty_image, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_unknown_module, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_module_that_wraps, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_the_plan_has_less_ram, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_unknown_protocol, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
