/*
 * Nested tables in both vendors' formats. The oracle is a walker of its own that visits every entry of every table:
 * what the tables map must be exactly what the chunks say, with the right bits, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/nested_oracle.h"

#define TABLES_BASE 0x7000000u
enum { ENTRIES = 512, MAX_TABLES = 4096, TABLE = 4096 };

static const struct nested_format ept = {.table = 7,
                                         .leaf = 0,
                                         .leaf_large = 1 << 7,
                                         .write_back = 6 << 3,
                                         .uncached = 0,
                                         .read = 1,
                                         .write = 2,
                                         .execute = 4,
                                         .no_execute = 0};
static const struct nested_format npt = {.table = 7,
                                         .leaf = 5,
                                         .leaf_large = 1 << 7,
                                         .write_back = 0,
                                         .uncached = 0x18,
                                         .read = 0,
                                         .write = 2,
                                         .execute = 0,
                                         .no_execute = (uint64_t)1 << 63};
static const struct nested_format *const formats[] = {&ept, &npt};

static const struct cpu_caps all_sizes = {.nested_1g = true, .nested_2m = true, .physical_bits = 46};
static const struct cpu_caps only_2m = {.nested_2m = true, .physical_bits = 46};
static const struct cpu_caps only_4k = {.physical_bits = 46};
static const struct cpu_caps *const caps_list[] = {&all_sizes, &only_2m, &only_4k};

struct test_pages {
    struct page_source source;
    uint32_t taken, limit;
    uint64_t base;
};
static struct test_pages pages;

static bool take(struct page_source *self, hpa_t *out)
{
    struct test_pages *p = (struct test_pages *)self;
    if (p->taken == p->limit)
        return false;
    *out = hpa(p->base + (uint64_t)TABLE * p->taken++);
    return true;
}

static void fresh(struct nested_tables *tables, uint32_t limit)
{
    fake_phys_setup(TABLES_BASE, (uint64_t)MAX_TABLES * TABLE);
    pages = (struct test_pages){{take}, 0, limit, TABLES_BASE};
    assert_true(nested_init(tables, &pages.source));
}

static int teardown(void **state)
{
    (void)state;
    fake_phys_teardown();
    return 0;
}

/* What the oracle expects and finds. */
struct oracle {
    const struct plan_chunk *chunks;
    uint32_t count;
    uint64_t bits;       /* of every leaf */
    uint64_t large;      /* of a leaf above 4 KiB */
    uint64_t table_bits; /* of every other entry */
    uint64_t mapped;     /* bytes seen */
    uint32_t tables;     /* seen */
    uint32_t pages[3];
};

static void check_leaf(struct oracle *o, unsigned level, uint64_t guest, uint64_t entry)
{
    static const uint64_t sizes[] = {0, 0x1000, 0x200000, 0x40000000};
    uint64_t host = entry & 0x000ffffffffff000;
    assert_in_range(level, 1, 3);
    assert_true(host % sizes[level] == 0);
    assert_true((entry & ~(uint64_t)0x000ffffffffff000) == (o->bits | (level > 1 ? o->large : 0)));
    bool found = false;
    for (uint32_t i = 0; i < o->count; i++) {
        const struct plan_chunk *c = &o->chunks[i];
        if (guest >= c->gpa.raw && guest - c->gpa.raw + sizes[level] <= c->size)
            found |= host - c->hpa.raw == guest - c->gpa.raw;
    }
    assert_true(found);
    o->mapped += sizes[level];
    o->pages[level - 1]++;
}

static void visit(struct oracle *o, uint64_t table, unsigned level, uint64_t guest)
{
    o->tables++;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint64_t entry = load64(fake_phys_at(table + 8 * i, 8));
        uint64_t at = guest + (i << (12 + 9 * (level - 1)));
        if (entry == 0)
            continue;
        if (level == 1 || (entry & 1 << 7)) {
            check_leaf(o, level, at, entry);
        } else {
            assert_true((entry & ~(uint64_t)0x000ffffffffff000) == o->table_bits);
            visit(o, entry & 0x000ffffffffff000, level - 1, at);
        }
    }
}

/* The tables hold exactly these chunks, in leaves with these bits, and no other page was taken. Returns what was seen.
 */
static struct oracle check_tables(const struct nested_tables *tables, const struct nested_format *format,
                                  const struct plan_chunk *chunks, uint32_t count, uint64_t bits)
{
    struct oracle o = {
        .chunks = chunks, .count = count, .bits = bits, .large = format->leaf_large, .table_bits = format->table};
    uint64_t total = 0;
    visit(&o, tables->root.raw, 4, 0);
    for (uint32_t i = 0; i < count; i++)
        total += chunks[i].size;
    assert_true(o.mapped == total); /* every leaf lies in a chunk and none twice: the same size is the same set */
    assert_int_equal(o.tables, pages.taken);
    return o;
}

