/* The loader's information structure: what GRUB sends, every way it can be damaged, and the map against an oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/multiboot2.h"

/* ---- a sink that keeps what it gets ---- */

struct error_text {
    struct sink sink;
    unsigned lines;
    size_t length;
    char text[4096];
};
static struct error_text errors;

static void text_put(struct sink *self, const char *text, size_t length)
{
    struct error_text *t = (struct error_text *)self;
    for (size_t i = 0; i < length; i++) {
        t->lines += text[i] == '\n';
        if (t->length < sizeof t->text - 1)
            t->text[t->length++] = text[i];
    }
    t->text[t->length] = '\0';
}

static void expect_error(unsigned lines, const char *part)
{
    if (errors.lines != lines || (part != NULL && strstr(errors.text, part) == NULL))
        fail_msg("%u lines, expected %u with '%s':\n%s", errors.lines, lines, part ? part : "", errors.text);
}

/* ---- a structure under construction ---- */

static uint8_t info[128 * 1024];
static uint32_t used;
static struct machine machine;
static struct multiboot2_info extra;

static void put32(uint32_t offset, uint32_t v) { memcpy(info + offset, &v, sizeof v); }
static void put64(uint32_t offset, uint64_t v) { memcpy(info + offset, &v, sizeof v); }

/* Returns the tag's offset. */
static uint32_t tag(uint32_t type, const void *payload, uint32_t size)
{
    uint32_t offset = used;
    put32(offset, type);
    put32(offset + 4, 8 + size);
    if (size != 0)
        memcpy(info + offset + 8, payload, size);
    used = (offset + 8 + size + 7) & ~7u;
    return offset;
}

static uint32_t text_tag(uint32_t type, const char *text) { return tag(type, text, (uint32_t)strlen(text) + 1); }

static uint32_t module(uint32_t start, uint32_t end, const char *text)
{
    uint8_t payload[512] = {0};
    memcpy(payload, &start, 4);
    memcpy(payload + 4, &end, 4);
    memcpy(payload + 8, text, strlen(text));
    return tag(3, payload, 8 + (uint32_t)strlen(text) + 1);
}

static uint32_t map_tag;

static void begin_map(void)
{
    map_tag = used;
    tag(6, (uint32_t[]){24, 0}, 8);
}

static void add_map(uint64_t base, uint64_t size, uint32_t type)
{
    put64(used, base);
    put64(used + 8, size);
    put32(used + 16, type);
    put32(used + 20, 0);
    used += 24;
    put32(map_tag + 4, used - map_tag);
}

static void finish(void)
{
    tag(0, NULL, 0);
    put32(0, used);
    put32(4, 0);
}

static void fix_sum(uint8_t *bytes, size_t size, size_t where)
{
    uint8_t sum = 0;
    bytes[where] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[where] = (uint8_t)-sum;
}

/* An RSDP of the revision with the RSDT's address as a mark. */
static void make_rsdp(uint8_t rsdp[36], uint8_t revision, uint32_t mark)
{
    memset(rsdp, 0, 36);
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = revision;
    memcpy(rsdp + 16, &mark, 4);
    fix_sum(rsdp, 20, 8);
    rsdp[20] = 36;
    fix_sum(rsdp, 36, 32);
}

static int setup(void **state)
{
    (void)state;
    memset(info, 0, sizeof info);
    memset(&machine, 0xa5, sizeof machine);
    memset(&extra, 0xa5, sizeof extra);
    errors = (struct error_text){.sink = {text_put}};
    used = 8;
    return 0;
}

/* Parses an exact copy, so that the sanitizer sees every byte too far. */
static bool parse_size(size_t size)
{
    static uint8_t *copy;
    free(copy);
    copy = malloc(size != 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, info, size);
    return multiboot2_parse(copy, size, &machine, &extra, &errors.sink);
}
static bool parse(void) { return parse_size(used); }

static void simple_map(void)
{
    begin_map();
    add_map(0, 0x9f000, 1);
    add_map(0x100000, 0x3ff00000, 1);
}

static void expect_region(uint32_t index, uint64_t base, uint64_t size, enum memory_kind kind)
{
    assert_true(index < machine.region_count);
    assert_true(machine.regions[index].range.base == base);
    assert_true(machine.regions[index].range.size == size);
    assert_int_equal(machine.regions[index].kind, kind);
}

/* ---- the whole ---- */

