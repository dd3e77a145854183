/* Multiboot1 kernels: address fields, ELF32, ELF64, modules, and each way to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/loader.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/acpi_tables.h"
#include "core/coreboot_table.h"
#include "core/multiboot1.h"
#include "tests/unit/fake_guest.h"

#define MEMORY     (4 * MIB)
#define SPLIT      0x201000u
#define IMAGE_SIZE 0x6000u
#define INFO       0x8f000u

static uint8_t *image;

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_MULTIBOOT1, MEMORY, SPLIT);
    image = fake_guest_module("kernel.elf", IMAGE_SIZE);
    for (unsigned i = 0; i < IMAGE_SIZE; i++)
        image[i] = (uint8_t)(i * 13 + (i >> 8) + 1);
    fake_guest_cmdline("one two");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_guest_teardown();
    return 0;
}

static void put_header(uint32_t at, uint32_t flags)
{
    struct multiboot1_header header = {MULTIBOOT1_HEADER_MAGIC, flags, 0u - MULTIBOOT1_HEADER_MAGIC - flags};
    memcpy(image + at, &header, sizeof header);
}

/* A header at 0x400 with address fields: file from 0x200 on goes to 2 MiB. */
static struct multiboot1_addresses *put_addresses(void)
{
    put_header(0x400, 0x10003);
    struct multiboot1_addresses *a = (struct multiboot1_addresses *)(image + 0x40c);
    *a = (struct multiboot1_addresses){.header_addr = 0x200200,
                                       .load_addr = 0x200000,
                                       .load_end_addr = 0x203000,
                                       .bss_end_addr = 0x205000,
                                       .entry_addr = 0x200004};
    return a;
}

/* Two segments, the first linked 3 GiB above where it lies, and a note between them. */
static Elf32_Phdr *put_elf32(void)
{
    Elf32_Ehdr *header = (Elf32_Ehdr *)image;
    Elf32_Phdr *segments = (Elf32_Phdr *)(image + 0x40);
    *header =
        (Elf32_Ehdr){ELFMAG "\1\1\1", ET_EXEC, EM_386, EV_CURRENT, 0xc0200010, 0x40, .e_phentsize = 32, .e_phnum = 3};
    segments[0] = (Elf32_Phdr){1, 0x1000, 0xc0200000, 0x200000, 0x2000, 0x3000, 5, 4096};
    segments[1] = (Elf32_Phdr){4, 0, 0xc0200000, 0, UINT32_MAX, UINT32_MAX, 4, 4};
    segments[2] = (Elf32_Phdr){1, 0x4000, 0xc0100000, 0x100000, 0x1000, 0x1000, 6, 4096};
    put_header(0x100, 0);
    return segments;
}

static Elf64_Phdr *put_elf64(void)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)image;
    Elf64_Phdr *segment = (Elf64_Phdr *)(image + 0x40);
    *header =
        (Elf64_Ehdr){ELFMAG "\2\1\1", ET_EXEC, EM_X86_64, EV_CURRENT, 0x100020, 0x40, .e_phentsize = 56, .e_phnum = 1};
    *segment = (Elf64_Phdr){1, 7, 0x1000, 0xffffffff80100000, 0x100000, 0x2000, 0x2000, 4096};
    put_header(0x200, 3);
    return segment;
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

static void loads_by_address_fields(void **state)
{
    (void)state;
    put_addresses();
    load_or_fail();
    expect_bytes(0x200000, image + 0x200, 0x3000);
    uint8_t zero[0x2000] = {0};
    expect_bytes(0x203000, zero, sizeof zero);
    expect_bytes(0x1ff000, zero, 0x1000);
    assert_int_equal(fake_guest.entry.rip, 0x200004);
    assert_int_equal(fake_guest.entry.mode, VCPU_MODE_FLAT32);
    for (int i = 0; i < GPRS; i++)
        assert_int_equal(fake_guest.entry.gpr[i], i == GPR_RAX ? 0x2badb002 : i == GPR_RBX ? INFO : 0);
}

