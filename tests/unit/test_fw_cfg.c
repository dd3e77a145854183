/* The firmware configuration device, byte by byte through its ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/fw_cfg.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/fake_phys.h"

#define HOST      0x40000000u
#define HOST_SIZE 0x1000u

static struct fw_cfg cfg;
static uint8_t *module;

static int setup(void **state)
{
    (void)state;
    fake_phys_setup(HOST, HOST_SIZE);
    module = fake_phys_at(HOST, HOST_SIZE);
    for (unsigned i = 0; i < HOST_SIZE; i++)
        module[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
    memset(&cfg, 0xa5, sizeof cfg);
    fw_cfg_reset(&cfg);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_phys_teardown();
    return 0;
}

static void access(uint64_t offset, uint8_t size, bool write, uint64_t *value)
{
    struct bus_access a = {.address = FW_CFG_PORT + offset, .size = size, .write = write, .value = *value};
    fw_cfg_access(&cfg, offset, &a);
    *value = a.value;
}

static void select_item(uint16_t key)
{
    uint64_t value = key;
    access(0, 2, true, &value);
}

static uint8_t next(void)
{
    uint64_t value = 0xdeadbeef;
    access(1, 1, false, &value);
    assert_true(value <= 0xff);
    return (uint8_t)value;
}

static void expect(uint16_t key, const void *bytes, size_t size)
{
    const uint8_t *expected = bytes;
    select_item(key);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(next(), expected[i]);
}

static bool add(uint16_t key, const char *name, const void *bytes, uint32_t size)
{
    return fw_cfg_add(&cfg, &(struct firmware_item){.key = key, .name = name, .bytes = bytes, .size = size});
}

static bool add_module(uint16_t key, const char *name, uint32_t at, uint32_t size)
{
    return fw_cfg_add(&cfg, &(struct firmware_item){.key = key, .name = name, .host = hpa(HOST + at), .size = size});
}

/* QEMU, "QEMU Firmware Configuration (fw_cfg) Device": a selected key that is not there reads 0. */
static void without_items_nothing_is_there(void **state)
{
    (void)state;
    uint64_t value = 0;
    select_item(0);
    access(1, 1, false, &value);
    assert_int_equal(value, 0xff);
    access(0, 2, false, &value);
    assert_int_equal(value, 0xffff);
}

/* "Signature (Key 0x0000)", "Revision / feature bitmap (Key 0x0001)". */
static void shows_itself(void **state)
{
    (void)state;
    assert_true(add(5, NULL, "\2", 2));
    expect(0, "QEMU\0\0", 6);
    expect(1, "\1\0\0\0\0", 5); /* ports, no DMA */
    expect(0x4242, "\0\0\0", 3);
}

/* "Data Register": the next byte of the item; 0 after its end. */
static void items_of_every_kind(void **state)
{
    (void)state;
    static const char text[] = "a text that is longer than eight bytes";
    uint32_t number = 0x12345678;
    assert_true(add(0x16, NULL, &number, 4));
    assert_true(add(0x15, NULL, text, sizeof text - 1));
    assert_true(add_module(0x11, NULL, 0x123, 0x400));
    assert_true(add(0x12, NULL, "", 0));
    number = 0; /* small ones are copied */
    expect(0x16, "\x78\x56\x34\x12\0\0", 6);
    expect(0x15, text, sizeof text);
    expect(0x11, module + 0x123, 0x400);
    assert_int_equal(next(), 0);
    expect(0x12, "\0\0", 2);
    expect(0x11, module + 0x123, 3); /* selecting begins anew */
}

static void the_window_follows_the_item(void **state)
{
    (void)state;
    assert_true(add_module(0x11, NULL, 0, 300));
    assert_true(add_module(0x18, NULL, 0x800, 300));
    for (unsigned round = 0; round < 3; round++) {
        expect(0x11, module, 300);
        expect(0x18, module + 0x800, 300);
    }
}

/* "File Directory (Key 0x0019)": big-endian, name of 56 bytes. */
static void lists_its_files(void **state)
{
    (void)state;
    uint8_t directory[4 + 2 * 64] = {0, 0, 0, 2};
    assert_true(add(5, NULL, "\1", 2));
    assert_true(add(0, "etc/sercon-port", "\xf8\3", 2));
    assert_true(add_module(0, "genroms/rom", 0, 0x321));
    memcpy(directory + 4, "\0\0\0\2\0\x20\0\0etc/sercon-port", 8 + 15);
    memcpy(directory + 4 + 64, "\0\0\3\x21\0\x21\0\0genroms/rom", 8 + 11);
    expect(0x19, directory, sizeof directory);
    assert_int_equal(next(), 0);
    expect(0x20, "\xf8\3\0", 3);
    expect(0x21, module, 0x321);
}

static void patches_change_what_is_read(void **state)
{
    (void)state;
    assert_true(add_module(0x18, NULL, 0, 16));
    assert_true(fw_cfg_patch(&cfg, 0x18, 2, 0xff));
    assert_true(fw_cfg_patch(&cfg, 0x11, 3, 0xee)); /* another item */
    uint8_t expected[16];
    memcpy(expected, module, sizeof expected);
    expected[2] = 0xff;
    expect(0x18, expected, sizeof expected);
    assert_int_equal(module[2], (uint8_t)15); /* the module itself is only read */
    for (unsigned i = 2; i < FW_CFG_MAX_PATCHES; i++)
        assert_true(fw_cfg_patch(&cfg, 0x18, i, 0));
    assert_false(fw_cfg_patch(&cfg, 0x18, 0, 0));
}

static void refuses_what_has_no_room(void **state)
{
    (void)state;
    char name[FW_CFG_NAME_SIZE + 1] = "";
    memset(name, 'x', FW_CFG_NAME_SIZE);
    assert_false(add(0, name, "", 0));
    name[FW_CFG_NAME_SIZE - 1] = '\0';
    assert_true(add(0, name, "", 0));
    assert_true(add(5, NULL, "\1", 2));
    assert_false(add(5, NULL, "\2", 2));
    expect(5, "\1", 2);
    for (uint16_t i = 2; i < FW_CFG_MAX_ITEMS; i++)
        assert_true(add((uint16_t)(0x100 + i), NULL, "x", 1));
    assert_false(add(0x200, NULL, "x", 1));
}

static void ignores_other_accesses(void **state)
{
    (void)state;
    assert_true(add(5, NULL, "ab", 2));
    select_item(5);
    uint64_t value = 0;
    access(0, 1, true, &value);
    access(1, 1, true, &value);
    access(0, 2, false, &value);
    assert_int_equal(value, 0);
    access(0, 1, false, &value);
    assert_int_equal(value, 0);
    assert_int_equal(next(), 'a');
}

/* "Data Register": reads past the end give 0. */
static void stays_at_the_end(void **state)
{
    (void)state;
    assert_true(add(5, NULL, "ab", 2));
    select_item(5);
    cfg.offset = UINT32_MAX;
    assert_int_equal(next(), 0);
    assert_int_equal(next(), 0); /* it does not begin anew */
    assert_int_equal(cfg.offset, UINT32_MAX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_items_nothing_is_there), TEST(shows_itself),           TEST(items_of_every_kind),
        TEST(the_window_follows_the_item),    TEST(lists_its_files),        TEST(patches_change_what_is_read),
        TEST(refuses_what_has_no_room),       TEST(ignores_other_accesses), TEST(stays_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
