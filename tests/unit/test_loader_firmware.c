/* Firmware images: where they go, how the guest starts, what the CMOS RAM says, and each way to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/loader.h"

#include <stdlib.h>
#include <string.h>

#include "core/linux_boot.h"
#include "drivers/virt/platform.h"
#include "tests/unit/fake_guest.h"

#define MEMORY     (4 * MIB)
#define SPLIT      0x201000u
#define IMAGE_SIZE 0x50000u /* 320 KiB: larger than the shadow */

static uint8_t *image;

/* The memory of the image lies behind RAM on the host: fake_guest has it as the last part of chunk 1. */
static void move_firmware(uint64_t size)
{
    struct plan_partition *plan = &fake_guest.plan;
    plan->chunks[1].size -= size;
    plan->chunks[2] =
        (struct plan_chunk){gpa(4 * GIB - size), hpa(plan->chunks[1].hpa.raw + plan->chunks[1].size), size};
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
    static struct ring ring;
    platform_reset(fake_guest.partition.platform, &ring, true, true, 1000000000);
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
    expect_bytes(0xc0000, image + IMAGE_SIZE - 0x40000, 0x40000);
    uint8_t zero[0x20000] = {0};
    expect_bytes(0xa0000, zero, sizeof zero);
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

/* What the firmware reads of an item: `size` bytes. */
static void read_item(uint16_t key, uint8_t *to, size_t size)
{
    struct platform_outcome outcome;
    struct bus_access select = {.address = 0x510, .size = 2, .write = true, .value = key};
    assert_true(platform_port(fake_guest.partition.platform, &select, 0, &outcome));
    for (size_t i = 0; i < size; i++) {
        struct bus_access data = {.address = 0x511, .size = 1};
        assert_true(platform_port(fake_guest.partition.platform, &data, 0, &outcome));
        to[i] = (uint8_t)data.value;
    }
}

static uint32_t number_item(uint16_t key)
{
    uint8_t bytes[4];
    read_item(key, bytes, sizeof bytes);
    return load32(bytes);
}

/* Its key when the directory's file number `index` has this name. */
static uint16_t file_key(unsigned index, const char *name)
{
    static uint8_t directory[4 + 8 * 64];
    read_item(0x19, directory, sizeof directory);
    const uint8_t *file = directory + 4 + (size_t)index * 64;
    assert_true(index < directory[3]);
    assert_string_equal((const char *)file + 8, name);
    return (uint16_t)(file[4] << 8 | file[5]);
}

static void use_modules(unsigned count)
{
    static const char *const names[] = {"m0", "m1", "m2"};
    fake_guest.config.module_count = count;
    for (unsigned i = 0; i < count; i++) {
        fake_guest.plan.modules[i] = (int)(1 + i);
        fake_guest.config.modules[i].text = (struct slice){names[i], 2};
    }
}

/* A kernel with two sectors of setup code behind the boot sector. */
static uint8_t *add_kernel(const char *name)
{
    uint8_t *kernel = fake_guest_module(name, 3 * 512 + 1000);
    for (unsigned i = 0; i < 3 * 512 + 1000; i++)
        kernel[i] = (uint8_t)(i * 3 + (i >> 8));
    struct linux_setup_header *header = (struct linux_setup_header *)(kernel + LINUX_HEADER_OFFSET);
    header->setup_sects = 2;
    header->boot_flag = LINUX_BOOT_FLAG;
    header->magic = LINUX_MAGIC;
    header->version = 0x207;
    header->loadflags = 1;
    return kernel;
}

static void tells_cpus_and_console(void **state)
{
    (void)state;
    fake_guest.partition.vcpu_count = 3;
    load_or_fail();
    assert_int_equal(number_item(0x05), 3);
    assert_int_equal(number_item(0x0f), 3);
    assert_int_equal(number_item(file_key(0, "etc/sercon-port")), 0x3f8);
}

static void without_console_there_is_no_file(void **state)
{
    (void)state;
    fake_guest.config.console = CONSOLE_NONE;
    load_or_fail();
    assert_int_equal(number_item(0x19), 0);
}

static void hands_over_modules_by_kind(void **state)
{
    (void)state;
    uint8_t *rom = fake_guest_module("m0", 600), *file = fake_guest_module("m1", 7), found[600];
    memcpy(rom, "\x55\xaa rom", 6);
    memcpy(file, "content", 7);
    uint8_t *kernel = add_kernel("m2");
    use_modules(3);
    fake_guest_cmdline("a b");
    load_or_fail();
    read_item(file_key(1, "genroms/m0"), found, sizeof found);
    assert_memory_equal(found, rom, sizeof found);
    read_item(file_key(2, "opt/m1"), found, 8);
    assert_memory_equal(found, "content", 8);
    assert_int_equal(number_item(0x17), 3 * 512);
    assert_int_equal(number_item(0x16), 0x10000);
    assert_int_equal(number_item(0x08), 1000);
    assert_int_equal(number_item(0x07), 0x100000);
    assert_int_equal(number_item(0x13), 0x20000);
    assert_int_equal(number_item(0x14), 4);
    read_item(0x15, found, 4);
    assert_memory_equal(found, "a b", 4);
    read_item(0x11, found, sizeof found);
    assert_memory_equal(found, kernel + 3 * 512, sizeof found);
}

static void fills_in_the_setup_header(void **state)
{
    (void)state;
    uint8_t *kernel = add_kernel("m0"), expected[3 * 512], found[sizeof expected];
    memcpy(expected, kernel, sizeof expected);
    struct linux_setup_header *header = (struct linux_setup_header *)(expected + LINUX_HEADER_OFFSET);
    header->type_of_loader = 0xff;
    header->loadflags = 0x81;
    header->heap_end_ptr = 0xfe00;
    header->cmd_line_ptr = 0x20000;
    use_modules(1);
    load_or_fail();
    read_item(0x18, found, sizeof found);
    assert_memory_equal(found, expected, sizeof found);
    assert_int_equal(number_item(0x14), 1); /* no command line: its terminator */
    assert_int_equal(number_item(0x15), 0);
}

static void refuses_bad_kernels(void **state)
{
    (void)state;
    uint8_t *kernel = add_kernel("m0");
    struct linux_setup_header *header = (struct linux_setup_header *)(kernel + LINUX_HEADER_OFFSET);
    use_modules(1);
    header->version = 0x201;
    expect_error(
        "partition 'p': module 'm0' has boot protocol 2.01, loadflags 0x1, expected 2.02 or later and a kernel "
        "that is loaded high\n");
    header->version = 0x202;
    header->loadflags = 0x80;
    assert_false(fake_guest_check());
    header->loadflags = 1;
    header->setup_sects = 4;
    expect_error("partition 'p': module 'm0' is truncated: 2536 bytes, its setup code alone has 2560\n");
    header->setup_sects = 2;
    add_kernel("m1");
    use_modules(2);
    expect_error("partition 'p': module 'm1' is a second kernel, expected one at most\n");
}

static void refuses_bad_modules(void **state)
{
    (void)state;
    fake_guest_module("m0", 16);
    use_modules(1);
    fake_guest.plan.modules[0] = 7;
    expect_error("partition 'p': module is boot module 7, expected one of the 2 that there are\n");
    fake_guest.plan.modules[0] = 1;
    fake_guest.machine.modules[1].range.size = 4 * GIB;
    expect_error("partition 'p': module 'm0' is too large: 4294967296 bytes, expected less than 4 GiB\n");
}

/* However much of the configuration device is taken, all of it is handed over or one line says what does not fit. */
static void says_what_does_not_fit(void **state)
{
    (void)state;
    static struct ring ring;
    static const char last[] = "partition 'p': module 'm0' does not fit into the firmware's configuration\n";
    struct platform *platform = fake_guest.partition.platform;
    unsigned refused = 0;
    fake_guest_module("m1", 16);
    add_kernel("m0");
    use_modules(2);
    for (uint16_t taken = 0; taken <= FW_CFG_MAX_ITEMS; taken++) {
        platform_reset(platform, &ring, true, true, 1000000000);
        for (uint16_t i = 0; i < taken; i++)
            assert_true(platform_add_firmware(platform, &(struct firmware_item){.key = (uint16_t)(0x40 + i)}));
        bool loaded = fake_guest_load();
        const char *errors = fake_guest_errors();
        assert_int_equal(loaded, errors[0] == '\0');
        assert_false(loaded && refused != 0);
        refused += !loaded;
        if (refused == 1)
            assert_string_equal(errors, last); /* what comes last is the first not to fit */
        if (!loaded)
            assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1);
    }
    assert_string_equal(fake_guest_errors(), "partition 'p': no room in the firmware's configuration\n");
    assert_in_range(refused, 12, 14); /* CPUs twice, console, a file, a kernel's nine */
}