static void takes_zero_ends_as_whole_image(void **state)
{
    (void)state;
    struct multiboot1_addresses *a = put_addresses();
    a->load_end_addr = a->bss_end_addr = 0;
    load_or_fail();
    expect_bytes(0x200000, image + 0x200, IMAGE_SIZE - 0x200);
}

static void refuses_bad_addresses(void **state)
{
    (void)state;
    struct multiboot1_addresses *a = put_addresses();
    struct multiboot1_addresses good = *a;
    a->load_addr = 0x200201;
    expect_error("partition 'p': kernel 'kernel.elf' has load_addr 0x200201, expected at most 0x400 below header_addr "
                 "0x200200\n");
    *a = good;
    a->load_addr = 0x1ffdff;
    assert_false(fake_guest_check());
    *a = good;
    a->load_end_addr = 0x1fffff;
    expect_error("partition 'p': kernel 'kernel.elf' has load_addr 0x200000, load_end_addr 0x1fffff, bss_end_addr "
                 "0x205000, expected them to ascend\n");
    *a = good;
    a->bss_end_addr = 0x202fff;
    assert_false(fake_guest_check());
    *a = good;
    a->load_end_addr = 0x206000;
    a->bss_end_addr = 0;
    expect_error("partition 'p': kernel 'kernel.elf' is truncated: segment 0 is 24576 bytes at 0x200, the module has "
                 "24576\n");
    *a = good;
    a->bss_end_addr = MEMORY + 1;
    expect_error(
        "partition 'p': kernel 'kernel.elf' does not fit: segment 0 is 2097153 bytes at 0x200000, RAM for it is "
        "0x100000 to 0x400000\n");
    *a = good;
    a->entry_addr = 0x205000;
    expect_error("partition 'p': kernel 'kernel.elf' has its entry at 0x205000, expected an address of a segment\n");
}

static void refuses_what_is_not_free_in_the_first_mebibyte(void **state)
{
    (void)state;
    struct multiboot1_addresses *a = put_addresses();
    static const uint32_t bases[] = {0xff000, 0x8e001, 0xfff, 0};
    for (size_t i = 0; i < array_size(bases); i++) {
        char text[160];
        *a = (struct multiboot1_addresses){bases[i] + 0x200, bases[i], bases[i] + 0x1000, 0, bases[i]};
        snprintf(text, sizeof text,
                 "partition 'p': kernel 'kernel.elf' does not fit: segment 0 is 4096 bytes at 0x%x, RAM for it is "
                 "0x100000 to 0x400000\n",
                 bases[i]);
        expect_error(text);
    }
}

static void finds_the_header_in_8_kib_only(void **state)
{
    (void)state;
    static const char missing[] = "partition 'p': kernel 'kernel.elf' is not a multiboot1 kernel (no header with magic "
                                  "0x1badb002 and right checksum in its first 8192 bytes)\n";
    expect_error(missing);
    put_elf32();
    memset(image + 0x100, 0, 12);
    put_header(8192 - 12, 0);
    load_or_fail();
    memset(image + 8192 - 12, 0, 12);
    put_header(8192 - 8, 0);
    expect_error(missing);
    put_header(0x102, 0); /* not aligned */
    expect_error(missing);
    put_header(0x100, 0);
    image[0x108] ^= 1; /* checksum */
    expect_error(missing);
    fake_guest.machine.modules[0].range.size = 11;
    expect_error(missing);
}

static void refuses_a_cut_off_header(void **state)
{
    (void)state;
    put_header(8192 - 12, 0x10000);
    expect_error("partition 'p': kernel 'kernel.elf' has a multiboot1 header at 0x1ff4 that is cut off\n");
}

