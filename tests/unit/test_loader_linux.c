/* Linux bzImage: a small one, correct, then wrong in one thing at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/loader.h"

#include <stdlib.h>
#include <string.h>

#include "core/acpi_tables.h"
#include "core/linux_boot.h"
#include "tests/unit/fake_guest.h"

#define MEMORY     (32 * MIB)
#define SPLIT      0x1001000u /* inside the kernel */
#define CODE_SIZE  0x4000u
#define SETUP_SIZE 0x600u
#define IMAGE_SIZE (SETUP_SIZE + CODE_SIZE)
#define ZERO_PAGE  0x10000u
#define CMDLINE    0x20000u

static uint8_t *image;
static struct linux_setup_header *header;

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_LINUX, MEMORY, SPLIT);
    image = fake_guest_module("vmlinuz", IMAGE_SIZE);
    for (unsigned i = 0; i < IMAGE_SIZE; i++)
        image[i] = (uint8_t)(i * 13 + (i >> 8) + 1);
    header = (struct linux_setup_header *)(image + LINUX_HEADER_OFFSET);
    *header = (struct linux_setup_header){
        .setup_sects = 2,
        .syssize = CODE_SIZE / 16,
        .boot_flag = 0xaa55,
        .jump_opcode = 0xeb,
        .jump_distance = 0x6a,
        .magic = LINUX_MAGIC,
        .version = 0x20f,
        .loadflags = 0xe1,
        .code32_start = 0x100000,
        .ramdisk_image = 0x12345,
        .ramdisk_size = 0x777,
        .initrd_addr_max = 0x7fffffff,
        .kernel_alignment = 0x200000,
        .relocatable_kernel = 1,
        .min_alignment = 21,
        .xloadflags = 0x7f,
        .cmdline_size = 2047,
        .payload_offset = 0x100,
        .payload_length = CODE_SIZE - 0x100,
        .setup_data = 0xdead,
        .pref_address = 0x1000000,
        .init_size = 0x100000,
        .later = {1, 2, 3, 4, 0x99},
    };
    fake_guest_cmdline("console=ttyS0 quiet");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_guest_teardown();
    return 0;
}

static uint8_t *add_initrd(uint64_t size)
{
    fake_guest.plan.initrd = (int)fake_guest.machine.module_count;
    uint8_t *bytes = fake_guest_module("initrd", size);
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 11 + 5);
    return bytes;
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

static void starts_at_the_32_bit_entry(void **state)
{
    (void)state;
    load_or_fail();
    const struct vcpu_entry *entry = &fake_guest.entry;
    assert_int_equal(entry->mode, VCPU_MODE_FLAT32);
    assert_int_equal(entry->cs_selector, 0x10);
    assert_int_equal(entry->ds_selector, 0x18);
    assert_int_equal(entry->rip, 0x1000000);
    for (int i = 0; i < GPRS; i++)
        assert_int_equal(entry->gpr[i], i == GPR_RSI ? ZERO_PAGE : 0);
}

static void puts_a_gdt_where_gdtr_points_at_power_on(void **state)
{
    (void)state;
    uint64_t gdt[4];
    load_or_fail();
    fake_guest_read(0, gdt, sizeof gdt);
    assert_int_equal(gdt[0], 0);
    assert_int_equal(gdt[1], 0);
    assert_int_equal(gdt[2], 0x00cf9b000000ffff);
    assert_int_equal(gdt[3], 0x00cf93000000ffff);
}

static void copies_the_code_and_only_that(void **state)
{
    (void)state;
    static uint8_t ram[MEMORY - MIB];
    load_or_fail();
    fake_guest_read(MIB, ram, sizeof ram);
    uint64_t at = 0x1000000 - MIB;
    assert_memory_equal(ram + at, image + SETUP_SIZE, CODE_SIZE);
    for (uint64_t i = 0; i < sizeof ram; i++)
        if (ram[i] != 0 && (i < at || i >= at + CODE_SIZE))
            fail_msg("0x%x at 0x%lx", ram[i], i + MIB);
}

