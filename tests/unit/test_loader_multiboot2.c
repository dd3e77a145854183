/* Multiboot2 kernels: header tags, address tag, ELF, the information, modules, and each way to be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/loader.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "core/acpi_format.h"
#include "core/acpi_tables.h"
#include "core/multiboot2.h"
#include "tests/unit/fake_guest.h"

#define MEMORY     (4 * MIB)
#define SPLIT      0x201000u
#define IMAGE_SIZE 0x9000u
#define INFO       0x10000u
#define HEADER     0x400u
#define KERNEL     "partition 'p': kernel 'kernel.elf' "

static uint8_t *image;
static uint32_t header_at, header_length;

/* Magic, architecture, length and what makes their sum 0. */
static void seal(void)
{
    struct multiboot2_header header = {MULTIBOOT2_HEADER_MAGIC, 0, header_length,
                                       0u - MULTIBOOT2_HEADER_MAGIC - header_length};
    memcpy(image + header_at, &header, sizeof header);
}

static void begin_header(uint32_t at)
{
    header_at = at;
    header_length = sizeof(struct multiboot2_header);
    seal();
}

/* Appends a tag, padded; gives where it is. */
static uint8_t *put_tag(uint16_t type, uint16_t flags, const void *content, uint32_t size)
{
    struct multiboot2_header_tag tag = {type, flags, (uint32_t)sizeof tag + size};
    uint8_t *at = image + header_at + header_length;
    memset(at, 0, sizeof tag + size + 8);
    memcpy(at, &tag, sizeof tag);
    if (size != 0)
        memcpy(at + sizeof tag, content, size);
    header_length += (tag.size + 7) & ~7u;
    seal();
    return at;
}

/* The file from 0x200 on goes to 2 MiB. */
static void put_addresses(void)
{
    static const struct multiboot2_addresses a = {0x200200, 0x200000, 0x203000, 0x205000};
    uint32_t entry = 0x200004;
    put_tag(MULTIBOOT2_HEADER_ADDRESS, 0, &a, sizeof a);
    put_tag(MULTIBOOT2_HEADER_ENTRY, 0, &entry, sizeof entry);
}

static void put_elf(void)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)image;
    *header =
        (Elf64_Ehdr){ELFMAG "\2\1\1", ET_EXEC, EM_X86_64, EV_CURRENT, 0x100020, 0x40, .e_phentsize = 56, .e_phnum = 1};
    *(Elf64_Phdr *)(image + 0x40) = (Elf64_Phdr){1, 7, 0x1000, 0xffffffff80100000, 0x100000, 0x2000, 0x2000, 4096};
}

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_MULTIBOOT2, MEMORY, SPLIT);
    image = fake_guest_module("kernel.elf", IMAGE_SIZE);
    for (unsigned i = 0; i < IMAGE_SIZE; i++)
        image[i] = (uint8_t)(i * 13 + (i >> 8) + 1);
    begin_header(HEADER);
    fake_guest_cmdline("one two");
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

/* Number `index` of the information's tags of this type; gives where its content is, 0 for none, and how long. */
static uint64_t find_tag(uint32_t type, uint32_t index, uint32_t *size)
{
    struct multiboot2_info info;
    fake_guest_read(INFO, &info, sizeof info);
    assert_int_equal(info.total_size % 8, 0);
    assert_int_equal(info.reserved, 0);
    for (uint32_t at = sizeof info; at < info.total_size;) {
        struct multiboot2_info_tag tag;
        fake_guest_read(INFO + at, &tag, sizeof tag);
        assert_true(tag.size >= sizeof tag && tag.size <= info.total_size - at);
        if (tag.type == MULTIBOOT2_INFO_END)
            assert_int_equal(at + sizeof tag, info.total_size); /* the last one */
        if (tag.type == type && index-- == 0) {
            *size = tag.size - (uint32_t)sizeof tag;
            return INFO + at + sizeof tag;
        }
        at += (tag.size + 7) & ~7u;
    }
    return 0;
}

static uint64_t tag_of(uint32_t type, uint32_t *size)
{
    uint64_t at = find_tag(type, 0, size);
    uint32_t second;
    assert_int_not_equal(at, 0);
    assert_int_equal(find_tag(type, 1, &second), 0);
    return at;
}

static void loads_by_the_address_tag(void **state)
{
    (void)state;
    put_addresses();
    put_tag(MULTIBOOT2_HEADER_END, 0, NULL, 0);
    load_or_fail();
    uint8_t zero[0x2000] = {0};
    expect_bytes(0x200000, image + 0x200, 0x3000);
    expect_bytes(0x203000, zero, sizeof zero);
    assert_int_equal(fake_guest.entry.mode, VCPU_MODE_FLAT32);
    assert_int_equal(fake_guest.entry.rip, 0x200004);
    for (int i = 0; i < GPRS; i++)
        assert_int_equal(fake_guest.entry.gpr[i], i == GPR_RAX ? 0x36d76289 : i == GPR_RBX ? INFO : 0);
}