static void refuses_unknown_requirements(void **state)
{
    (void)state;
    put_elf32();
    put_header(0x100, 0x7);
    expect_error("partition 'p': kernel 'kernel.elf' requires multiboot1 features 0x4 (flags 0x7), offered are 0x3\n");
    put_header(0x100, 0x8000);
    assert_false(fake_guest_check());
    put_header(0x100, 0xfffe0003); /* the upper half is optional */
    load_or_fail();
}

static void loads_elf32(void **state)
{
    (void)state;
    put_elf32();
    load_or_fail();
    uint8_t zero[0x1000] = {0};
    expect_bytes(0x200000, image + 0x1000, 0x2000);
    expect_bytes(0x202000, zero, 0x1000);
    expect_bytes(0x100000, image + 0x4000, 0x1000);
    assert_int_equal(fake_guest.entry.rip, 0x200010); /* virtual in the file */
    ((Elf32_Ehdr *)image)->e_entry = 0x100123;        /* physical already */
    load_or_fail();
    assert_int_equal(fake_guest.entry.rip, 0x100123);
}

static void loads_elf64(void **state)
{
    (void)state;
    put_elf64();
    load_or_fail();
    expect_bytes(0x100000, image + 0x1000, 0x2000);
    assert_int_equal(fake_guest.entry.rip, 0x100020);
    ((Elf64_Ehdr *)image)->e_entry = 0xffffffff80101000;
    load_or_fail();
    assert_int_equal(fake_guest.entry.rip, 0x101000);
}

static void refuses_bad_elf_headers(void **state)
{
    (void)state;
    put_elf32();
    Elf32_Ehdr *h = (Elf32_Ehdr *)image;
    Elf32_Ehdr good = *h;
    h->e_ident[EI_MAG0] = 0;
    expect_error(
        "partition 'p': kernel 'kernel.elf' is not an ELF file (no 7Fh 'ELF' at its start), and its header has "
        "no addresses\n");
    *h = good;
    h->e_ident[EI_CLASS] = 3;
    expect_error("partition 'p': kernel 'kernel.elf' has ELF class 3, data 1, expected class 1 or 2, data 1\n");
    *h = good;
    h->e_ident[EI_DATA] = 2;
    assert_false(fake_guest_check());
    *h = good;
    h->e_machine = 62;
    expect_error("partition 'p': kernel 'kernel.elf' is for ELF machine 62, expected 3\n");
    *h = good;
    h->e_type = 3;
    expect_error("partition 'p': kernel 'kernel.elf' has ELF type 3, expected 2 (executable)\n");
    *h = good;
    h->e_phentsize = 56;
    expect_error("partition 'p': kernel 'kernel.elf' has program headers of 56 bytes, expected 32\n");
    *h = good;
    h->e_phnum = 65;
    expect_error("partition 'p': kernel 'kernel.elf' has 65 program headers, expected at most 64\n");
    *h = good;
    h->e_phnum = 0;
    expect_error("partition 'p': kernel 'kernel.elf' has nothing to load, expected at least one segment\n");
    *h = good;
    h->e_phoff = IMAGE_SIZE - 95;
    expect_error(
        "partition 'p': kernel 'kernel.elf' is truncated: program header 2 of 3 from 0x5fa1 on, the module has "
        "24576 bytes\n");
    *h = good;
    h->e_entry = 0x300000;
    expect_error("partition 'p': kernel 'kernel.elf' has its entry at 0x300000, expected an address of a segment\n");
}

static void refuses_a_truncated_elf_header(void **state)
{
    (void)state;
    put_elf32();
    put_header(0x1c, 0); /* in the ELF header itself */
    fake_guest.machine.modules[0].range.size = 51;
    expect_error("partition 'p': kernel 'kernel.elf' is truncated: 51 bytes do not hold an ELF header\n");
    put_elf64();
    ((Elf64_Ehdr *)image)->e_phoff = UINT64_MAX - 8;
    fake_guest.machine.modules[0].range.size = IMAGE_SIZE;
    assert_false(fake_guest_check());
}

