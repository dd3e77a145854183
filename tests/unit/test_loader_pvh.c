/* PVH kernels: the note, the start information, modules, and each way to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/loader.h"

#include <elf.h>
#include <string.h>

#include "core/acpi_tables.h"
#include "core/e820.h"
#include "core/pvh.h"
#include "tests/unit/fake_guest.h"

#define MEMORY     (4 * MIB)
#define SPLIT      0x201000u
#define IMAGE_SIZE 0x6000u
#define START      0x10000u
#define NOTES      0x300u
#define NO_NOTE    "partition 'p': kernel 'vmlinux' is not a PVH kernel (no ELF note of owner 'Xen' and type 18)\n"

static uint8_t *image;
static Elf64_Phdr *segments; /* code, notes */
static uint32_t notes_size;

static void put_note(const char *owner, uint32_t type, const void *desc, uint32_t size)
{
    Elf64_Nhdr note = {(uint32_t)strlen(owner) + 1, size, type};
    uint8_t *at = image + NOTES + notes_size;
    memcpy(at, &note, sizeof note);
    memset(at + sizeof note, 0, 64);
    memcpy(at + sizeof note, owner, note.n_namesz);
    uint32_t name_room = (note.n_namesz + 3) & ~3u;
    memcpy(at + sizeof note + name_room, desc, size);
    notes_size += (uint32_t)sizeof note + name_room + ((size + 3) & ~3u);
    segments[1].p_filesz = segments[1].p_memsz = notes_size;
}

static void put_entry(uint64_t entry) { put_note("Xen", 18, &entry, sizeof entry); }

/* A kernel linked high that lies at 1 MiB and has its PVH entry behind two notes of others. */
static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_PVH, MEMORY, SPLIT);
    image = fake_guest_module("vmlinux", IMAGE_SIZE);
    for (unsigned i = 0; i < IMAGE_SIZE; i++)
        image[i] = (uint8_t)(i * 13 + (i >> 8) + 1);
    Elf64_Ehdr *header = (Elf64_Ehdr *)image;
    *header = (Elf64_Ehdr){ELFMAG "\2\1\1",    ET_EXEC, EM_X86_64,         EV_CURRENT,
                           0xffffffff80100000, 0x40,    .e_phentsize = 56, .e_phnum = 2};
    segments = (Elf64_Phdr *)(image + 0x40);
    segments[0] = (Elf64_Phdr){1, 7, 0x1000, 0xffffffff80100000, 0x100000, 0x2000, 0x3000, 4096};
    segments[1] = (Elf64_Phdr){4, 4, NOTES, 0, 0, 0, 0, 4};
    notes_size = 0;
    put_note("GNU", 18, "abcdefgh", 8);
    put_note("Xen", 6, "linux", 6);
    fake_guest_cmdline("console=ttyS0");
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

static void load_or_fail(void)
{
    if (!fake_guest_check() || !fake_guest_load())
        fail_msg("%s", fake_guest_errors());
    assert_string_equal(fake_guest_errors(), "");
}

static void expect_bytes(uint64_t at, const void *bytes, size_t size)
{
    static uint8_t found[IMAGE_SIZE];
    fake_guest_read(at, found, size);
    assert_memory_equal(found, bytes, size);
}

static struct pvh_start start(void)
{
    struct pvh_start start;
    fake_guest_read(START, &start, sizeof start);
    return start;
}

static void starts_at_the_notes_entry(void **state)
{
    (void)state;
    put_entry(0x100123);
    load_or_fail();
    uint8_t zero[0x1000] = {0};
    expect_bytes(0x100000, image + 0x1000, 0x2000);
    expect_bytes(0x102000, zero, sizeof zero);
    assert_int_equal(fake_guest.entry.mode, VCPU_MODE_FLAT32);
    assert_int_equal(fake_guest.entry.rip, 0x100123);
    for (int i = 0; i < GPRS; i++)
        assert_int_equal(fake_guest.entry.gpr[i], i == GPR_RBX ? START : 0);
}

static void takes_a_note_of_32_bits(void **state)
{
    (void)state;
    uint32_t entry = 0x100040;
    put_note("Xen", 18, &entry, sizeof entry);
    load_or_fail();
    assert_int_equal(fake_guest.entry.rip, 0x100040);
}

static void tells_memory_cmdline_and_rsdp(void **state)
{
    (void)state;
    put_entry(0x100000);
    load_or_fail();
    struct pvh_start s = start();
    assert_int_equal(s.magic, 0x336ec578);
    assert_int_equal(s.version, 1);
    assert_int_equal(s.flags, 0);
    assert_int_equal(s.module_count, 0);
    assert_int_equal(s.modules, 0);
    assert_int_equal(s.rsdp, GUEST_ACPI_BASE);
    expect_bytes(s.cmdline, "console=ttyS0", sizeof "console=ttyS0");
    expect_bytes(s.rsdp, "RSD PTR ", 8);
    struct pvh_memory map[3];
    assert_int_equal(s.memory_map_count, array_size(map));
    fake_guest_read(s.memory_map, map, sizeof map);
    static const struct pvh_memory expected[] = {
        {0, 0x9f000, E820_RAM, 0}, {0xe0000, 0x20000, E820_RESERVED, 0}, {0x100000, MEMORY - 0x100000, E820_RAM, 0}};
    assert_memory_equal(map, expected, sizeof map);
}