static void takes_zero_ends_and_no_load_address(void **state)
{
    (void)state;
    struct multiboot2_addresses a = {0x200200, 0x200000, 0, 0};
    uint32_t entry = 0x200004;
    uint8_t *tag = put_tag(MULTIBOOT2_HEADER_ADDRESS, 0, &a, sizeof a);
    put_tag(MULTIBOOT2_HEADER_ENTRY, 0, &entry, sizeof entry);
    load_or_fail();
    expect_bytes(0x200000, image + 0x200, IMAGE_SIZE - 0x200);
    a = (struct multiboot2_addresses){0x200400, UINT32_MAX, 0, 0};
    memcpy(tag + 8, &a, sizeof a);
    load_or_fail();
    expect_bytes(0x200000, image, IMAGE_SIZE);
}

static void refuses_bad_addresses(void **state)
{
    (void)state;
    struct multiboot2_addresses a = {0x200200, 0x200201, 0x203000, 0x205000};
    uint32_t entry = 0x200004;
    uint8_t *tag = put_tag(MULTIBOOT2_HEADER_ADDRESS, 0, &a, sizeof a);
    expect_error(KERNEL "has a multiboot2 address tag but no entry address tag\n");
    put_tag(MULTIBOOT2_HEADER_ENTRY, 0, &entry, sizeof entry);
    expect_error(KERNEL "has load_addr 0x200201, expected at most 0x400 below header_addr 0x200200\n");
    a.load_addr = 0x1ffdff;
    memcpy(tag + 8, &a, sizeof a);
    assert_false(fake_guest_check());
    a = (struct multiboot2_addresses){0x3ff, UINT32_MAX, 0, 0}; /* the image would begin below 0 */
    memcpy(tag + 8, &a, sizeof a);
    assert_false(fake_guest_check());
    a = (struct multiboot2_addresses){0x200200, 0x200000, 0x203000, 0x202fff};
    memcpy(tag + 8, &a, sizeof a);
    expect_error(KERNEL "has load_addr 0x200000, load_end_addr 0x203000, bss_end_addr 0x202fff, expected them to "
                        "ascend\n");
    a = (struct multiboot2_addresses){0x200200, 0x200000, 0x209000, 0};
    memcpy(tag + 8, &a, sizeof a);
    expect_error(KERNEL "is truncated: segment 0 is 36864 bytes at 0x200, the module has 36864\n");
    a = (struct multiboot2_addresses){0x9f200, 0x9f000, 0xa0000, 0};
    memcpy(tag + 8, &a, sizeof a);
    expect_error(KERNEL "does not fit: segment 0 is 4096 bytes at 0x9f000, RAM for it is 0x100000 to 0x400000\n");
}

static void loads_elf(void **state)
{
    (void)state;
    put_elf();
    load_or_fail();
    expect_bytes(0x100000, image + 0x1000, 0x2000);
    assert_int_equal(fake_guest.entry.rip, 0x100020);
    uint32_t entry = 0x101000;
    put_tag(MULTIBOOT2_HEADER_ENTRY, 0, &entry, sizeof entry); /* instead of the file's */
    load_or_fail();
    assert_int_equal(fake_guest.entry.rip, 0x101000);
    image[0] = 0;
    assert_false(fake_guest_check());
}

static void finds_the_header_in_32_kib_only(void **state)
{
    (void)state;
    static const char missing[] = KERNEL "is not a multiboot2 kernel (no header with magic 0xe85250d6 and right "
                                         "checksum in its first 32768 bytes)\n";
    put_elf();
    memset(image + HEADER, 0, 16);
    expect_error(missing);
    begin_header(32768 - 16);
    load_or_fail();
    memset(image + header_at, 0, 16);
    begin_header(32768 - 8);
    expect_error(missing);
    begin_header(HEADER + 4); /* not aligned */
    expect_error(missing);
    begin_header(HEADER);
    image[HEADER + 12] ^= 1;
    expect_error(missing);
    fake_guest.machine.modules[0].range.size = 15;
    expect_error(missing);
}

static void refuses_bad_headers(void **state)
{
    (void)state;
    put_elf();
    header_length = 15;
    seal();
    expect_error(KERNEL "has a multiboot2 header of 15 bytes at 0x400 that is cut off\n");
    header_length = 32768 - HEADER + 8;
    seal();
    assert_false(fake_guest_check());
    struct multiboot2_header header = {MULTIBOOT2_HEADER_MAGIC, 4, 16, 0u - MULTIBOOT2_HEADER_MAGIC - 4 - 16};
    memcpy(image + HEADER, &header, sizeof header);
    expect_error(KERNEL "has multiboot2 architecture 4, expected 0 (i386)\n");
}