static void fills_the_zero_page(void **state)
{
    (void)state;
    struct linux_zero_page page;
    load_or_fail();
    fake_guest_read(ZERO_PAGE, &page, sizeof page);
    assert_int_equal(page.header.magic, LINUX_MAGIC);
    assert_int_equal(page.header.version, 0x20f);
    assert_int_equal(page.header.setup_sects, 2);
    assert_int_equal(page.header.init_size, 0x100000);
    assert_int_equal(page.header.type_of_loader, 0xff);
    assert_int_equal(page.header.loadflags, 1);
    assert_int_equal(page.header.code32_start, 0x1000000);
    assert_int_equal(page.header.ramdisk_image, 0);
    assert_int_equal(page.header.ramdisk_size, 0);
    assert_int_equal(page.header.cmd_line_ptr, CMDLINE);
    assert_int_equal(page.header.setup_data, 0);
    assert_int_equal(page.acpi_rsdp_addr, GUEST_ACPI_BASE);
    /* the header ends at 0x202 + 0x6a: what lies behind in the image is code */
    assert_memory_equal(page.header.later, ((uint8_t[]){1, 2, 3, 4, 0, 0}), 6);

    uint8_t zero[0x331] = {0};
    assert_memory_equal(page.screen_and_bios, zero, sizeof page.screen_and_bios);
    assert_memory_equal(page.firmware_and_disks, zero, sizeof page.firmware_and_disks);
    assert_memory_equal(page.keyboard_and_sentinel, zero, sizeof page.keyboard_and_sentinel);
    assert_memory_equal(page.disk_signatures, zero, sizeof page.disk_signatures);
    assert_memory_equal(page.disk_data, zero, sizeof page.disk_data);
}

static void expect_range(const struct e820_entry *entry, uint64_t base, uint64_t end, uint32_t kind)
{
    assert_int_equal(entry->base, base);
    assert_int_equal(entry->size, end - base);
    assert_int_equal(entry->kind, kind);
}

static void tells_the_memory_map(void **state)
{
    (void)state;
    struct linux_zero_page page;
    load_or_fail();
    fake_guest_read(ZERO_PAGE, &page, sizeof page);
    assert_int_equal(page.e820_entries, 3);
    expect_range(&page.e820_table[0], 0, 0x9f000, E820_RAM);
    expect_range(&page.e820_table[1], 0xe0000, 0x100000, E820_RESERVED);
    expect_range(&page.e820_table[2], 0x100000, MEMORY, E820_RAM);
    assert_int_equal(page.e820_table[3].size, 0);
}

static void maps_memory_of_every_size(void **state)
{
    (void)state;
    struct e820_map map;
    e820_build(0, &map);
    assert_int_equal(map.count, 0);
    e820_build(0x8000, &map);
    assert_int_equal(map.count, 1);
    expect_range(&map.entries[0], 0, 0x8000, E820_RAM);
    e820_build(MIB, &map);
    assert_int_equal(map.count, 2);
    e820_build(3 * GIB, &map);
    assert_int_equal(map.count, 3);
    expect_range(&map.entries[2], MIB, 3 * GIB, E820_RAM);
    e820_build(3 * GIB + PAGE_SIZE, &map);
    assert_int_equal(map.count, 4);
    expect_range(&map.entries[2], MIB, 3 * GIB, E820_RAM);
    expect_range(&map.entries[3], 4 * GIB, 4 * GIB + PAGE_SIZE, E820_RAM);
    e820_build(UINT64_MAX, &map);
    assert_int_equal(map.count, 4);
    assert_true(map.entries[3].size <= UINT64_MAX - map.entries[3].base);
}

static void passes_the_command_line(void **state)
{
    (void)state;
    char line[32];
    load_or_fail();
    fake_guest_read(CMDLINE, line, sizeof line);
    assert_string_equal(line, "console=ttyS0 quiet");
    fake_guest.config.cmdline.text.length = 0;
    load_or_fail();
}

static bool contains(const uint8_t *bytes, size_t size, const void *wanted, size_t length)
{
    for (size_t i = 0; i + length <= size; i++)
        if (memcmp(bytes + i, wanted, length) == 0)
            return true;
    return false;
}

