/*
 * Boot modules as the loaders read them: an error names the line of the configuration that asked for the module, and
 * nothing outside the module is read or outside the RAM written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/loader_image.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/fake_guest.h"

#define MEMORY (64 * KIB)
#define SPLIT  0x8000u

static char text[512];
static size_t used;

static void put(struct sink *self, const char *bytes, size_t length)
{
    (void)self;
    assert_true(length < sizeof text - used);
    memcpy(text + used, bytes, length);
    used += length;
    text[used] = '\0';
}

static struct sink sink = {put};
static struct loader_image image;

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, MEMORY, SPLIT);
    memset(fake_guest_module("one", 0x2000), 0x11, 0x2000);
    fake_guest_module("two", 16);
    fake_guest.config.place = (struct config_place){.line = 3, .column = 1};
    used = 0;
    text[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_guest_teardown();
    return 0;
}

static bool open_as(int index, const char *role)
{
    used = 0;
    text[0] = '\0';
    return loader_image_open(&fake_guest.plan, &fake_guest.machine, index, role, &sink, &image);
}

static void expect_error(const char *role, int index, const char *expected)
{
    assert_true(open_as(index, role));
    assert_false(loader_image_error(&image, "is %u", 7u));
    assert_string_equal(text, expected);
}

static void an_error_names_the_line(void **state)
{
    (void)state;
    struct config_partition *config = &fake_guest.config;
    expect_error("kernel", 0, "partition 'p': kernel 'one' is 7\n"); /* no text, as in these tests: no place */
    config->file = "box.conf";
    expect_error("kernel", 0, "box.conf:3:1: partition 'p': kernel 'one' is 7\n");
    config->kernel.place = (struct config_place){.line = 5, .column = 10};
    config->initrd.place = (struct config_place){.line = 6, .column = 11};
    config->module_count = 1;
    config->modules[0].text = (struct slice){"two", 3};
    config->modules[0].place = (struct config_place){.line = 7, .column = 12};
    expect_error("kernel", 0, "box.conf:5:10: partition 'p': kernel 'one' is 7\n");
    expect_error("initrd", 0, "box.conf:6:11: partition 'p': initrd 'one' is 7\n");
    expect_error("module", 1, "box.conf:7:12: partition 'p': module 'two' is 7\n");
    expect_error("module", 0, "box.conf:3:1: partition 'p': module 'one' is 7\n"); /* no key names it */
}

static void only_modules_that_are_there(void **state)
{
    (void)state;
    assert_false(open_as(-1, "kernel"));
    assert_string_equal(text, "partition 'p': kernel is boot module -1, expected one of the 2 that there are\n");
    assert_false(open_as(2, "kernel"));
    fake_guest.machine.modules[1].range = (struct range){UINT64_MAX - 1, 3};
    assert_false(open_as(1, "kernel"));
    assert_string_equal(text, "partition 'p': kernel 'two' passes the end of the address space (0x3 bytes at "
                              "0xfffffffffffffffe)\n");
}

static void only_bytes_of_the_module_are_read(void **state)
{
    (void)state;
    uint8_t bytes[4] = {0};
    assert_true(open_as(0, "kernel"));
    assert_true(loader_image_read(&image, 0x1ffc, bytes, 4));
    assert_int_equal(bytes[3], 0x11);
    assert_false(loader_image_read(&image, 0x1ffd, bytes, 4));
    assert_false(loader_image_read(&image, UINT64_MAX, bytes, 4));
    assert_false(loader_image_copy(&image, (struct range){0x1000, 0x1001}, gpa(0)));
    assert_string_equal(text, "partition 'p': kernel 'one' has 8192 bytes, expected 4097 at offset 0x1000\n");
}

/* Across the chunks' border, which is none for the guest; and not one byte past the end. */
static void only_ram_is_written(void **state)
{
    (void)state;
    uint8_t found[0x2001], expected[0x2001];
    memset(expected, 0x11, 0x2000);
    expected[0x2000] = 0;
    assert_true(open_as(0, "kernel"));
    assert_true(loader_image_copy(&image, (struct range){0, 0x2000}, gpa(SPLIT - 0x1000)));
    fake_guest_read(SPLIT - 0x1000, found, sizeof found);
    assert_memory_equal(found, expected, sizeof found);
    assert_false(loader_image_copy(&image, (struct range){0, 0x2000}, gpa(MEMORY - 0x1fff)));
    assert_string_equal(text, "partition 'p': kernel 'one' does not fit: no RAM for 8192 bytes at 0xe001\n");
    used = 0;
    assert_false(loader_image_copy(&image, (struct range){0, 0x2000}, gpa(UINT64_MAX - 0xfff)));
    fake_guest_hole(0x3000);
    used = 0;
    assert_false(loader_image_copy(&image, (struct range){0, 0x2000}, gpa(0x2800)));
    fake_guest_read(0x2800, found, 1);
    assert_int_equal(found[0], 0); /* all or nothing */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_error_names_the_line),
        TEST(only_modules_that_are_there),
        TEST(only_bytes_of_the_module_are_read),
        TEST(only_ram_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
