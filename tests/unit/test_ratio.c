/*
 * Conversion between clocks, against the host compiler's own 128-bit division.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/ratio.h"

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* All sizes are equally likely. */
static uint64_t pick(void)
{
    uint64_t value = next_random();

    return value >> next_random() % 64;
}

static void expect_exact(uint64_t value, uint64_t numerator, uint64_t denominator)
{
    unsigned __int128 product = (unsigned __int128)value * numerator;
    unsigned __int128 low = denominator == 0 ? UINT64_MAX : product / denominator;
    unsigned __int128 high = denominator == 0 ? UINT64_MAX : low + (product % denominator != 0);

    assert_true(ratio_floor(value, numerator, denominator) == (low > UINT64_MAX ? UINT64_MAX : (uint64_t)low));
    assert_true(ratio_ceil(value, numerator, denominator) == (high > UINT64_MAX ? UINT64_MAX : (uint64_t)high));
}

static void random_values(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 300000; i++)
        expect_exact(pick(), pick(), pick());
}

/* Where digits must be corrected: neighbours of powers of two. */
static void edges(void **state)
{
    uint64_t values[64 * 3];
    size_t count = 0;

    (void)state;
    for (uint32_t bit = 0; bit < 64; bit++)
        for (uint64_t offset = 0; offset < 3; offset++)
            values[count++] = ((uint64_t)1 << bit) - 1 + offset;
    for (size_t a = 0; a < count; a += 2)
        for (size_t b = 0; b < count; b += 3)
            for (size_t c = 0; c < count; c++)
                expect_exact(values[a], values[b], values[c]);
}

static void what_does_not_fit_is_the_largest(void **state)
{
    (void)state;
    assert_true(ratio_floor(5, 6, 0) == UINT64_MAX);
    assert_true(ratio_ceil(0, 0, 0) == UINT64_MAX);
    assert_true(ratio_floor(UINT64_MAX, 2, 1) == UINT64_MAX);
    assert_true(ratio_ceil(UINT64_MAX, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
    assert_true(ratio_ceil(UINT64_MAX, 2, 3) == 0xaaaaaaaaaaaaaaaa);
    assert_true(ratio_floor(10, 10, 3) == 33);
    assert_true(ratio_ceil(10, 10, 3) == 34);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_values),
        cmocka_unit_test(edges),
        cmocka_unit_test(what_does_not_fit_is_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
