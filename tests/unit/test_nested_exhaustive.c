/*
 * Nested tables at small scope, all of it: every chunk and every pair of chunks between nine addresses at which pages,
 * tables and the root's entries begin and end, with every page size, alignment and right. The oracle reads every entry
 * of every table: what they map must be what the chunks say, with their rights and in the largest pages, and nothing
 * else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/nested_oracle.h"

enum { TABLE = 4096, ENTRIES = 512, MAX_TABLES = 64, MAX_LEAVES = 2048, MAX_CHUNKS = 2 };
#define TABLES_BASE 0x7000000u
#define MIDDLE      (512 * GIB) /* where a root entry's, a 1 GiB and a 2 MiB page's range begin */
#define HOST_MIDDLE (64 * GIB)
#define ADDRESS     ((uint64_t)0x000ffffffffff000)

static const uint64_t points[] = {
    MIDDLE - GIB,     MIDDLE - 2 * MIB - 4 * KIB, MIDDLE - 2 * MIB,           MIDDLE - 4 * KIB, MIDDLE,
    MIDDLE + 4 * KIB, MIDDLE + 2 * MIB,           MIDDLE + 2 * MIB + 4 * KIB, MIDDLE + GIB,
};
enum { POINTS = array_size(points) };

/* How far the host's side is from a place where the largest pages fit. */
static const uint64_t shifts[] = {0, 2 * MIB, 4 * KIB};

static const struct nested_format formats[] = {
    {.table = 7, .leaf_large = 1 << 7, .write_back = 6 << 3, .read = 1, .write = 2, .execute = 4},
    {.table = 7, .leaf = 5, .leaf_large = 1 << 7, .uncached = 0x18, .write = 2, .no_execute = (uint64_t)1 << 63},
};

struct rights {
    enum nested_type type;
    bool writable, executable;
};

/* What the bits of a leaf mean, written out once more from the manuals: by format, device, writable, executable. */
static const uint64_t leaf_bits[2][2][2][2] = {
    {{{0x31, 0x35}, {0x33, 0x37}}, {{0x01, 0x05}, {0x03, 0x07}}},
    {{{0x8000000000000005, 0x05}, {0x8000000000000007, 0x07}},
     {{0x800000000000001d, 0x1d}, {0x800000000000001f, 0x1f}}},
};

struct layout {
    size_t format;
    struct cpu_caps caps;
    uint32_t count;
    struct plan_chunk chunks[MAX_CHUNKS];
    struct rights rights[MAX_CHUNKS];
};

static struct test_pages {
    struct page_source source;
    uint32_t taken;
} pages;
static unsigned layouts, leaves, tables_seen;

static bool take(struct page_source *self, hpa_t *out)
{
    (void)self;
    if (pages.taken == MAX_TABLES)
        return false;
    *out = hpa(TABLES_BASE + (uint64_t)TABLE * pages.taken++);
    return true;
}

static struct rights rights_of(uint32_t number)
{
    return (struct rights){number & 4 ? NESTED_DEVICE : NESTED_RAM, number & 2, number & 1};
}

/* The largest page that may begin `done` bytes into a chunk. */
static uint64_t largest_page(const struct cpu_caps *caps, const struct plan_chunk *chunk, uint64_t done)
{
    const uint64_t sizes[] = {caps->nested_1g ? GIB : 0, caps->nested_2m ? 2 * MIB : 0};
    for (size_t i = 0; i < array_size(sizes); i++)
        if (sizes[i] != 0 && (chunk->gpa.raw + done) % sizes[i] == 0 && (chunk->hpa.raw + done) % sizes[i] == 0 &&
            chunk->size - done >= sizes[i])
            return sizes[i];
    return 4 * KIB;
}

static uint32_t leaves_of(const struct cpu_caps *caps, const struct plan_chunk *chunk)
{
    uint32_t count = 0;
    for (uint64_t done = 0; done < chunk->size && count <= MAX_LEAVES; count++)
        done += largest_page(caps, chunk, done);
    return count;
}

/* One leaf: in a chunk, of its largest size, at its place, with its rights. Returns its bytes. */
static uint64_t check_leaf(const struct layout *l, unsigned level, uint64_t guest, uint64_t entry)
{
    uint64_t size = (uint64_t)TABLE << (9 * (level - 1));
    for (uint32_t i = 0; i < l->count; i++) {
        const struct plan_chunk *c = &l->chunks[i];
        const struct rights *r = &l->rights[i];
        if (guest < c->gpa.raw || guest - c->gpa.raw >= c->size)
            continue;
        uint64_t done = guest - c->gpa.raw;
        uint64_t bits = leaf_bits[l->format][r->type == NESTED_DEVICE][r->writable][r->executable];
        assert_true(size == largest_page(&l->caps, c, done));
        assert_true(entry == ((c->hpa.raw + done) | bits | (level > 1 ? 1 << 7 : 0)));
        leaves++;
        return size;
    }
    fail_msg("0x%lx is mapped and in no chunk", guest);
    return 0;
}

/* Every entry of every table below. Returns the bytes that are mapped. */
static uint64_t check_table(const struct layout *l, uint64_t table, unsigned level, uint64_t guest)
{
    const uint8_t *entries = fake_phys_at(table, TABLE);
    uint64_t mapped = 0;
    tables_seen++;
    for (uint64_t i = 0; i < ENTRIES; i++) {
        uint64_t entry = load64(entries + 8 * i);
        uint64_t at = guest + (i << (12 + 9 * (level - 1)));
        if (entry == 0)
            continue;
        assert_true(level < 4 || (entry & 1 << 7) == 0);
        if (level == 1 || (entry & 1 << 7)) {
            mapped += check_leaf(l, level, at, entry);
        } else {
            assert_true((entry & ~ADDRESS) == 7);
            mapped += check_table(l, entry & ADDRESS, level - 1, at);
        }
    }
    return mapped;
}