static void refuses_bad_segments(void **state)
{
    (void)state;
    Elf32_Phdr *s = put_elf32();
    Elf32_Phdr good = s[2];
    s[2].p_filesz = 0x1001;
    expect_error(
        "partition 'p': kernel 'kernel.elf' has segment 1 with 4097 bytes in the file, expected at most its 4096 "
        "in memory\n");
    s[2] = good;
    s[2].p_offset = 0x5001;
    expect_error("partition 'p': kernel 'kernel.elf' is truncated: segment 1 is 4096 bytes at 0x5001, the module has "
                 "24576\n");
    s[2] = good;
    s[2].p_paddr = 0xe0000;
    expect_error("partition 'p': kernel 'kernel.elf' does not fit: segment 1 is 4096 bytes at 0xe0000, RAM for it is "
                 "0x100000 to 0x400000\n");
    s[2] = good;
    s[2].p_paddr = UINT32_MAX;
    assert_false(fake_guest_check());
    s[2] = good;
    s[2].p_paddr = 0x202fff;
    expect_error("partition 'p': kernel 'kernel.elf' has segments 0 and 1 that overlap at 0x202fff\n");
    Elf64_Phdr *wide = put_elf64();
    wide->p_paddr = UINT64_MAX - 0xfff;
    assert_false(fake_guest_check());
    put_elf64()->p_offset = UINT64_MAX;
    assert_false(fake_guest_check());
}

static void refuses_too_many_segments(void **state)
{
    (void)state;
    Elf32_Phdr *s = put_elf32();
    memset(image + 0x100, 0, 12);
    put_header(0x1000, 0);
    ((Elf32_Ehdr *)image)->e_phnum = 17;
    ((Elf32_Ehdr *)image)->e_entry = 0x200000;
    for (uint32_t i = 0; i < 17; i++)
        s[i] = (Elf32_Phdr){1, 0x1000, 0, 0x200000 + i * 0x1000, 16, 16, 5, 4096};
    expect_error("partition 'p': kernel 'kernel.elf' has more than 16 segments to load\n");
    s[5].p_type = 0;
    load_or_fail();
}

static void read_string(uint32_t at, char *to)
{
    fake_guest_read(at, to, 64);
    assert_non_null(memchr(to, '\0', 64));
}

static void tells_the_boot_information(void **state)
{
    (void)state;
    struct multiboot1_info info;
    struct multiboot1_mmap_entry mmap[3];
    char text[64];
    put_addresses();
    load_or_fail();
    fake_guest_read(INFO, &info, sizeof info);
    assert_int_equal(info.flags, 0x24d);
    assert_int_equal(info.mem_lower, 636);
    assert_int_equal(info.mem_upper, 3 * 1024);
    assert_int_equal(info.mods_count, 0);
    read_string(info.cmdline, text);
    assert_string_equal(text, "one two");
    read_string(info.boot_loader_name, text);
    assert_string_equal(text, "Ringfence");
    assert_int_equal(info.mmap_length, sizeof mmap);
    fake_guest_read(info.mmap_addr, mmap, sizeof mmap);
    assert_int_equal(mmap[0].size, 20);
    assert_int_equal(mmap[0].entry.size, 0x9f000);
    assert_int_equal(mmap[1].entry.base, 0xe0000);
    assert_int_equal(mmap[1].entry.kind, E820_RESERVED);
    assert_int_equal(mmap[2].entry.base, MIB);
    assert_int_equal(mmap[2].entry.size, MEMORY - MIB);
    assert_int_equal(mmap[2].entry.kind, E820_RAM);
}

static void writes_acpi_tables(void **state)
{
    (void)state;
    put_addresses();
    load_or_fail();
    expect_bytes(GUEST_ACPI_BASE, (const uint8_t *)"RSD PTR ", 8);
    assert_int_equal(GUEST_ACPI_BASE % 16, 0);
}

