/* The MSR cache says what the table says, for every number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/msr_cache.h"
#include "core/msr.h"

static struct msr_cache cache;

static bool bit(uint32_t map, uint32_t number) { return (map >> cache.slots[number]) & 1; }

static void test_the_table_in_short(void **state)
{
    (void)state;
    unsigned constants = 0;
    msr_cache_fill(&cache, 0xfee00d00);
    for (uint32_t number = 0; number < MSR_CACHE_END; number++) {
        const struct msr_rule *rule = msr_find(number);
        if (number == MSR_APIC_BASE)
            continue;
        /* A constant without a slot would be slow, not wrong; but there are enough slots. */
        assert_int_equal(bit(cache.readable, number), rule->read == MSR_CONSTANT);
        assert_int_equal(bit(cache.writable, number), rule->read == MSR_CONSTANT && rule->write == MSR_IGNORE);
        if (rule->read != MSR_CONSTANT)
            continue;
        assert_true(cache.values[cache.slots[number]] == rule->value);
        constants++;
    }
    assert_true(constants >= 5);
    assert_false(cache.readable & 1);
    assert_false(cache.writable & 1);
}

static void test_apic_base(void **state)
{
    (void)state;
    msr_cache_fill(&cache, 0xfee00d00);
    assert_true(bit(cache.readable, MSR_APIC_BASE));
    assert_false(bit(cache.writable, MSR_APIC_BASE));
    assert_true(cache.values[cache.slots[MSR_APIC_BASE]] == 0xfee00d00);
    uint32_t readable = cache.readable;
    msr_cache_set_apic_base(&cache, 0xfee00900);
    assert_true(cache.values[cache.slots[MSR_APIC_BASE]] == 0xfee00900);
    assert_int_equal(cache.readable, readable);
    assert_true(msr_apic_base(true) == 0xfee00d00);
    assert_true(msr_apic_base(false) == 0xfee00c00);
}

static void test_filling_again_forgets(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < MSR_CACHE_END; number++)
        cache.slots[number] = 7;
    cache.readable = cache.writable = UINT32_MAX;
    msr_cache_fill(&cache, 0);
    assert_int_equal(cache.slots[0x10], 0);
    assert_false(bit(cache.readable, 0x10));
    assert_false(bit(cache.writable, 0x10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_in_short),
        cmocka_unit_test(test_apic_base),
        cmocka_unit_test(test_filling_again_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