static void test_everything(void **state)
{
    (void)state;
    uint8_t rsdp[36];
    text_tag(1, "log=debug config=box.conf");
    text_tag(2, "GRUB 2.06-13+deb12u1");
    tag(10, "apm", 4);
    module(0x200000, 0x234567, "ringfence.conf");
    module(0x300000, 0x400000, "  bz  and more");
    make_rsdp(rsdp, 0, 0x1111);
    tag(14, rsdp, 20);
    make_rsdp(rsdp, 2, 0x2222);
    tag(15, rsdp, 36);
    tag(4, (uint32_t[]){640, 65536}, 8);
    begin_map();
    add_map(0, 0x9fc00, 1);
    add_map(0x9fc00, 0x400, 2);
    add_map(0xf0000, 0x10000, 2);
    add_map(0x100000, 0x3fef0000, 1);
    add_map(0x3fff0000, 0x10000, 3);
    add_map(0xfffc0000, 0x40000, 2);
    tag(99, NULL, 0);
    finish();
    assert_true(parse());
    expect_error(0, NULL);

    assert_true(slice_equals(extra.command_line, "log=debug config=box.conf"));
    assert_true(slice_equals(extra.loader_name, "GRUB 2.06-13+deb12u1"));
    assert_int_equal(extra.rsdp_size, 36);
    assert_memory_equal(extra.rsdp, rsdp, 36);
    assert_true(machine.rsdp.raw == 0);
    assert_int_equal(machine.module_count, 2);
    assert_string_equal(machine.modules[0].name, "ringfence.conf");
    assert_true(machine.modules[0].range.base == 0x200000 && machine.modules[0].range.size == 0x34567);
    assert_string_equal(machine.modules[1].name, "bz");
    assert_int_equal(machine.region_count, 6);
    expect_region(0, 0, 0x9fc00, MEMORY_USABLE);
    expect_region(1, 0x9fc00, 0x400, MEMORY_RESERVED);
    expect_region(4, 0x3fff0000, 0x10000, MEMORY_ACPI);
    expect_region(5, 0xfffc0000, 0x40000, MEMORY_RESERVED);
}

static void test_least(void **state)
{
    (void)state;
    simple_map();
    finish();
    assert_true(parse());
    expect_error(0, NULL);
    assert_int_equal(extra.command_line.length, 0);
    assert_int_equal(extra.loader_name.length, 0);
    assert_int_equal(extra.rsdp_size, 0);
    assert_int_equal(machine.module_count, 0);
    assert_int_equal(machine.region_count, 2);
}

/* ---- the chain of tags ---- */

static void expect_refused(const char *part)
{
    assert_false(parse());
    expect_error(1, part);
}

static void test_total_size(void **state)
{
    (void)state;
    simple_map();
    finish();
    static const uint32_t totals[] = {0, 7, 8, 15, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < array_size(totals); i++) {
        put32(0, totals[i]);
        errors = (struct error_text){.sink = {text_put}};
        expect_refused("can be read, expected 16 to 65536");
    }
    put32(0, used + 1);
    errors = (struct error_text){.sink = {text_put}};
    expect_refused("can be read, expected 16 to 65536");
}

static void test_larger_than_the_limit(void **state)
{
    (void)state;
    simple_map();
    while (used < MULTIBOOT2_MAX_SIZE)
        tag(50, NULL, 0);
    finish();
    expect_refused("information of 65544 bytes where 65544 can be read");
}

static void test_no_room_for_a_header(void **state)
{
    (void)state;
    simple_map();
    finish();
    for (size_t size = 0; size < 8; size++) {
        errors = (struct error_text){.sink = {text_put}};
        assert_false(parse_size(size));
        expect_error(1, "information of 0 bytes");
    }
}