static uint8_t *add_module(uint32_t number, const char *name, uint64_t size)
{
    fake_guest.plan.modules[number] = (int)fake_guest.machine.module_count;
    fake_guest.config.modules[number].text = (struct slice){name, strlen(name)};
    fake_guest.config.module_count = number + 1;
    uint8_t *bytes = fake_guest_module(name, size);
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 3 + number + 1);
    return bytes;
}

static void puts_modules_behind_the_kernel(void **state)
{
    (void)state;
    struct multiboot1_info info;
    struct multiboot1_module modules[3];
    char text[64];
    put_addresses()->bss_end_addr = 0x204001;
    uint8_t *first = add_module(0, "first", 0x1001);
    add_module(1, "empty", 0);
    uint8_t *last = add_module(2, "last", 0x3000);
    load_or_fail();
    fake_guest_read(INFO, &info, sizeof info);
    assert_int_equal(info.mods_count, 3);
    fake_guest_read(info.mods_addr, modules, sizeof modules);
    assert_int_equal(modules[0].start, 0x205000);
    assert_int_equal(modules[0].end, 0x206001);
    assert_int_equal(modules[1].start, 0x207000);
    assert_int_equal(modules[1].end, 0x207000);
    assert_int_equal(modules[2].start, 0x207000);
    assert_int_equal(modules[2].end, 0x20a000);
    expect_bytes(0x205000, first, 0x1001);
    expect_bytes(0x207000, last, 0x3000);
    read_string(modules[0].string, text);
    assert_string_equal(text, "first");
    read_string(modules[2].string, text);
    assert_string_equal(text, "last");
    read_string(info.cmdline, text);
    assert_string_equal(text, "one two");
}

static void refuses_modules_without_room(void **state)
{
    (void)state;
    struct multiboot1_addresses *a = put_addresses();
    add_module(0, "m", 0x2000);
    a->bss_end_addr = MEMORY - 0x2000;
    load_or_fail();
    a->bss_end_addr = MEMORY - 0x1fff;
    expect_error("partition 'p': module 'm' does not fit: 8192 bytes, there are 4096 between 0x3ff000 and 0x400000\n");
    a->bss_end_addr = MEMORY;
    expect_error("partition 'p': module 'm' does not fit: 8192 bytes, there are 0 between 0x400000 and 0x400000\n");
    fake_guest.plan.modules[0] = 7;
    expect_error("partition 'p': module is boot module 7, expected one of the 2 that there are\n");
}

/* As GRUB for coreboot does, whose modules then begin at 1 MiB. */
static void loads_into_low_memory(void **state)
{
    (void)state;
    struct multiboot1_addresses *a = put_addresses();
    *a = (struct multiboot1_addresses){0x1200, 0x1000, 0x3000, 0x8f000, 0x1004};
    uint8_t *module = add_module(0, "m", 5);
    load_or_fail();
    expect_bytes(0x1000, image + 0x200, 0x2000);
    expect_bytes(0x100000, module, 5);
    assert_int_equal(fake_guest.entry.rip, 0x1004);
}

/* What the check accepts must start: a kernel in low memory alone does not make less than the first MiB enough. */
static void needs_the_first_mebibyte_itself(void **state)
{
    (void)state;
    *put_addresses() = (struct multiboot1_addresses){0x1200, 0x1000, 0x3000, 0, 0x1004};
    fake_guest.plan.chunk_count = 1;
    fake_guest.plan.chunks[0].size = fake_guest.config.memory = MIB;
    load_or_fail();
    fake_guest.plan.chunks[0].size = fake_guest.config.memory = MIB - PAGE_SIZE;
    expect_error(
        "partition 'p': kernel 'kernel.elf' takes at least 1 MiB of memory, the partition has 1044480 bytes\n");
    fake_guest.plan.chunks[0].size = fake_guest.config.memory = 0x10000;
    expect_error("partition 'p': kernel 'kernel.elf' takes at least 1 MiB of memory, the partition has 65536 bytes\n");
}