static void hands_over_modules(void **state)
{
    (void)state;
    put_entry(0x100000);
    uint8_t *initrd = fake_guest_module("initrd", 0x1234);
    memset(initrd, 0x5a, 0x1234);
    fake_guest_module("empty", 0);
    fake_guest.config.module_count = 2;
    fake_guest.config.modules[0].text = (struct slice){"initrd", 6};
    fake_guest.config.modules[1].text = (struct slice){"empty", 5};
    fake_guest.plan.modules[0] = 1;
    fake_guest.plan.modules[1] = 2;
    load_or_fail();
    struct pvh_start s = start();
    assert_int_equal(s.module_count, 2);
    struct pvh_module modules[2];
    fake_guest_read(s.modules, modules, sizeof modules);
    assert_int_equal(modules[0].address, 0x103000);
    assert_int_equal(modules[0].size, 0x1234);
    assert_int_equal(modules[1].address, 0x105000);
    assert_int_equal(modules[1].size, 0);
    expect_bytes(modules[0].address, initrd, 0x1234);
    expect_bytes(modules[0].cmdline, "initrd", 7);
    expect_bytes(modules[1].cmdline, "empty", 6);
    fake_guest.machine.modules[1].range.size = 4 * MIB;
    expect_error("partition 'p': module 'initrd' does not fit: 4194304 bytes, there are 3133440 between 0x103000 and "
                 "0x400000\n");
}

static void refuses_a_missing_note(void **state)
{
    (void)state;
    expect_error(NO_NOTE);
    put_note("Xen", 17, "12345678", 8); /* another type */
    put_note("Xe", 18, "12345678", 8);  /* other owners */
    put_note("Xenon", 18, "12345678", 8);
    put_note("an owner with a long name", 18, "12345678", 8);
    expect_error(NO_NOTE);
}

static void refuses_damaged_notes(void **state)
{
    (void)state;
    put_note("Xen", 18, "123456", 6); /* no number */
    expect_error(NO_NOTE);
    segments[1].p_filesz = notes_size - 9; /* the descriptor is cut off */
    expect_error(NO_NOTE);
    segments[1].p_filesz = UINT64_MAX - 3;
    expect_error(NO_NOTE);
    segments[1].p_filesz = notes_size;
    Elf64_Nhdr *first = (Elf64_Nhdr *)(image + NOTES);
    first->n_namesz = UINT32_MAX; /* its padding passes 32 bits */
    expect_error(NO_NOTE);
    first->n_namesz = 4;
    first->n_descsz = UINT32_MAX - 1;
    expect_error(NO_NOTE);
}

static void refuses_an_entry_outside(void **state)
{
    (void)state;
    put_entry(0x103000);
    expect_error("partition 'p': kernel 'vmlinux' has its entry at 0x103000, expected an address of a segment\n");
    notes_size -= 8;
    memset(image + NOTES + notes_size, 0xff, 8);
    expect_error("partition 'p': kernel 'vmlinux' has its entry at 0xffffffffffffffff, expected an address of a "
                 "segment\n");
}

static void refuses_other_files(void **state)
{
    (void)state;
    put_entry(0x100000);
    image[0] = 0;
    expect_error("partition 'p': kernel 'vmlinux' is not an ELF file (no 7Fh 'ELF' at its start), and its header has "
                 "no addresses\n");
    image[0] = 0x7f;
    segments[0].p_paddr = 0x9f000;
    segments[0].p_memsz = 0x2000;
    expect_error("partition 'p': kernel 'vmlinux' does not fit: segment 0 is 8192 bytes at 0x9f000, RAM for it is "
                 "0x100000 to 0x400000\n");
}

static void takes_as_much_text_as_a_configuration_has(void **state)
{
    (void)state;
    static char line[CONFIG_MAX_SIZE];
    put_entry(0x100000);
    memset(line, 'x', sizeof line);
    fake_guest.config.cmdline.text = (struct slice){line, sizeof line};
    load_or_fail();
    expect_bytes(start().cmdline + sizeof line - 1, "x", 2);
}

static void says_what_has_no_ram(void **state)
{
    (void)state;
    put_entry(0x100000);
    fake_guest.plan.chunks[0].size = START; /* RAM ends below the start information */
    assert_false(fake_guest_load());
    assert_string_equal(fake_guest_errors(),
                        "partition 'p': kernel 'vmlinux' does not fit: no RAM for 8192 bytes at 0x100000\n");
}

/* Kernel, modules, information, tables: each has a page that must be RAM, and the error names what is not. */
static void says_which_page_is_missing(void **state)
{
    (void)state;
    put_entry(0x100000);
    memset(fake_guest_module("initrd", 0x1234), 0x5a, 0x1234);
    fake_guest.config.module_count = 1;
    fake_guest.config.modules[0].text = (struct slice){"initrd", 6};
    fake_guest.plan.modules[0] = 1;
    assert_in_range(fake_guest_load_with_holes(), 7, 20);
    fake_guest_hole(START);
    assert_false(fake_guest_load());
    assert_string_equal(fake_guest_errors(), "partition 'p': no RAM at 0x10100 for 72 bytes of memory map\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(starts_at_the_notes_entry),
        TEST(takes_a_note_of_32_bits),
        TEST(tells_memory_cmdline_and_rsdp),
        TEST(hands_over_modules),
        TEST(refuses_a_missing_note),
        TEST(refuses_damaged_notes),
        TEST(refuses_an_entry_outside),
        TEST(refuses_other_files),
        TEST(takes_as_much_text_as_a_configuration_has),
        TEST(says_which_page_is_missing),
        TEST(says_what_has_no_ram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