/* Cut anywhere, with a total that says so: never more than one line, never a byte too far. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    uint8_t rsdp[36];
    make_rsdp(rsdp, 2, 1);
    text_tag(1, "x");
    tag(15, rsdp, 36);
    module(0x200000, 0x200100, "a");
    simple_map();
    finish();
    for (uint32_t size = 8; size < used; size++) {
        put32(0, size);
        errors = (struct error_text){.sink = {text_put}};
        assert_false(parse_size(size));
        expect_error(1, "expected");
    }
}

static void test_tag_sizes(void **state)
{
    (void)state;
    uint32_t first = text_tag(1, "x");
    simple_map();
    finish();
    static const uint32_t sizes[] = {0, 1, 7, 0x1000, 0x7fffffff, 0xfffffff8, 0xffffffff};
    for (size_t i = 0; i < array_size(sizes); i++) {
        put32(first + 4, sizes[i]);
        errors = (struct error_text){.sink = {text_put}};
        expect_refused("tag of type 1 at offset 0x8 has size");
    }
}

static void test_no_end(void **state)
{
    (void)state;
    simple_map();
    put32(0, used);
    expect_refused("no end tag");
}

static void test_nothing_behind_the_end_counts(void **state)
{
    (void)state;
    simple_map();
    tag(0, NULL, 0);
    text_tag(1, "late");
    put32(0, used);
    assert_true(parse());
    expect_error(0, NULL);
    assert_int_equal(extra.command_line.length, 0);
}

static void test_second_tags_are_not_used(void **state)
{
    (void)state;
    text_tag(1, "first");
    simple_map();
    text_tag(1, "second");
    begin_map();
    add_map(0x40000000, 0x1000, 1);
    finish();
    assert_true(parse());
    expect_error(2, "second tag of type 6");
    assert_true(slice_equals(extra.command_line, "first"));
    assert_int_equal(machine.region_count, 2);
}

static void test_text_without_end(void **state)
{
    (void)state;
    simple_map();
    tag(1, "abcdefgh", 8);
    tag(2, NULL, 0);
    finish();
    assert_true(parse());
    expect_error(2, "expected a zero at its end");
    assert_int_equal(extra.command_line.length, 0);
    assert_int_equal(extra.loader_name.length, 0);
}

/* ---- RSDP ---- */

static void test_rsdp_old_alone(void **state)
{
    (void)state;
    uint8_t rsdp[36];
    make_rsdp(rsdp, 0, 0x1111);
    tag(14, rsdp, 20);
    simple_map();
    finish();
    assert_true(parse());
    expect_error(0, NULL);
    assert_int_equal(extra.rsdp_size, 20);
    assert_memory_equal(extra.rsdp, rsdp, 20);
}

static void test_rsdp_bad_new_falls_back(void **state)
{
    (void)state;
    uint8_t old[36];
    uint8_t new[36];
    make_rsdp(new, 2, 0x2222);
    new[30] ^= 1;
    tag(15, new, 36);
    make_rsdp(old, 0, 0x1111);
    tag(14, old, 20);
    simple_map();
    finish();
    assert_true(parse());
    expect_error(1, "extended checksum");
    assert_int_equal(extra.rsdp_size, 20);
    assert_memory_equal(extra.rsdp, old, 20);
}

static void test_rsdp_all_bad(void **state)
{
    (void)state;
    uint8_t rsdp[36];
    make_rsdp(rsdp, 2, 0x2222);
    tag(15, rsdp, 35);
    rsdp[0] = 'X';
    tag(14, rsdp, 20);
    simple_map();
    finish();
    assert_true(parse());
    expect_error(2, "tag 15 holds 35 bytes, expected an RSDP of 36");
    assert_int_equal(extra.rsdp_size, 0);
}

/* ---- modules ---- */

static void modules_of_simple_map(void)
{
    simple_map();
    finish();
    assert_true(parse());
}

static void test_module_edges(void **state)
{
    (void)state;
    module(0, 0x1000, "zero");              /* at address 0 */
    module(0x200000, 0x200000, "empty");    /* of no size */
    module(0x3fffffff, 0x40000000, "last"); /* up to the end of RAM */
    module(0xfff00000, 0xfff00000, "void"); /* nothing, where nothing is */
    modules_of_simple_map();
    expect_error(0, NULL);
    assert_int_equal(machine.module_count, 4);
    assert_true(machine.modules[0].range.base == 0 && machine.modules[0].range.size == 0x1000);
    assert_true(machine.modules[1].range.size == 0);
    assert_true(machine.modules[2].range.size == 1);
}

static void test_module_ranges_refused(void **state)
{
    (void)state;
    module(0x200001, 0x200000, "wraps");
    module(0xffffffff, 0, "wraps-too");
    module(0x3fffffff, 0x40000001, "past-ram");
    module(0x9e000, 0x101000, "across-a-hole");
    module(0xfee00000, 0xfee01000, "device");
    module(0x200000, 0x201000, "good");
    modules_of_simple_map();
    expect_error(5, "module at 0x3fffffff to 0x40000001 is not used");
    assert_int_equal(machine.module_count, 1);
    assert_string_equal(machine.modules[0].name, "good");
}