/* The walk that the hardware does, at both ends of every chunk and beside them. */
static void check_lookups(const struct layout *l, const struct nested_tables *tables)
{
    for (size_t p = 0; p < POINTS; p++)
        for (uint64_t side = 0; side < 2; side++) {
            uint64_t guest = points[p] - side, size, entry;
            hpa_t host;
            bool found = nested_lookup(tables, &formats[l->format], gpa(guest), &host, &size, &entry);
            bool expected = false;
            for (uint32_t i = 0; i < l->count; i++) {
                uint64_t done = guest - l->chunks[i].gpa.raw;
                if (guest < l->chunks[i].gpa.raw || done >= l->chunks[i].size)
                    continue;
                expected = true;
                assert_true(found && host.raw == l->chunks[i].hpa.raw + done);
            }
            assert_true(found == expected);
        }
}

static bool map(struct nested_tables *tables, const struct layout *l, uint32_t i)
{
    return nested_map(tables, &formats[l->format], &l->caps, l->chunks[i], l->rights[i].type, l->rights[i].writable,
                      l->rights[i].executable, &pages.source);
}

static void check_tables(const struct layout *l, const struct nested_tables *tables)
{
    uint64_t bytes = 0;
    tables_seen = 0;
    for (uint32_t i = 0; i < l->count; i++)
        bytes += l->chunks[i].size;
    /* Every leaf lies in a chunk and no two at one address, so the same size is the same set. */
    assert_true(check_table(l, tables->root.raw, 4, 0) == bytes);
    assert_int_equal(tables_seen, pages.taken);
}

static void check_layout(struct layout *l)
{
    struct plan_partition p = {.chunk_count = l->count};
    struct nested_tables tables;
    memset(fake_phys_at(TABLES_BASE, TABLE * MAX_TABLES), 0, (size_t)TABLE * pages.taken);
    pages.taken = 0;
    assert_true(nested_init(&tables, &pages.source));
    bool overlap = l->count == 2 && l->chunks[1].gpa.raw < l->chunks[0].gpa.raw + l->chunks[0].size &&
                   l->chunks[0].gpa.raw < l->chunks[1].gpa.raw + l->chunks[1].size;
    for (uint32_t i = 0; i < l->count; i++) {
        assert_true(map(&tables, l, i) == !(overlap && i == 1));
        p.chunks[i] = l->chunks[i];
    }
    if (overlap)
        l->count = p.chunk_count = 1; /* the second one has left nothing behind */
    check_tables(l, &tables);
    check_lookups(l, &tables);
    assert_int_equal(nested_tables_needed(&p, &l->caps), pages.taken);
    assert_true(nested_tables_bound(&p) >= pages.taken);
    layouts++;
}

static struct plan_chunk chunk_between(size_t from, size_t end, uint64_t shift)
{
    return (struct plan_chunk){
        {points[from]}, {points[from] - MIDDLE + HOST_MIDDLE + shift}, points[end] - points[from]};
}

static struct layout layout_of(size_t variant)
{
    return (struct layout){
        .format = variant & 1,
        .caps = {.nested_2m = variant & 2, .nested_1g = variant & 4, .physical_bits = 46},
    };
}

static void each_chunk(void (*check)(struct layout *))
{
    for (size_t variant = 0; variant < 8; variant++)
        for (size_t from = 0; from < POINTS; from++)
            for (size_t end = from + 1; end < POINTS; end++)
                for (size_t s = 0; s < array_size(shifts); s++) {
                    struct layout l = layout_of(variant);
                    l.count = 1;
                    l.chunks[0] = chunk_between(from, end, shifts[s]);
                    if (leaves_of(&l.caps, &l.chunks[0]) <= MAX_LEAVES)
                        check(&l);
                }
}

static void with_all_rights(struct layout *l)
{
    for (uint32_t rights = 0; rights < 8; rights++) {
        l->rights[0] = rights_of(rights);
        check_layout(l);
    }
}

/* A second chunk behind it, or over any part of it, with the opposite rights. */
static void with_second_chunk(struct layout *l)
{
    for (size_t from = 0; from < POINTS; from++)
        for (size_t end = from + 1; end < POINTS; end++)
            for (size_t s = 0; s < array_size(shifts); s++) {
                struct layout two = *l;
                two.count = 2;
                two.chunks[1] = chunk_between(from, end, shifts[s] + 128 * GIB);
                two.rights[0] = rights_of((uint32_t)(from + s) % 8);
                two.rights[1] = rights_of(7 - (uint32_t)(from + s) % 8);
                if (points[end] > l->chunks[0].gpa.raw && leaves_of(&two.caps, &two.chunks[1]) <= MAX_LEAVES)
                    check_layout(&two);
            }
}

static int setup(void **state)
{
    (void)state;
    fake_phys_setup(TABLES_BASE, (uint64_t)TABLE * MAX_TABLES);
    pages = (struct test_pages){{take}, 0};
    layouts = leaves = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_phys_teardown();
    return 0;
}

static void every_chunk_with_every_right(void **state)
{
    (void)state;
    each_chunk(with_all_rights);
    print_message("%u layouts, %u leaves\n", layouts, leaves);
    assert_true(layouts > 4000);
}

static void every_pair_of_chunks(void **state)
{
    (void)state;
    each_chunk(with_second_chunk);
    print_message("%u layouts, %u leaves\n", layouts, leaves);
    assert_true(layouts > 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_chunk_with_every_right, setup, teardown),
        cmocka_unit_test_setup_teardown(every_pair_of_chunks, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