static void refuses_bad_tags(void **state)
{
    (void)state;
    put_elf();
    uint8_t *tag = put_tag(MULTIBOOT2_HEADER_ENTRY, 0, "abcd", 4);
    tag[4] = 7; /* shorter than a tag */
    expect_error(KERNEL "has a multiboot2 header tag at 0x410 that is cut off\n");
    tag[4] = 200;
    expect_error(KERNEL "has a multiboot2 header tag at 0x410 that is cut off\n");
    tag[4] = 8;
    expect_error(KERNEL "has a multiboot2 header tag of type 3 with 8 bytes, expected 12\n");
    begin_header(HEADER);
    for (unsigned i = 0; i < 65; i++)
        put_tag(MULTIBOOT2_HEADER_ALIGN_MODULES, 0, NULL, 0);
    expect_error(KERNEL "has more than 64 multiboot2 header tags\n");
}

static void refuses_what_is_required_and_not_offered(void **state)
{
    (void)state;
    uint32_t offered[] = {1, 2, 3, 4, 6, 15, 0};
    uint32_t elf_symbols = 9, wants_screen = 1, may_have_screen = 2;
    uint32_t screen[3] = {1024, 768, 32};
    put_elf();
    put_tag(MULTIBOOT2_HEADER_REQUEST, 0, offered, sizeof offered);
    put_tag(MULTIBOOT2_HEADER_REQUEST, 1, &elf_symbols, sizeof elf_symbols);
    put_tag(MULTIBOOT2_HEADER_CONSOLE, 0, &may_have_screen, 4);
    put_tag(MULTIBOOT2_HEADER_CONSOLE, 1, &wants_screen, 4);
    put_tag(MULTIBOOT2_HEADER_FRAMEBUFFER, 1, screen, sizeof screen);
    put_tag(MULTIBOOT2_HEADER_EFI_SERVICES, 0, NULL, 0);
    put_tag(MULTIBOOT2_HEADER_EFI64_ENTRY, 0, screen, 4);
    put_tag(MULTIBOOT2_HEADER_RELOCATABLE, 0, screen, 16 - 4);
    put_tag(0x4242, 1, NULL, 0);
    load_or_fail();
    uint32_t good = header_length;
    put_tag(MULTIBOOT2_HEADER_REQUEST, 0, &elf_symbols, sizeof elf_symbols);
    expect_error(KERNEL "requires multiboot2 information of type 9, offered are 1-4, 6 and 15\n");
    header_length = good;
    put_tag(MULTIBOOT2_HEADER_CONSOLE, 0, &wants_screen, 4);
    expect_error(KERNEL "requires a screen (multiboot2 console flags 0x1), there is none\n");
    header_length = good;
    put_tag(MULTIBOOT2_HEADER_FRAMEBUFFER, 0, screen, sizeof screen);
    expect_error(KERNEL "requires multiboot2 header tag 5, which is not offered\n");
    header_length = good;
    uint32_t many[65] = {0};
    put_tag(MULTIBOOT2_HEADER_REQUEST, 0, many, sizeof many);
    expect_error(KERNEL "requests 65 multiboot2 tags, expected at most 64\n");
}

static void tells_the_boot_information(void **state)
{
    (void)state;
    put_elf();
    load_or_fail();
    uint32_t size;
    uint64_t at = tag_of(MULTIBOOT2_INFO_CMDLINE, &size);
    assert_int_equal(size, sizeof "one two");
    expect_bytes(at, "one two", size);
    at = tag_of(MULTIBOOT2_INFO_LOADER_NAME, &size);
    expect_bytes(at, "Ringfence", size);
    at = tag_of(MULTIBOOT2_INFO_MEMORY, &size);
    uint32_t memory[2] = {0x9f000 / 1024, 3 * 1024};
    assert_int_equal(size, sizeof memory);
    expect_bytes(at, memory, sizeof memory);
    at = tag_of(MULTIBOOT2_INFO_MMAP, &size);
    struct {
        struct multiboot2_mmap head;
        struct multiboot2_mmap_entry entries[3];
    } map = {{24, 0}, {{{0, 0x9f000, 1}, 0}, {{0xe0000, 0x20000, 2}, 0}, {{0x100000, MEMORY - 0x100000, 1}, 0}}};
    assert_int_equal(size, sizeof map);
    expect_bytes(at, &map, sizeof map);
    at = tag_of(MULTIBOOT2_INFO_RSDP2, &size);
    assert_int_equal(size, sizeof(struct acpi_rsdp));
    struct acpi_rsdp rsdp;
    fake_guest_read(GUEST_ACPI_BASE, &rsdp, sizeof rsdp);
    assert_memory_equal(rsdp.signature, "RSD PTR ", 8);
    expect_bytes(at, &rsdp, sizeof rsdp);
    (void)tag_of(MULTIBOOT2_INFO_END, &size);
    assert_int_equal(find_tag(MULTIBOOT2_INFO_MODULE, 0, &size), 0);
}