static uint64_t ram_bits(const struct nested_format *format)
{
    return format == &ept ? (6 << 3 | 7) : 7; /* R|W|X write-back; P|W|U */
}

static bool map_ram(struct nested_tables *tables, const struct nested_format *format, const struct cpu_caps *caps,
                    struct plan_chunk chunk)
{
    return nested_map(tables, format, caps, chunk, NESTED_RAM, true, true, &pages.source);
}

/* Maps the chunks of a partition in both formats with each set of page sizes and checks tables, need and bound. */
static void check_partition(const struct plan_partition *p)
{
    for (size_t f = 0; f < array_size(formats); f++)
        for (size_t c = 0; c < array_size(caps_list); c++) {
            struct nested_tables tables;
            fresh(&tables, MAX_TABLES);
            for (uint32_t i = 0; i < p->chunk_count; i++)
                assert_true(map_ram(&tables, formats[f], caps_list[c], p->chunks[i]));
            check_tables(&tables, formats[f], p->chunks, p->chunk_count, ram_bits(formats[f]));
            assert_int_equal(nested_tables_needed(p, caps_list[c]), pages.taken);
            assert_true(pages.taken <= nested_tables_bound(p));
            if (caps_list[c] == &only_4k)
                assert_int_equal(nested_tables_bound(p), pages.taken);
        }
}

static void single_chunks_of_every_shape(void **state)
{
    (void)state;
    const uint64_t guests[] = {0,          0x1000,     0x1ff000,     0x200000,
                               0x3ffff000, 0x40000000, 0x7fffe00000, 0xfffffffff000 - 0x600000};
    const uint64_t offsets[] = {0, 0x1000, 0x200000, 0x40000000}; /* host place, relative to the guest place */
    const uint64_t sizes[] = {0x1000, 0x2000, 0x1ff000, 0x200000, 0x201000, 0x601000};
    for (size_t g = 0; g < array_size(guests); g++)
        for (size_t o = 0; o < array_size(offsets); o++)
            for (size_t s = 0; s < array_size(sizes); s++) {
                uint64_t host = (guests[g] + offsets[o]) & 0xffffffffff;
                struct plan_partition p = {.chunk_count = 1, .chunks = {{{guests[g]}, {host}, sizes[s]}}};
                check_partition(&p);
            }
}

static void neighbours_share_tables(void **state)
{
    (void)state;
    const struct plan_partition p = {
        .chunk_count = 4,
        .chunks = {{{0}, {0x40000000}, 0x201000},
                   {{0x201000}, {0x90000000}, 0x3ff000}, /* ends at 6 MiB, shares a table with the one before */
                   {{0x600000}, {0xa0600000}, 0x200000},
                   {{4 * GIB}, {0x100000000}, 0x1000}},
    };
    check_partition(&p);
}

static void page_sizes_follow_alignment_and_caps(void **state)
{
    (void)state;
    /* 2 GiB from 1 GiB - 2 MiB - 4 KiB on, congruent modulo 1 GiB: each page size occurs. */
    const struct plan_chunk chunk = {{GIB - 0x201000}, {5 * GIB - 0x201000}, 2 * GIB};
    const struct plan_partition p = {.chunk_count = 1, .chunks = {chunk}};
    const struct {
        const struct cpu_caps *caps;
        uint32_t pages[3];
    } cases[] = {
        {&all_sizes, {1 + 511, 1 + 510, 1}}, {&only_2m, {1 + 511, 1 + 510 + 512, 0}}, {&only_4k, {2 * 262144, 0, 0}}};
    for (size_t i = 0; i < array_size(cases); i++) {
        struct nested_tables tables;
        fresh(&tables, MAX_TABLES);
        assert_true(map_ram(&tables, &ept, cases[i].caps, chunk));
        struct oracle seen = check_tables(&tables, &ept, &chunk, 1, ram_bits(&ept));
        assert_memory_equal(seen.pages, cases[i].pages, sizeof seen.pages);
        assert_int_equal(nested_tables_needed(&p, cases[i].caps), pages.taken);
    }
    assert_int_equal(nested_page_size(&all_sizes, gpa(0), hpa(0), GIB), GIB);
    assert_int_equal(nested_page_size(&all_sizes, gpa(0), hpa(0), GIB - 1), 2 * MIB);
    assert_int_equal(nested_page_size(&all_sizes, gpa(0), hpa(0x1000), GIB), 0x1000);
    assert_int_equal(nested_page_size(&all_sizes, gpa(2 * MIB), hpa(4 * MIB), GIB), 2 * MIB);
    assert_int_equal(nested_page_size(&only_4k, gpa(0), hpa(0), GIB), 0x1000);
}