static void writes_acpi_tables(void **state)
{
    (void)state;
    char signature[8];
    fake_guest.vcpus[0].apic_id = 6;
    load_or_fail();
    fake_guest_read(GUEST_ACPI_BASE, signature, 8);
    assert_memory_equal(signature, "RSD PTR ", 8);
    uint8_t tables[1024];
    fake_guest_read(GUEST_ACPI_BASE, tables, sizeof tables);
    const uint8_t cpu[] = {0, 8, 0, 6, 1, 0, 0, 0}; /* the MADT's entry, with the vCPU's id */
    assert_true(contains(tables, sizeof tables, cpu, sizeof cpu));
    assert_true(contains(tables, sizeof tables, "COM1", 4));
    fake_guest.config.console = CONSOLE_NONE;
    load_or_fail();
    fake_guest_read(GUEST_ACPI_BASE, tables, sizeof tables);
    assert_false(contains(tables, sizeof tables, "COM1", 4));
}

static void puts_the_initrd_at_the_top(void **state)
{
    (void)state;
    struct linux_zero_page page;
    static uint8_t found[0x2345];
    uint8_t *initrd = add_initrd(sizeof found);
    load_or_fail();
    fake_guest_read(ZERO_PAGE, &page, sizeof page);
    assert_int_equal(page.header.ramdisk_image, MEMORY - 0x3000);
    assert_int_equal(page.header.ramdisk_size, sizeof found);
    fake_guest_read(MEMORY - 0x3000, found, sizeof found);
    assert_memory_equal(found, initrd, sizeof found);
}

static void obeys_initrd_addr_max(void **state)
{
    (void)state;
    struct linux_zero_page page;
    add_initrd(0x1000);
    header->initrd_addr_max = 0x1800fff; /* the last byte may lie there */
    load_or_fail();
    fake_guest_read(ZERO_PAGE, &page, sizeof page);
    assert_int_equal(page.header.ramdisk_image, 0x1800000);
    header->initrd_addr_max = 0x1800ffe;
    load_or_fail();
    fake_guest_read(ZERO_PAGE, &page, sizeof page);
    assert_int_equal(page.header.ramdisk_image, 0x17ff000);
    header->initrd_addr_max = UINT32_MAX;
    fake_guest.config.memory = 8 * GIB; /* low RAM ends at 3 GiB */
    assert_true(fake_guest_check());
}

static void refuses_an_initrd_without_room(void **state)
{
    (void)state;
    add_initrd(0x2000);
    header->init_size = 0xffe000;
    load_or_fail();
    header->init_size = 0xffe001;
    expect_error("partition 'p': initrd 'initrd' does not fit: 8192 bytes, there are 8191 between 0x1ffe001 and "
                 "0x2000000\n");
    header->init_size = 0x100000;
    header->initrd_addr_max = 0xfff;
    expect_error("partition 'p': initrd 'initrd' does not fit: 8192 bytes, there are 0 between 0x1100000 and 0x1000\n");
}

static void refuses_an_initrd_that_is_not_there(void **state)
{
    (void)state;
    fake_guest.plan.initrd = 1;
    expect_error("partition 'p': initrd is boot module 1, expected one of the 1 that there are\n");
}

static void takes_an_empty_initrd_as_none(void **state)
{
    (void)state;
    struct linux_zero_page page;
    add_initrd(0);
    load_or_fail();
    fake_guest_read(ZERO_PAGE, &page, sizeof page);
    assert_int_equal(page.header.ramdisk_size, 0);
}

static void refuses_what_is_no_bzimage(void **state)
{
    (void)state;
    header->magic ^= 1;
    expect_error("partition 'p': kernel 'vmlinuz' is not a Linux bzImage (no 'HdrS' at offset 0x202)\n");
    header->magic ^= 1;
    header->boot_flag = 0x1234;
    expect_error("partition 'p': kernel 'vmlinuz' is not a Linux bzImage (0x1234 at offset 0x1fe, expected 0xaa55)\n");
    header->boot_flag = 0xaa55;
    fake_guest.machine.modules[0].range.size = 0x28f;
    expect_error("partition 'p': kernel 'vmlinuz' is not a Linux bzImage (655 bytes, its header needs 0x290)\n");
    fake_guest.machine.modules[0].range.size = 0;
    expect_error("partition 'p': kernel 'vmlinuz' is not a Linux bzImage (0 bytes, its header needs 0x290)\n");
}