static void hands_over_modules(void **state)
{
    (void)state;
    put_elf();
    uint8_t *bytes = fake_guest_module("data", 0x1001);
    memset(bytes, 0x5a, 0x1001);
    fake_guest_module("x", 1);
    fake_guest.config.module_count = 2;
    fake_guest.config.modules[0].text = (struct slice){"data", 4};
    fake_guest.config.modules[1].text = (struct slice){"x", 1};
    fake_guest.plan.modules[0] = 1;
    fake_guest.plan.modules[1] = 2;
    load_or_fail();
    uint32_t size;
    struct multiboot2_module module;
    uint64_t at = find_tag(MULTIBOOT2_INFO_MODULE, 0, &size);
    assert_int_equal(size, sizeof module + 5);
    fake_guest_read(at, &module, sizeof module);
    assert_int_equal(module.start, 0x102000);
    assert_int_equal(module.end, 0x103001);
    expect_bytes(at + sizeof module, "data", 5);
    expect_bytes(module.start, bytes, 0x1001);
    at = find_tag(MULTIBOOT2_INFO_MODULE, 1, &size);
    fake_guest_read(at, &module, sizeof module);
    assert_int_equal(module.start, 0x104000);
    assert_int_equal(module.end, 0x104001);
    fake_guest.machine.modules[1].range.size = 4 * MIB;
    expect_error("partition 'p': module 'data' does not fit: 4194304 bytes, there are 3137536 between 0x102000 and "
                 "0x400000\n");
}

static void takes_as_much_text_as_a_configuration_has(void **state)
{
    (void)state;
    static char line[CONFIG_MAX_SIZE];
    put_elf();
    memset(line, 'x', sizeof line);
    fake_guest.config.cmdline.text = (struct slice){line, sizeof line};
    load_or_fail();
    uint32_t size;
    uint64_t at = tag_of(MULTIBOOT2_INFO_CMDLINE, &size);
    assert_int_equal(size, sizeof line + 1);
    expect_bytes(at + sizeof line - 1, "x", 2);
}

/* Kernel, modules, information, tables: each has a page that must be RAM, and the error names what is not. */
static void says_which_page_is_missing(void **state)
{
    (void)state;
    put_elf();
    memset(fake_guest_module("data", 0x1001), 0x5a, 0x1001);
    fake_guest.config.module_count = 1;
    fake_guest.config.modules[0].text = (struct slice){"data", 4};
    fake_guest.plan.modules[0] = 1;
    assert_in_range(fake_guest_load_with_holes(), 7, 20);
    fake_guest_hole(INFO);
    assert_false(fake_guest_load());
    assert_string_equal(fake_guest_errors(), "partition 'p': no RAM at 0x10008 for 8 bytes of boot information\n");
}

/* Whatever the headers say, the loader stays inside image and RAM (the sanitizers and fake_phys watch). */
static void survives_random_headers(void **state)
{
    (void)state;
    static uint8_t good[IMAGE_SIZE];
    unsigned accepted = 0;
    put_elf();
    put_addresses();
    put_tag(MULTIBOOT2_HEADER_REQUEST, 0, "\1\0\0\0\6\0\0\0", 8);
    memcpy(good, image, sizeof good);
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(image, good, sizeof good);
        for (unsigned i = 0; i < 3; i++)
            image[HEADER + 16 + (unsigned)rand() % (header_length - 16)] = (uint8_t)(rand() % 3 == 0 ? rand() : 0);
        seal();
        bool ok = fake_guest_check();
        accepted += ok;
        assert_int_equal(ok, fake_guest_errors()[0] == '\0');
        if (round % 16 == 0)
            assert_int_equal(fake_guest_load(), ok);
    }
    assert_in_range(accepted, 100, 19900);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(loads_by_the_address_tag),
        TEST(takes_zero_ends_and_no_load_address),
        TEST(refuses_bad_addresses),
        TEST(loads_elf),
        TEST(finds_the_header_in_32_kib_only),
        TEST(refuses_bad_headers),
        TEST(refuses_bad_tags),
        TEST(refuses_what_is_required_and_not_offered),
        TEST(tells_the_boot_information),
        TEST(hands_over_modules),
        TEST(takes_as_much_text_as_a_configuration_has),
        TEST(says_which_page_is_missing),
        TEST(survives_random_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
