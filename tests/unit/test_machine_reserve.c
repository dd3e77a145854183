/*
 * Where the hypervisor's own memory goes: every small map held against a search that tries each page, and the limits of
 * the table of regions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/machine.h"

#include <string.h>

static struct machine machine;

static int setup(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof machine);
    return 0;
}

static void add_region(uint64_t base, uint64_t size, enum memory_kind kind)
{
    machine.regions[machine.region_count++] = (struct machine_region){{base, size}, kind};
}

static void add_module(uint64_t base, uint64_t size)
{
    machine.modules[machine.module_count++].range = (struct range){base, size};
}

/* ---- find ---- */

static bool is_usable(struct range wanted)
{
    for (uint32_t i = 0; i < machine.region_count; i++)
        if (machine.regions[i].kind == MEMORY_USABLE && range_includes(machine.regions[i].range, wanted))
            return true;
    return false;
}

static bool is_taken(struct range wanted)
{
    for (uint32_t i = 0; i < machine.module_count; i++)
        if (range_overlaps(machine.modules[i].range, wanted))
            return true;
    return range_overlaps(machine.hypervisor, wanted);
}

/* The highest page of all below `top` at which `size` bytes are free; UINT64_MAX: none. */
static uint64_t oracle(uint64_t size, uint64_t floor, uint64_t ceiling, uint64_t top)
{
    for (uint64_t at = top + PAGE_SIZE; at != 0;) {
        at -= PAGE_SIZE;
        struct range wanted = {at, size};
        if (at >= floor && at + size <= ceiling && is_usable(wanted) && !is_taken(wanted))
            return at;
    }
    return UINT64_MAX;
}

static void expect_found(uint64_t size, uint64_t floor, uint64_t ceiling, uint64_t expected)
{
    uint64_t at = 0x5555;
    bool found = machine_find_free(&machine, size, floor, ceiling, &at);
    assert_int_equal(found, expected != UINT64_MAX);
    if (found)
        assert_int_equal(at, expected);
}

static void finds_the_top_of_one_region(void **state)
{
    (void)state;
    add_region(0x100000, 0x100000, MEMORY_USABLE);
    expect_found(0x10000, 0, UINT64_MAX, 0x1f0000);
    expect_found(0x100000, 0, UINT64_MAX, 0x100000);
    expect_found(0x101000, 0, UINT64_MAX, UINT64_MAX);
    expect_found(0x10000, 0, 0x180000, 0x170000);
    expect_found(0x10000, 0, 0x180fff, 0x170000);
    expect_found(0x10000, 0x1f0000, 0x200000, 0x1f0000);
    expect_found(0x10000, 0x1f0001, 0x200000, UINT64_MAX);
    expect_found(0x10000, 0x200000, 0x300000, UINT64_MAX);
    expect_found(0x123, 0, UINT64_MAX, 0x1ff000);
    expect_found(0x1000, 0x180000, 0x180000, UINT64_MAX); /* nothing between them */
    expect_found(0x1000, 0x190000, 0x180000, UINT64_MAX); /* the wrong way round */
}

static void only_usable_memory_is_found(void **state)
{
    (void)state;
    add_region(0x100000, 0x100000, MEMORY_RESERVED);
    add_region(0x200000, 0x100000, MEMORY_ACPI);
    add_region(0x300000, 0x100000, MEMORY_BAD);
    expect_found(0x1000, 0, UINT64_MAX, UINT64_MAX);
    add_region(0x400000, 0x1000, MEMORY_USABLE);
    expect_found(0x1000, 0, UINT64_MAX, 0x400000);
}

/* What stands low in a low region says nothing about the regions above. */
static void goes_on_after_a_region_without_room(void **state)
{
    (void)state;
    add_region(0x100000, 0x400000, MEMORY_USABLE);
    add_region(0x1000000, 0x400000, MEMORY_USABLE);
    machine.hypervisor = (struct range){0x100000, 0x300000};
    expect_found(0x200000, 0, UINT64_MAX, 0x1200000);
    machine.regions[1].range.base = 0x80000; /* not sorted, and lower than what is wanted */
    machine.regions[1].range.size = 0x80000;
    expect_found(0x200000, 0, UINT64_MAX, UINT64_MAX);
}