static void writes_coreboots_table(void **state)
{
    (void)state;
    put_addresses();
    load_or_fail();
    struct coreboot_table table, expected;
    struct e820_map map;
    e820_build(MEMORY, &map);
    size_t size = coreboot_table_build(&map, &expected);
    fake_guest_read(0xf0000, &table, sizeof table);
    assert_memory_equal(&table, &expected, size);
}

static void takes_as_much_text_as_a_configuration_has(void **state)
{
    (void)state;
    static char line[CONFIG_MAX_SIZE];
    put_addresses();
    add_module(0, "m", 1);
    memset(line, 'x', sizeof line);
    fake_guest.config.cmdline.text = (struct slice){line, sizeof line};
    load_or_fail();
    struct multiboot1_info info;
    fake_guest_read(INFO, &info, sizeof info);
    expect_bytes(info.cmdline + sizeof line - 1, (const uint8_t *)"x", 2);
}

static void says_when_low_ram_is_missing(void **state)
{
    (void)state;
    put_addresses();
    fake_guest.plan.chunks[0].gpa = gpa(MIB);
    fake_guest.plan.chunks[0].size = SPLIT - MIB;
    assert_false(fake_guest_load());
    assert_non_null(strstr(fake_guest_errors(), "partition 'p': no RAM at 0x8f100 for 72 bytes of memory map\n"));
}

/* Kernel, modules, information, tables: each has a page that must be RAM, and the error names what is not. */
static void says_which_page_is_missing(void **state)
{
    (void)state;
    put_addresses();
    memset(add_module(0, "data", 0x1001), 0x5a, 0x1001);
    assert_in_range(fake_guest_load_with_holes(), 7, 20);
    fake_guest_hole(INFO);
    assert_false(fake_guest_load());
    assert_string_equal(fake_guest_errors(), "partition 'p': no RAM at 0x8f100 for 72 bytes of memory map\n");
}

/* Whatever the headers say, the loader stays inside image and RAM (the sanitizers and fake_phys watch). */
static void survives_random_headers(void **state)
{
    (void)state;
    static uint8_t good[IMAGE_SIZE];
    unsigned accepted = 0;
    srand(1);
    for (int round = 0; round < 6000; round++) {
        if (round % 3 == 0)
            put_elf32();
        else if (round % 3 == 1)
            put_elf64();
        else
            put_addresses();
        memcpy(good, image, sizeof good);
        int base = round % 3 == 2 ? 0x40c : 0;
        for (int changes = rand() % 4; changes >= 0; changes--)
            image[base + rand() % (round % 3 == 2 ? 20 : 0xa0)] = (uint8_t)rand();
        bool checked = fake_guest_check();
        assert_int_equal(checked, fake_guest_errors()[0] == '\0');
        assert_int_equal(fake_guest_load(), checked);
        accepted += checked;
        memset(image, 0, 0x600);
    }
    assert_in_range(accepted, 1, 5999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loads_by_address_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_zero_ends_as_whole_image, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_not_free_in_the_first_mebibyte, setup, teardown),
        cmocka_unit_test_setup_teardown(loads_into_low_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(needs_the_first_mebibyte_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_coreboots_table, setup, teardown),
        cmocka_unit_test_setup_teardown(finds_the_header_in_8_kib_only, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_cut_off_header, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_unknown_requirements, setup, teardown),
        cmocka_unit_test_setup_teardown(loads_elf32, setup, teardown),
        cmocka_unit_test_setup_teardown(loads_elf64, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_elf_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_truncated_elf_header, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_bad_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_too_many_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_boot_information, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_acpi_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(puts_modules_behind_the_kernel, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_modules_without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_as_much_text_as_a_configuration_has, setup, teardown),
        cmocka_unit_test_setup_teardown(says_when_low_ram_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(says_which_page_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_random_headers, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