/* "If [setup_sects] is 0, the real value is 4" (Linux documentation, "The Real-Mode Kernel Header"). */
static void no_setup_sectors_are_four(void **state)
{
    (void)state;
    uint8_t *kernel = add_kernel("m0");
    ((struct linux_setup_header *)(kernel + LINUX_HEADER_OFFSET))->setup_sects = 0;
    use_modules(1);
    expect_error("partition 'p': module 'm0' is truncated: 2536 bytes, its setup code alone has 2560\n");
    fake_guest.machine.modules[1].range.size = 2561;
    load_or_fail();
    assert_int_equal(number_item(0x17), 2560);
    assert_int_equal(number_item(0x08), 1);
}

/* Only both signatures make a kernel; a file that has one of them is a file. */
static void half_a_signature_is_a_file(void **state)
{
    (void)state;
    uint8_t *kernel = add_kernel("m0");
    struct linux_setup_header *header = (struct linux_setup_header *)(kernel + LINUX_HEADER_OFFSET);
    use_modules(1);
    header->boot_flag = 0;
    load_or_fail();
    (void)file_key(1, "opt/m0");
    header->boot_flag = LINUX_BOOT_FLAG;
    header->magic = 0;
    load_or_fail();
    (void)file_key(1, "opt/m0");
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
                        "partition 'p': kernel 'bios.bin' does not fit: no RAM for 327680 bytes at 0xfffb0000\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lies_below_4_gib_and_1_mib),
        TEST(starts_at_the_reset_vector),
        TEST(a_small_image_has_a_small_shadow),
        TEST(the_cmos_ram_knows_memory_and_cpus),
        TEST(tells_cpus_and_console),
        TEST(without_console_there_is_no_file),
        TEST(hands_over_modules_by_kind),
        TEST(fills_in_the_setup_header),
        TEST(refuses_bad_kernels),
        TEST(says_what_does_not_fit),
        TEST(no_setup_sectors_are_four),
        TEST(half_a_signature_is_a_file),
        TEST(refuses_bad_modules),
        TEST(refuses_bad_sizes),
        TEST(refuses_too_little_memory),
        TEST(refuses_direct_interrupts),
        TEST(says_when_the_plan_has_no_memory_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