/* With RAM from 0 past 4 GiB, end - start in 32 bits would look like a good size. */
static void test_module_that_wraps_into_ram(void **state)
{
    (void)state;
    module(0x2000, 0x1000, "wraps");
    begin_map();
    add_map(0, 0x200000000, 1);
    finish();
    assert_true(parse());
    expect_error(1, "module at 0x2000 to 0x1000 is not used");
    assert_int_equal(machine.module_count, 0);
}

static void test_module_across_merged_regions(void **state)
{
    (void)state;
    module(0x1ff000, 0x201000, "m");
    begin_map();
    add_map(0x200000, 0x100000, 1);
    add_map(0x100000, 0x100000, 1);
    finish();
    assert_true(parse());
    expect_error(0, NULL);
    assert_int_equal(machine.module_count, 1);
}

static void test_module_tag_short(void **state)
{
    (void)state;
    tag(3, NULL, 0);
    tag(3, (uint32_t[]){0x200000, 0x201000}, 8);
    modules_of_simple_map();
    expect_error(2, "has size 16, expected 17 or more");
    assert_int_equal(machine.module_count, 0);
}

static void test_module_names(void **state)
{
    (void)state;
    char longest[MACHINE_MODULE_NAME_SIZE + 1];
    memset(longest, 'n', sizeof longest);
    longest[63] = '\0';
    module(0x200000, 0x201000, longest);
    modules_of_simple_map();
    expect_error(0, NULL);
    assert_string_equal(machine.modules[0].name, longest);

    setup(state);
    longest[63] = 'n';
    longest[64] = '\0';
    module(0x200000, 0x201000, longest);
    modules_of_simple_map();
    expect_error(1, "is cut, expected at most 63");
    assert_int_equal(strlen(machine.modules[0].name), 63);

    setup(state);
    module(0x200000, 0x201000, "");
    module(0x200000, 0x201000, "   ");
    module(0x200000, 0x201000, "twice");
    module(0x300000, 0x301000, "twice\tother");
    module(0x300000, 0x301000, "a\x1b[2J\xff");
    modules_of_simple_map();
    expect_error(3, "has the name 'twice' of an earlier one");
    assert_int_equal(machine.module_count, 5);
    assert_string_equal(machine.modules[3].name, "twice");
    assert_string_equal(machine.modules[4].name, "a?[2J?");
    assert_int_equal(machine_find_module(&machine, slice_of("twice")), 2);
}

static void test_module_name_without_end(void **state)
{
    (void)state;
    tag(3, "\0\0\x20\0\0\x10\x20\0abcd", 12);
    modules_of_simple_map();
    expect_error(2, "expected a zero at its end");
    assert_int_equal(machine.module_count, 1);
    assert_string_equal(machine.modules[0].name, "");
}

static void test_too_many_modules(void **state)
{
    (void)state;
    char name[] = "m00";
    for (unsigned i = 0; i < MACHINE_MAX_MODULES + 2; i++) {
        name[1] = (char)('0' + i / 10);
        name[2] = (char)('0' + i % 10);
        module(0x200000 + i * 0x1000, 0x200800 + i * 0x1000, name);
    }
    modules_of_simple_map();
    expect_error(1, "34 modules, expected at most 32");
    assert_int_equal(machine.module_count, MACHINE_MAX_MODULES);
    assert_string_equal(machine.modules[31].name, "m31");
}

/* ---- memory map ---- */

static void test_map_missing(void **state)
{
    (void)state;
    finish();
    expect_refused("memory map of 0 bytes, expected a tag of type 6");
}

static void test_map_header_cut(void **state)
{
    (void)state;
    tag(6, "1234567", 7);
    finish();
    expect_refused("memory map of 15 bytes");
}

static void test_map_entry_sizes(void **state)
{
    (void)state;
    simple_map();
    finish();
    static const uint32_t sizes[] = {0, 1, 8, 16, 23, 25, 28, 0xffffffff};
    for (size_t i = 0; i < array_size(sizes); i++) {
        put32(map_tag + 8, sizes[i]);
        errors = (struct error_text){.sink = {text_put}};
        expect_refused("expected a multiple of 8 from 24 on");
    }
    put32(map_tag + 8, 0xfffffff8); /* larger than the tag: no whole entry */
    errors = (struct error_text){.sink = {text_put}};
    assert_false(parse());
    expect_error(2, "of 0 entries has no usable memory");
}