static void top_of_the_address_space(void **state)
{
    (void)state;
    add_region(UINT64_MAX - 0xffff, 0xffff, MEMORY_USABLE);
    expect_found(0x2000, 0, UINT64_MAX, UINT64_MAX - 0x2fff);
    add_module(UINT64_MAX - 0x1fff, 0x1fff);
    expect_found(0x2000, 0, UINT64_MAX, UINT64_MAX - 0x3fff);
}

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

enum { PAGES = 24 };

/* Disjoint ascending regions; odd bytes at their edges, as firmware has them. */
static void random_regions(uint32_t *seed)
{
    uint64_t at = random_next(seed) % 3 * PAGE_SIZE;
    while (at < PAGES * PAGE_SIZE && machine.region_count < 5) {
        uint64_t size = (1 + random_next(seed) % 8) * PAGE_SIZE;
        uint64_t odd = random_next(seed) % 4 == 0 ? random_next(seed) % PAGE_SIZE : 0;
        add_region(at + odd, size - odd, random_next(seed) % 4 == 0 ? MEMORY_RESERVED : MEMORY_USABLE);
        at += size + random_next(seed) % 2 * PAGE_SIZE;
    }
}

static struct range random_range(uint32_t *seed)
{
    uint64_t base = random_next(seed) % PAGES * PAGE_SIZE + random_next(seed) % 2 * (random_next(seed) % PAGE_SIZE);
    return (struct range){base, random_next(seed) % 4 * (PAGE_SIZE - random_next(seed) % 3)};
}

static void agrees_with_a_search_of_every_page(void **state)
{
    (void)state;
    uint32_t seed = 7;
    uint32_t found = 0;
    for (uint32_t round = 0; round < 20000; round++) {
        memset(&machine, 0, offsetof(struct machine, cpus));
        random_regions(&seed);
        machine.hypervisor = random_range(&seed);
        for (uint32_t count = random_next(&seed) % 5; count > 0; count--) {
            struct range module = random_range(&seed);
            add_module(module.base, module.size);
        }
        uint64_t size = 1 + random_next(&seed) % (6 * PAGE_SIZE);
        uint64_t floor = random_next(&seed) % 6 * PAGE_SIZE - (random_next(&seed) % 8 == 0 ? PAGE_SIZE / 2 : 0);
        if (floor > PAGES * PAGE_SIZE)
            floor = 0;
        uint64_t ceiling = random_next(&seed) % 3 == 0 ? UINT64_MAX : random_next(&seed) % (40 * PAGE_SIZE);
        uint64_t expected = oracle(size, floor, ceiling, 48 * PAGE_SIZE);
        expect_found(size, floor, ceiling, expected);
        found += expected != UINT64_MAX;
    }
    assert_true(found > 5000 && found < 19000); /* both answers are tried often */
}

/* ---- reserve ---- */

static void expect_map(const struct machine_region *expected, uint32_t count)
{
    assert_int_equal(machine.region_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(machine.regions[i].range.base, expected[i].range.base);
        assert_int_equal(machine.regions[i].range.size, expected[i].range.size);
        assert_int_equal(machine.regions[i].kind, expected[i].kind);
    }
}

static void reserve_cuts_a_region(void **state)
{
    (void)state;
    static const struct {
        struct range reserved;
        uint32_t count;
        struct machine_region expected[5];
    } cases[] = {
        {{0x3000, 0x2000},
         5,
         {{{0, 0x1000}, MEMORY_RESERVED},
          {{0x2000, 0x1000}, MEMORY_USABLE},
          {{0x3000, 0x2000}, MEMORY_RESERVED},
          {{0x5000, 0x5000}, MEMORY_USABLE},
          {{0xa000, 0x1000}, MEMORY_ACPI}}},
        {{0x2000, 0x2000},
         4,
         {{{0, 0x1000}, MEMORY_RESERVED},
          {{0x2000, 0x2000}, MEMORY_RESERVED},
          {{0x4000, 0x6000}, MEMORY_USABLE},
          {{0xa000, 0x1000}, MEMORY_ACPI}}},
        {{0x8000, 0x2000},
         4,
         {{{0, 0x1000}, MEMORY_RESERVED},
          {{0x2000, 0x6000}, MEMORY_USABLE},
          {{0x8000, 0x2000}, MEMORY_RESERVED},
          {{0xa000, 0x1000}, MEMORY_ACPI}}},
        {{0x2000, 0x8000},
         3,
         {{{0, 0x1000}, MEMORY_RESERVED}, {{0x2000, 0x8000}, MEMORY_RESERVED}, {{0xa000, 0x1000}, MEMORY_ACPI}}},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        setup(NULL);
        add_region(0, 0x1000, MEMORY_RESERVED);
        add_region(0x2000, 0x8000, MEMORY_USABLE);
        add_region(0xa000, 0x1000, MEMORY_ACPI);
        assert_true(machine_reserve(&machine, cases[i].reserved));
        expect_map(cases[i].expected, cases[i].count);
    }
}