static void big_partition_needs_few_tables(void **state)
{
    (void)state;
    const struct plan_partition p = {.chunk_count = 1, .chunks = {{{0}, {GIB}, 2 * GIB}}};
    assert_int_equal(nested_tables_needed(&p, &all_sizes), 2); /* root, one table of 1 GiB leaves */
    assert_int_equal(nested_tables_needed(&p, &only_2m), 4);
    assert_int_equal(nested_tables_bound(&p), 4 + 1024);
    const struct plan_partition none = {.chunk_count = 0};
    assert_int_equal(nested_tables_bound(&none), 1);
}

static void permissions_and_types(void **state)
{
    (void)state;
    const struct plan_chunk chunk = {{0x200000}, {0xfee00000}, 0x201000};
    const uint64_t no_execute = (uint64_t)1 << 63;
    const struct {
        const struct nested_format *format;
        enum nested_type type;
        bool writable, executable;
        uint64_t bits;
    } cases[] = {
        {&ept, NESTED_RAM, true, true, 0x37},
        {&ept, NESTED_RAM, false, true, 0x35},
        {&ept, NESTED_RAM, true, false, 0x33},
        {&ept, NESTED_RAM, false, false, 0x31},
        {&ept, NESTED_DEVICE, true, false, 0x3},
        {&npt, NESTED_RAM, true, true, 0x7},
        {&npt, NESTED_RAM, false, true, 0x5},
        {&npt, NESTED_RAM, true, false, no_execute | 0x7},
        {&npt, NESTED_DEVICE, true, false, no_execute | 0x1f},
        {&npt, NESTED_DEVICE, false, false, no_execute | 0x1d},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        struct nested_tables tables;
        fresh(&tables, MAX_TABLES);
        assert_true(nested_map(&tables, cases[i].format, &all_sizes, chunk, cases[i].type, cases[i].writable,
                               cases[i].executable, &pages.source));
        check_tables(&tables, cases[i].format, &chunk, 1, cases[i].bits);
    }
}

static void lookup_agrees_with_the_chunk(void **state)
{
    (void)state;
    const struct plan_chunk chunk = {{GIB - 0x201000}, {5 * GIB - 0x201000}, GIB + 0x400000};
    for (size_t f = 0; f < array_size(formats); f++) {
        struct nested_tables tables;
        fresh(&tables, MAX_TABLES);
        assert_true(map_ram(&tables, formats[f], &all_sizes, chunk));
        const struct {
            uint64_t guest, page;
        } hits[] = {{GIB - 0x201000, 0x1000},
                    {GIB - 0x200001, 0x1000},
                    {GIB - 0x200000, 0x200000},
                    {GIB - 1, 0x200000},
                    {GIB, GIB},
                    {2 * GIB - 1, GIB},
                    {2 * GIB, 0x1000},
                    {2 * GIB + 0x1fefff, 0x1000}};
        for (size_t i = 0; i < array_size(hits); i++) {
            hpa_t host;
            uint64_t size, entry;
            assert_true(nested_lookup(&tables, formats[f], gpa(hits[i].guest), &host, &size, &entry));
            assert_true(host.raw == hits[i].guest + 4 * GIB);
            assert_true(size == hits[i].page);
            assert_true((entry & 0xfff & ~(uint64_t)0x80) == ram_bits(formats[f]));
            assert_int_equal((entry & 0x80) != 0, size != 0x1000);
        }
        const uint64_t misses[] = {0,         GIB - 0x201001,          2 * GIB + 0x1ff000,
                                   511 * GIB, ((uint64_t)1 << 48) - 1, ((uint64_t)1 << 48) + GIB,
                                   UINT64_MAX};
        for (size_t i = 0; i < array_size(misses); i++) {
            hpa_t host = {1};
            uint64_t size = 2, entry = 3;
            assert_false(nested_lookup(&tables, formats[f], gpa(misses[i]), &host, &size, &entry));
            assert_true(host.raw == 1 && size == 2 && entry == 3);
        }
    }
}