static void test_map_larger_entries(void **state)
{
    (void)state;
    uint64_t words[2 * 5] = {0x1000, 0x2000, 1, 7, 7, 0x100000, 0x1000, 1, 7, 7};
    uint8_t payload[8 + sizeof words] = {40};
    memcpy(payload + 8, words, sizeof words);
    tag(6, payload, sizeof payload);
    finish();
    assert_true(parse());
    expect_error(0, NULL);
    assert_int_equal(machine.region_count, 2);
    expect_region(1, 0x100000, 0x1000, MEMORY_USABLE);
}

static void test_map_half_an_entry(void **state)
{
    (void)state;
    simple_map();
    put32(map_tag + 4, used - map_tag + 8);
    put64(used, 0x50000000);
    used += 8;
    finish();
    assert_true(parse());
    expect_error(1, "ends with 8 bytes, expected whole entries of 24");
    assert_int_equal(machine.region_count, 2);
}

static void test_map_nothing_usable(void **state)
{
    (void)state;
    begin_map();
    add_map(0, 0x100000, 1);
    add_map(0, 0x100000, 2);
    add_map(0x200000, 0, 1);
    finish();
    expect_refused("memory map of 3 entries has no usable memory");
}

static void test_map_kinds_and_strictness(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        enum memory_kind kind;
    } kinds[] = {{1, MEMORY_USABLE},
                 {3, MEMORY_ACPI},
                 {4, MEMORY_ACPI},
                 {0, MEMORY_RESERVED},
                 {2, MEMORY_RESERVED},
                 {20, MEMORY_RESERVED},
                 {0xffffffff, MEMORY_RESERVED},
                 {5, MEMORY_BAD}};
    /* Each pair in both orders: the later in the list above is at least as strict. */
    for (size_t i = 0; i < array_size(kinds); i++)
        for (size_t j = 0; j < array_size(kinds); j++) {
            setup(state);
            begin_map();
            add_map(0x1000, 0x3000, kinds[i].type);
            add_map(0x2000, 0x1000, kinds[j].type);
            add_map(0x100000, 0x1000, 1);
            finish();
            assert_true(parse());
            enum memory_kind inner = kinds[i > j ? i : j].kind;
            if (inner == kinds[i].kind) {
                assert_int_equal(machine.region_count, 2);
                expect_region(0, 0x1000, 0x3000, inner);
            } else {
                assert_int_equal(machine.region_count, 4);
                expect_region(0, 0x1000, 0x1000, kinds[i].kind);
                expect_region(1, 0x2000, 0x1000, inner);
                expect_region(2, 0x3000, 0x1000, kinds[i].kind);
            }
        }
}

static void test_map_beyond_physical_addresses(void **state)
{
    (void)state;
    const uint64_t top = (uint64_t)1 << 52;
    simple_map();
    add_map(top - 0x1000, 0x1001, 1); /* usable and too long: not believed at all */
    add_map(UINT64_MAX, UINT64_MAX, 1);
    add_map(0x8000000000, UINT64_MAX, 1);
    add_map(top - 0x2000, UINT64_MAX, 2); /* forbids: cut */
    add_map(top + 1, 0x1000, 2);
    finish();
    assert_true(parse());
    expect_error(5, "memory map entry 2, 0x1001 bytes at 0xffffffffff000, passes 2^52");
    assert_int_equal(machine.region_count, 3);
    expect_region(2, top - 0x2000, 0x2000, MEMORY_RESERVED);
}

static void test_map_wrapping_reserved_still_forbids(void **state)
{
    (void)state;
    begin_map();
    add_map(0, 0x40000000, 1);
    add_map(0x30000000, UINT64_MAX, 2);
    finish();
    assert_true(parse());
    expect_error(1, "passes 2^52");
    assert_int_equal(machine.region_count, 2);
    expect_region(0, 0, 0x30000000, MEMORY_USABLE);
}

static void test_map_too_many_regions(void **state)
{
    (void)state;
    begin_map();
    add_map(0, 0x10000000, 1);
    for (uint32_t i = 0; i < 100; i++)
        add_map(0x1000 + i * 0x2000, 0x1000, 2);
    finish();
    assert_true(parse());
    expect_error(1, "more than 128 memory regions: nothing from address 0x80000 on is used");
    assert_int_equal(machine.region_count, MACHINE_MAX_REGIONS);
    for (uint32_t i = 0; i < MACHINE_MAX_REGIONS; i++)
        expect_region(i, i * 0x1000, 0x1000, i % 2 ? MEMORY_RESERVED : MEMORY_USABLE);
}

