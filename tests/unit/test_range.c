/* Range arithmetic against 128-bit integers, over every pair of interesting ranges up to the end of the address space.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/range.h"

typedef unsigned __int128 wide;

static const uint64_t values[] = {0,
                                  1,
                                  2,
                                  3,
                                  4,
                                  5,
                                  0xfff,
                                  0x1000,
                                  0x1001,
                                  0x7fffffffffffffff,
                                  0x8000000000000000,
                                  0x8000000000000001,
                                  UINT64_MAX - 4096,
                                  UINT64_MAX - 4095,
                                  UINT64_MAX - 2,
                                  UINT64_MAX - 1,
                                  UINT64_MAX};

static wide end_of(struct range r) { return (wide)r.base + r.size; }

/* Calls `check` with every pair of valid ranges. */
static void each_pair(void (*check)(struct range a, struct range b))
{
    for (size_t i = 0; i < array_size(values); i++)
        for (size_t j = 0; j < array_size(values); j++)
            for (size_t k = 0; k < array_size(values); k++)
                for (size_t l = 0; l < array_size(values); l++) {
                    struct range a = {values[i], values[j]};
                    struct range b = {values[k], values[l]};
                    if (range_valid(a) && range_valid(b))
                        check(a, b);
                }
}

static void valid_means_the_end_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_size(values); i++)
        for (size_t j = 0; j < array_size(values); j++) {
            struct range r = {values[i], values[j]};
            assert_int_equal(range_valid(r), end_of(r) <= UINT64_MAX);
            if (range_valid(r))
                assert_true(range_end(r) == end_of(r));
        }
}

static void contains_is_half_open(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_size(values); i++)
        for (size_t j = 0; j < array_size(values); j++)
            for (size_t k = 0; k < array_size(values); k++) {
                struct range r = {values[i], values[j]};
                bool inside = values[k] >= r.base && values[k] < end_of(r);
                if (range_valid(r))
                    assert_int_equal(range_contains(r, values[k]), inside);
            }
}

static void check_includes(struct range a, struct range b)
{
    assert_int_equal(range_includes(a, b), b.base >= a.base && end_of(b) <= end_of(a));
}

static void includes_matches_wide_arithmetic(void **state)
{
    (void)state;
    each_pair(check_includes);
}

static void check_overlap(struct range a, struct range b)
{
    wide first = a.base > b.base ? a.base : b.base;
    wide end = end_of(a) < end_of(b) ? end_of(a) : end_of(b);
    struct range both = range_intersect(a, b);

    assert_int_equal(range_overlaps(a, b), first < end);
    assert_int_equal(range_overlaps(a, b), range_overlaps(b, a));
    if (first < end) {
        assert_true(both.base == first);
        assert_true(end_of(both) == end);
    } else {
        assert_int_equal(both.size, 0);
    }
}

static void overlap_and_intersection_match_wide_arithmetic(void **state)
{
    (void)state;
    each_pair(check_overlap);
}

static void align_up_refuses_to_wrap(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_size(values); i++)
        for (unsigned shift = 0; shift < 64; shift++) {
            uint64_t alignment = (uint64_t)1 << shift;
            wide expected = ((wide)values[i] + alignment - 1) / alignment * alignment;
            uint64_t out = 0x5a;
            bool done = align_up(values[i], alignment, &out);
            assert_int_equal(done, expected <= UINT64_MAX);
            assert_true(out == (done ? (uint64_t)expected : 0x5a));
            assert_true(align_down(values[i], alignment) == values[i] / alignment * alignment);
            assert_int_equal(is_aligned(values[i], alignment), values[i] % alignment == 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_means_the_end_fits),
        cmocka_unit_test(contains_is_half_open),
        cmocka_unit_test(includes_matches_wide_arithmetic),
        cmocka_unit_test(overlap_and_intersection_match_wide_arithmetic),
        cmocka_unit_test(align_up_refuses_to_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