static void refuses_old_protocols(void **state)
{
    (void)state;
    header->version = 0x20b;
    expect_error("partition 'p': kernel 'vmlinuz' has boot protocol 2.11, expected 2.12 or later\n");
    header->version = 0x20c;
    load_or_fail();
    header->loadflags = 0xe0;
    expect_error("partition 'p': kernel 'vmlinuz' is a zImage (loadflags 0xe0), expected a bzImage\n");
    header->loadflags = 1;
    header->jump_distance = 0x65;
    expect_error("partition 'p': kernel 'vmlinuz' has a setup header that ends at 0x267, expected 0x268 or more\n");
    header->jump_distance = 0xff; /* past the header's room in the zero page: cut there */
    load_or_fail();
}

static void refuses_truncated_images(void **state)
{
    (void)state;
    fake_guest.machine.modules[0].range.size = IMAGE_SIZE - 16;
    expect_error("partition 'p': kernel 'vmlinuz' is truncated: header says 17920 bytes, the module has 17904\n");
    fake_guest.machine.modules[0].range.size = IMAGE_SIZE;
    header->syssize = UINT32_MAX;
    expect_error("partition 'p': kernel 'vmlinuz' is truncated: header says 68719478256 bytes, the module has 17920\n");
    header->syssize = 0;
    expect_error("partition 'p': kernel 'vmlinuz' has no protected-mode code (syssize 0)\n");
}

/* Where a PC's firmware starts after reset lies code that resets: 16 bytes that a disassembler reads as said there. */
static void a_jump_to_the_reset_vector_restarts(void **state)
{
    (void)state;
    static const uint8_t code[16] = {0xfa, 0xb0, 0x06, 0xba, 0xf9, 0x0c, 0xee, 0xf4, 0xeb, 0xfd};
    uint8_t found[sizeof code];
    load_or_fail();
    fake_guest_read(0xffff0, found, sizeof found);
    assert_memory_equal(found, code, sizeof code);
}

/* syssize counts paragraphs: memtest86+ ends within its last one. */
static void takes_a_last_paragraph_in_part(void **state)
{
    (void)state;
    header->payload_length = 0;
    fake_guest.machine.modules[0].range.size = IMAGE_SIZE - 15;
    load_or_fail();
}

static void takes_no_setup_sectors_as_four(void **state)
{
    (void)state;
    uint8_t first;
    header->setup_sects = 0;
    header->syssize = (IMAGE_SIZE - 5 * 512) / 16;
    header->payload_length = 16;
    load_or_fail();
    fake_guest_read(0x1000000, &first, 1);
    assert_int_equal(first, image[5 * 512]);
}

static void refuses_a_payload_past_the_code(void **state)
{
    (void)state;
    header->payload_length++;
    expect_error("partition 'p': kernel 'vmlinuz' has its payload at 0x100 to 0x4001, past its 0x4000 bytes of code\n");
    header->payload_offset = UINT32_MAX;
    assert_false(fake_guest_check());
}

static void needs_ram_at_the_preferred_address(void **state)
{
    (void)state;
    header->init_size = 0x1000000;
    load_or_fail();
    header->init_size = 0x1000001;
    expect_error("partition 'p': kernel 'vmlinuz' does not fit: it needs 16777217 bytes at 0x1000000, RAM for it is "
                 "0x100000 to 0x2000000\n");
    header->init_size = 0x1000; /* less than the code */
    header->pref_address = 0x1e00000;
    load_or_fail();
    header->pref_address = UINT64_MAX - 0x1fffff;
    assert_false(fake_guest_check());
    header->pref_address = 0x200000;
    fake_guest.config.memory = 0x100000;
    assert_false(fake_guest_check());
    fake_guest.config.memory = 0;
    assert_false(fake_guest_check());
}

static void refuses_the_first_mebibyte(void **state)
{
    (void)state;
    header->relocatable_kernel = 0;
    header->pref_address = 0xff000;
    expect_error(
        "partition 'p': kernel 'vmlinuz' does not fit: it needs 1048576 bytes at 0xff000, RAM for it is 0x100000 "
        "to 0x2000000\n");
    header->pref_address = 0x100000;
    load_or_fail();
    assert_int_equal(fake_guest.entry.rip, 0x100000);
}