/* Random small maps over 64 units, each unit judged on its own. */
static void test_map_oracle(void **state)
{
    static const enum memory_kind kind_of_type[] = {MEMORY_RESERVED, MEMORY_USABLE, MEMORY_RESERVED,
                                                    MEMORY_ACPI,     MEMORY_ACPI,   MEMORY_BAD};
    static const int rank_of_kind[] = {[MEMORY_USABLE] = 1, [MEMORY_ACPI] = 2, [MEMORY_RESERVED] = 3, [MEMORY_BAD] = 4};
    srand(7);
    for (unsigned round = 0; round < 3000; round++) {
        enum memory_kind want[64] = {0};
        bool named[64] = {false};
        setup(state);
        begin_map();
        for (unsigned n = (unsigned)rand() % 20; n > 0; n--) {
            unsigned base = (unsigned)rand() % 64;
            unsigned size = (unsigned)rand() % (65 - base);
            unsigned type = (unsigned)rand() % 6;
            add_map(base * 0x1000, size * 0x1000, type);
            for (unsigned i = base; i < base + size; i++) {
                if (!named[i] || rank_of_kind[kind_of_type[type]] > rank_of_kind[want[i]])
                    want[i] = kind_of_type[type];
                named[i] = true;
            }
        }
        finish();
        bool usable = false;
        for (unsigned i = 0; i < 64; i++)
            usable |= named[i] && want[i] == MEMORY_USABLE;
        assert_int_equal(parse(), usable);
        unsigned at = 0;
        for (uint32_t r = 0; r < machine.region_count; r++) {
            struct range range = machine.regions[r].range;
            assert_true(range.size != 0 && range.base >= at * 0x1000u && range_end(range) <= 64 * 0x1000);
            for (; at < range.base / 0x1000; at++)
                assert_false(named[at]);
            for (; at < range_end(range) / 0x1000; at++)
                assert_true(named[at] && want[at] == machine.regions[r].kind);
            if (r != 0 && range_end(machine.regions[r - 1].range) == range.base)
                assert_int_not_equal(machine.regions[r - 1].kind, machine.regions[r].kind);
        }
        for (; at < 64; at++)
            assert_false(named[at]);
    }
}

/* Any byte may be anything: no read leaves the copy, and what comes out keeps the machine's promises. */
static void test_random_damage(void **state)
{
    srand(3);
    for (unsigned round = 0; round < 5000; round++) {
        uint8_t rsdp[36];
        setup(state);
        make_rsdp(rsdp, 2, 1);
        text_tag(1, "command line");
        tag(15, rsdp, 36);
        module(0x200000, 0x300000, "one");
        module(0x400000, 0x500000, "two");
        simple_map();
        add_map(0x80000, 0x100000, 2);
        finish();
        for (unsigned i = 0; i < 1u + (unsigned)rand() % 4; i++)
            info[(unsigned)rand() % used] = (uint8_t)rand();
        (void)!parse();
        assert_in_range(machine.module_count, 0, 2);
        assert_in_range(machine.region_count, 0, MACHINE_MAX_REGIONS);
        for (uint32_t i = 0; i < machine.region_count; i++) {
            assert_true(range_valid(machine.regions[i].range));
            if (i != 0)
                assert_true(range_end(machine.regions[i - 1].range) <= machine.regions[i].range.base);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_everything),
        TEST(test_least),
        TEST(test_total_size),
        TEST(test_larger_than_the_limit),
        TEST(test_no_room_for_a_header),
        TEST(test_cut_anywhere),
        TEST(test_tag_sizes),
        TEST(test_no_end),
        TEST(test_nothing_behind_the_end_counts),
        TEST(test_second_tags_are_not_used),
        TEST(test_text_without_end),
        TEST(test_rsdp_old_alone),
        TEST(test_rsdp_bad_new_falls_back),
        TEST(test_rsdp_all_bad),
        TEST(test_module_edges),
        TEST(test_module_ranges_refused),
        TEST(test_module_that_wraps_into_ram),
        TEST(test_module_across_merged_regions),
        TEST(test_module_tag_short),
        TEST(test_module_names),
        TEST(test_module_name_without_end),
        TEST(test_too_many_modules),
        TEST(test_map_missing),
        TEST(test_map_header_cut),
        TEST(test_map_entry_sizes),
        TEST(test_map_larger_entries),
        TEST(test_map_half_an_entry),
        TEST(test_map_nothing_usable),
        TEST(test_map_kinds_and_strictness),
        TEST(test_map_beyond_physical_addresses),
        TEST(test_map_wrapping_reserved_still_forbids),
        TEST(test_map_too_many_regions),
        TEST(test_map_oracle),
        TEST(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