static void reserve_refuses_what_is_not_in_one_usable_region(void **state)
{
    (void)state;
    static const struct range bad[] = {
        {0, 0x1000},       {0x1000, 0x1000}, {0x1800, 0x1000},     {0x3000, 0x2000},
        {0x3800, 0x1000},  {0x5000, 0x1000}, {0x2000, UINT64_MAX}, {UINT64_MAX - 0xfff, 0x2000},
        {0x10000, 0x1000},
    };
    add_region(0, 0x1000, MEMORY_RESERVED);
    add_region(0x2000, 0x2000, MEMORY_USABLE);
    add_region(0x4000, 0x1000, MEMORY_USABLE); /* touches it: still two regions */
    add_region(0x5000, 0x1000, MEMORY_ACPI);
    static struct machine before;
    before = machine;
    for (size_t i = 0; i < array_size(bad); i++) {
        assert_false(machine_reserve(&machine, bad[i]));
        assert_memory_equal(&machine, &before, sizeof machine);
    }
}

static void reserve_knows_the_end_of_its_table(void **state)
{
    (void)state;
    static struct machine before;
    for (uint32_t i = 0; i < MACHINE_MAX_REGIONS - 1; i++)
        add_region(i * 0x10000ull, 0x8000, MEMORY_USABLE);
    before = machine;
    /* Room for one more region, not for two. */
    assert_false(machine_reserve(&machine, (struct range){0x11000, 0x1000}));
    assert_memory_equal(&machine, &before, sizeof machine);
    assert_true(machine_reserve(&machine, (struct range){0x10000, 0x1000}));
    assert_int_equal(machine.region_count, MACHINE_MAX_REGIONS);
    before = machine;
    assert_false(machine_reserve(&machine, (struct range){0x20000, 0x1000}));
    assert_memory_equal(&machine, &before, sizeof machine);
    assert_true(machine_reserve(&machine, (struct range){0x20000, 0x8000})); /* a whole one needs no room */
    assert_int_equal(machine.region_count, MACHINE_MAX_REGIONS);
}

/* What was found can be reserved, and is then not found again. */
static void find_and_reserve_agree(void **state)
{
    (void)state;
    uint32_t seed = 3;
    for (uint32_t round = 0; round < 500; round++) {
        setup(NULL);
        random_regions(&seed);
        uint64_t size = (1 + random_next(&seed) % 3) * PAGE_SIZE;
        uint64_t at;
        uint64_t last = UINT64_MAX;
        while (machine_find_free(&machine, size, 0, UINT64_MAX, &at)) {
            assert_true(is_usable((struct range){at, size}));
            assert_true(at < last);
            last = at;
            assert_true(machine_reserve(&machine, (struct range){at, size}));
            assert_false(is_usable((struct range){at, size}));
            for (uint32_t i = 1; i < machine.region_count; i++)
                assert_true(range_end(machine.regions[i - 1].range) <= machine.regions[i].range.base);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

/* ---- sum ---- */

static void sums_usable_memory(void **state)
{
    (void)state;
    assert_int_equal(machine_usable(&machine), 0);
    add_region(0, 640 * KIB, MEMORY_USABLE);
    add_region(640 * KIB, 384 * KIB, MEMORY_RESERVED);
    add_region(1 * MIB, 3 * GIB, MEMORY_USABLE);
    add_region(3 * GIB + 1 * MIB, 64 * KIB, MEMORY_ACPI);
    assert_int_equal(machine_usable(&machine), 3 * GIB + 640 * KIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_the_top_of_one_region),
        TEST(only_usable_memory_is_found),
        TEST(goes_on_after_a_region_without_room),
        TEST(top_of_the_address_space),
        TEST(agrees_with_a_search_of_every_page),
        TEST(reserve_cuts_a_region),
        TEST(reserve_refuses_what_is_not_in_one_usable_region),
        TEST(reserve_knows_the_end_of_its_table),
        TEST(find_and_reserve_agree),
        TEST(sums_usable_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