static void aligns_relocatable_kernels(void **state)
{
    (void)state;
    header->pref_address = 0x1000001;
    load_or_fail();
    assert_int_equal(fake_guest.entry.rip, 0x1200000);
    header->kernel_alignment = 0x300000;
    expect_error("partition 'p': kernel 'vmlinuz' has kernel_alignment 0x300000, expected a power of two\n");
    header->kernel_alignment = 0;
    expect_error("partition 'p': kernel 'vmlinuz' has kernel_alignment 0x0, expected a power of two\n");
    header->kernel_alignment = 0x200000;
    header->pref_address = UINT64_MAX;
    expect_error(
        "partition 'p': kernel 'vmlinuz' has pref_address 0xffffffffffffffff, expected one that can be aligned "
        "to 0x200000\n");
}

static void refuses_long_command_lines(void **state)
{
    (void)state;
    static char line[0x10001];
    memset(line, 'a', sizeof line - 1);
    header->cmdline_size = 40;
    fake_guest.config.cmdline.text = (struct slice){line, 40};
    load_or_fail();
    fake_guest.config.cmdline.text.length = 41;
    expect_error(
        "partition 'p': kernel 'vmlinuz' takes a command line of at most 40 bytes, the configuration has 41\n");
    header->cmdline_size = UINT32_MAX;
    fake_guest.config.cmdline.text.length = 0x10000;
    expect_error("partition 'p': kernel 'vmlinuz' takes a command line of at most 65535 bytes, the configuration has "
                 "65536\n");
}

static void says_when_low_ram_is_missing(void **state)
{
    (void)state;
    fake_guest.plan.chunks[0].gpa = gpa(MIB); /* the kernel's place is still RAM */
    fake_guest.plan.chunks[0].size = SPLIT - MIB;
    assert_false(fake_guest_load());
    assert_non_null(strstr(fake_guest_errors(), "partition 'p': no RAM at 0xe0000 for "));
}

/* Kernel, modules, information, tables: each has a page that must be RAM, and the error names what is not. */
static void says_which_page_is_missing(void **state)
{
    (void)state;
    add_initrd(0x1800);
    fake_guest_cmdline("quiet");
    assert_in_range(fake_guest_load_with_holes(), 6, 20);
    fake_guest_hole(0x10000);
    assert_false(fake_guest_load());
    assert_string_equal(fake_guest_errors(), "partition 'p': no RAM at 0x10070 for 8 bytes of the zero page\n");
}

/* Whatever the header says, the loader stays inside image and RAM (the sanitizers and fake_phys watch). */
static void survives_random_headers(void **state)
{
    (void)state;
    struct linux_setup_header good = *header;
    unsigned accepted = 0;
    srand(1);
    add_initrd(0x1800);
    for (int round = 0; round < 4000; round++) {
        *header = good;
        for (int changes = rand() % 4; changes >= 0; changes--)
            ((uint8_t *)header)[rand() % (int)sizeof *header] = (uint8_t)rand();
        bool checked = fake_guest_check();
        assert_int_equal(checked, fake_guest_errors()[0] == '\0');
        assert_int_equal(fake_guest_load(), checked);
        accepted += checked;
    }
    assert_in_range(accepted, 1, 3999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(starts_at_the_32_bit_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(puts_a_gdt_where_gdtr_points_at_power_on, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_the_code_and_only_that, setup, teardown),
        cmocka_unit_test_setup_teardown(fills_the_zero_page, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_memory_map, setup, teardown),
        cmocka_unit_test(maps_memory_of_every_size),
        cmocka_unit_test_setup_teardown(passes_the_command_line, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_acpi_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(puts_the_initrd_at_the_top, setup, teardown),
        cmocka_unit_test_setup_teardown(obeys_initrd_addr_max, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_an_initrd_without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_an_initrd_that_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_an_empty_initrd_as_none, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_bzimage, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_old_protocols, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_truncated_images, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_a_last_paragraph_in_part, setup, teardown),
        cmocka_unit_test_setup_teardown(a_jump_to_the_reset_vector_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_no_setup_sectors_as_four, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_payload_past_the_code, setup, teardown),
        cmocka_unit_test_setup_teardown(needs_ram_at_the_preferred_address, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_the_first_mebibyte, setup, teardown),
        cmocka_unit_test_setup_teardown(aligns_relocatable_kernels, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_long_command_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_low_ram_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(says_which_page_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_random_headers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