/* Every overlap of two chunks at small scope: refused, and the tables stay as they were. */
static void double_mapping_is_refused_whole(void **state)
{
    (void)state;
    const struct plan_chunk first[] = {
        {{0x400000}, {0x1000000}, 0x1000}, {{0x400000}, {0x1000000}, 0x200000}, {{GIB}, {GIB}, GIB}};
    for (size_t f = 0; f < array_size(formats); f++)
        for (size_t i = 0; i < array_size(first); i++) {
            uint64_t from = first[i].gpa.raw, end = from + first[i].size;
            const struct plan_chunk second[] = {
                first[i],
                {{from - 0x200000}, {0x2000000}, 0x201000},
                {{from - 0x1000}, {0x2000000}, 0x2000},
                {{end - 0x1000}, {0x2000000}, 0x1000},
                {{end - 0x1000}, {0x2000000}, 0x800000},
                {{0}, {0}, 4 * GIB},
            };
            struct nested_tables tables;
            fresh(&tables, MAX_TABLES);
            assert_true(map_ram(&tables, formats[f], &all_sizes, first[i]));
            for (size_t k = 0; k < array_size(second); k++) {
                assert_false(map_ram(&tables, formats[f], &all_sizes, second[k]));
                check_tables(&tables, formats[f], &first[i], 1, ram_bits(formats[f]));
            }
            struct plan_chunk both[] = {first[i], {{end}, {0x3000000}, 0x1000}};
            assert_true(map_ram(&tables, formats[f], &all_sizes, both[1]));
            check_tables(&tables, formats[f], both, 2, ram_bits(formats[f]));
        }
}

static void misfits_are_refused(void **state)
{
    (void)state;
    const uint64_t guest_end = (uint64_t)1 << 48, host_end = (uint64_t)1 << 46;
    const struct plan_chunk bad[] = {
        {{0x800}, {0x1000}, 0x1000},
        {{0x1000}, {0x1001}, 0x1000},
        {{0x1000}, {0x1000}, 0x1800},
        {{guest_end}, {0x1000}, 0x1000},
        {{guest_end - 0x1000}, {0x1000}, 0x2000},
        {{0x1000}, {host_end}, 0x1000},
        {{0x1000}, {host_end - 0x1000}, 0x2000},
        {{UINT64_MAX - 0xfff}, {0x1000}, 0x1000},
        {{UINT64_MAX - 0xfff}, {0x1000}, 0x2000},
        {{0x1000}, {UINT64_MAX - 0xfff}, 0x2000},
        {{0x1000}, {0x1000}, UINT64_MAX - 0xfff},
    };
    struct nested_tables tables;
    fresh(&tables, MAX_TABLES);
    for (size_t i = 0; i < array_size(bad); i++)
        assert_false(map_ram(&tables, &ept, &all_sizes, bad[i]));
    check_tables(&tables, &ept, NULL, 0, 0);

    const struct plan_chunk last = {{guest_end - 0x1000}, {host_end - 0x1000}, 0x1000};
    assert_true(map_ram(&tables, &ept, &all_sizes, last));
    check_tables(&tables, &ept, &last, 1, ram_bits(&ept));

    const struct cpu_caps narrow = {.physical_bits = 36}, silent = {.physical_bits = 0};
    assert_false(map_ram(&tables, &ept, &narrow, (struct plan_chunk){{0}, {(uint64_t)1 << 36}, 0x1000}));
    assert_false(map_ram(&tables, &ept, &silent, (struct plan_chunk){{0}, {0x1000}, 0x1000}));
}

static void running_out_of_pages_is_reported(void **state)
{
    (void)state;
    const struct plan_partition p = {.chunk_count = 1, .chunks = {{{GIB - 0x1000}, {0x1000}, 0x402000}}};
    uint32_t need = nested_tables_needed(&p, &only_4k);
    assert_int_equal(need, 1 + 1 + 2 + 4);
    for (uint32_t limit = 1; limit <= need; limit++) {
        struct nested_tables tables;
        fresh(&tables, limit);
        assert_int_equal(map_ram(&tables, &ept, &only_4k, p.chunks[0]), limit == need);
        assert_int_equal(pages.taken, limit);
    }
    struct nested_tables tables;
    pages = (struct test_pages){{take}, 0, 0, TABLES_BASE};
    assert_false(nested_init(&tables, &pages.source));
    pages = (struct test_pages){{take}, 0, 1, TABLES_BASE + 8}; /* a page that is none */
    assert_false(nested_init(&tables, &pages.source));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(single_chunks_of_every_shape, teardown),
        cmocka_unit_test_teardown(neighbours_share_tables, teardown),
        cmocka_unit_test_teardown(page_sizes_follow_alignment_and_caps, teardown),
        cmocka_unit_test_teardown(big_partition_needs_few_tables, teardown),
        cmocka_unit_test_teardown(permissions_and_types, teardown),
        cmocka_unit_test_teardown(lookup_agrees_with_the_chunk, teardown),
        cmocka_unit_test_teardown(double_mapping_is_refused_whole, teardown),
        cmocka_unit_test_teardown(misfits_are_refused, teardown),
        cmocka_unit_test_teardown(running_out_of_pages_is_reported, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
