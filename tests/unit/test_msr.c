/* The MSR table: its order, what must never be direct, and what a stock kernel needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/msr.h"

static void test_ascending_and_disjoint(void **state)
{
    (void)state;
    assert_true(msr_rule_count > 20);
    for (size_t i = 0; i < msr_rule_count; i++) {
        assert_true(msr_rules[i].first <= msr_rules[i].last);
        if (i != 0)
            assert_true(msr_rules[i - 1].last < msr_rules[i].first);
    }
}

static void test_actions_make_sense(void **state)
{
    (void)state;
    for (size_t i = 0; i < msr_rule_count; i++) {
        const struct msr_rule *rule = &msr_rules[i];
        assert_int_not_equal(rule->read, MSR_IGNORE);    /* says nothing about what is read */
        assert_int_not_equal(rule->write, MSR_CONSTANT); /* nor this about a write */
        if (rule->read != MSR_CONSTANT)
            assert_true(rule->value == 0);
        /* Only these two ranges are in VT-x's and AMD-V's permission bitmaps. */
        if (rule->read == MSR_DIRECT || rule->write == MSR_DIRECT)
            assert_true(rule->last <= 0x1fff || (rule->first >= 0xc0000000 && rule->last <= 0xc0001fff));
    }
}

/* Each number of the table and its neighbours, against a linear search. */
static void test_find_agrees_with_search(void **state)
{
    (void)state;
    for (size_t i = 0; i < msr_rule_count; i++)
        for (uint64_t n = (uint64_t)msr_rules[i].first - 1; n <= (uint64_t)msr_rules[i].last + 1; n++) {
            const struct msr_rule *want = NULL;
            for (size_t j = 0; j < msr_rule_count; j++)
                if (msr_rules[j].first <= n && n <= msr_rules[j].last)
                    want = &msr_rules[j];
            const struct msr_rule *got = msr_find((uint32_t)n);
            assert_non_null(got);
            if (want != NULL)
                assert_ptr_equal(got, want);
            else
                assert_true(got->read == MSR_REFUSE && got->write == MSR_REFUSE);
        }
}

static void expect(uint32_t number, enum msr_action read, enum msr_action write, uint64_t value)
{
    const struct msr_rule *rule = msr_find(number);
    if (rule->read != read || rule->write != write || rule->value != value)
        fail_msg("MSR 0x%x: read %d, write %d, value 0x%llx", number, (int)rule->read, (int)rule->write,
                 (unsigned long long)rule->value);
}

/* A write to any of these reaches another partition, the firmware or the hypervisor. */
static void test_shared_registers_are_never_written(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {
        0x10,       0x3b,       0x3a,       0x1b,       0x8b,       0x79,       0x17a,      0x179,      0x1a0,
        0x140,      0x830,      0x82f,      0x833,      0x200,      0x20f,      0x250,      0x2ff,      0x1d9,
        0x38f,      0x186,      0xc1,       0x48,       0x49,       0x10a,      0x122,      0x150,      0x199,
        0x19b,      0x1b0,      0x480,      0x491,      0x560,      0x570,      0x600,      0x610,      0x6a0,
        0x774,      0xc80,      0xc8f,      0xd90,      0xda0,      0xe1,       0xe7,       0x34,       0x35,
        0xce,       0xe2,       0x9b,       0xc0000104, 0xc0010010, 0xc0010015, 0xc0010062, 0xc0010114, 0xc0010117,
        0xc0010130, 0xc0010131, 0xc001001a, 0xc0010016, 0xc0011029, 0xc0011030};
    for (size_t i = 0; i < array_size(numbers); i++)
        if (msr_find(numbers[i])->write == MSR_DIRECT)
            fail_msg("MSR 0x%x can be written", numbers[i]);
}

/* All that a guest can write without an exit: switched by the backend, or its own CPU's and reset for its next life. */
static void test_nothing_else_is_written_directly(void **state)
{
    (void)state;
    static const uint32_t allowed[][2] = {{0x174, 0x176},           {0x277, 0x277},          {0x6e0, 0x6e0},
                                          {0x800, 0x82e},           {0x831, 0x832},          {0x834, 0x83f},
                                          {0xc0000080, 0xc0000084}, {0xc0000100, 0xc0000103}};
    for (size_t i = 0; i < msr_rule_count; i++)
        for (uint64_t n = msr_rules[i].first; n <= msr_rules[i].last; n++) {
            bool may = false;
            for (size_t j = 0; j < array_size(allowed); j++)
                may = may || (n >= allowed[j][0] && n <= allowed[j][1]);
            if (msr_is_direct(msr_rules[i].write, false) != may)
                fail_msg("MSR 0x%llx: direct writes: %d", (unsigned long long)n, !may);
        }
}

/* Microcode, power, heat, speculation, counters, traces and debugging: not even read. */
static void test_what_belongs_to_the_box_is_refused(void **state)
{
    (void)state;
    static const uint32_t ranges[][2] = {
        {0x79, 0x79},
        {0x48, 0x49},
        {0x10a, 0x10b},
        {0x122, 0x122}, /* microcode, SPEC_CTRL, PRED_CMD, FLUSH_CMD */
        {0xcd, 0xce},
        {0xe2, 0xe8},
        {0x198, 0x19c},
        {0x1a2, 0x1b2}, /* clock, sleep, throttling, temperature */
        {0x1fc, 0x1fc},
        {0x601, 0x65f},
        {0x690, 0x6af},
        {0x770, 0x777}, /* power limits, CET, HWP */
        {0xc1, 0xc8},
        {0x186, 0x18d},
        {0x309, 0x30c},
        {0x345, 0x345}, /* counters */
        {0x38d, 0x3f7},
        {0x1c8, 0x1de},
        {0x600, 0x600},
        {0x680, 0x68f}, /* counters, branch records, debug store */
        {0x560, 0x58f},
        {0xd90, 0xd90},
        {0x1c4, 0x1c5},
        {0x985, 0x98a}, /* trace, MPX, XFD, user interrupts */
        {0x17a, 0x17b},
        {0x400, 0x47f},
        {0x200, 0x20f},
        {0x250, 0x26f}, /* machine check, MTRR */
        {0xc0000104, 0xc0000105},
        {0xc00000e7, 0xc00000e9}, /* AMD: TSC ratio, LWP, clocks counted */
        {0xc0010000, 0xc0010007},
        {0xc0010020, 0xc0010020}, /* counters, microcode */
        {0xc0010061, 0xc0010073},
        {0xc0010111, 0xc0010119}, /* power states, SMM, SVM */
        {0xc001011e, 0xc001011f},
        {0xc0010200, 0xc001020b}, /* VIRT_SPEC_CTRL, counters */
        {0xc0010290, 0xc001029b},
        {0xc00102b0, 0xc00102b4}, /* power, CPPC */
    };
    for (size_t i = 0; i < array_size(ranges); i++)
        for (uint32_t n = ranges[i][0]; n <= ranges[i][1]; n++)
            expect(n, MSR_REFUSE, MSR_REFUSE, 0);
}

static void test_clock(void **state)
{
    (void)state;
    expect(0x10, MSR_DIRECT, MSR_REFUSE, 0);
    expect(0x3b, MSR_CONSTANT, MSR_IGNORE, 0);
    expect(0x6e0, MSR_APIC, MSR_APIC, 0);
    expect(0x11, MSR_HANDLER, MSR_HANDLER, 0);
    expect(0x12, MSR_HANDLER, MSR_HANDLER, 0);
    expect(0x4b564d00, MSR_HANDLER, MSR_HANDLER, 0);
    expect(0x4b564d01, MSR_HANDLER, MSR_HANDLER, 0);
    expect(0x4b564d02, MSR_REFUSE, MSR_REFUSE, 0); /* asynchronous page faults */
}

static void test_switched_and_private_registers(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0x174,      0x175,      0x176,      0x277,      0xc0000080,
                                       0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100,
                                       0xc0000101, 0xc0000102, 0xc0000103};
    for (size_t i = 0; i < array_size(numbers); i++)
        expect(numbers[i], MSR_DIRECT, MSR_DIRECT, 0);
    expect(0xc0000085, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0xc00000ff, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0x173, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0x177, MSR_REFUSE, MSR_REFUSE, 0);
}

static void test_x2apic(void **state)
{
    (void)state;
    for (uint32_t number = 0x800; number <= 0x83f; number++)
        if (number == 0x830)
            expect(number, MSR_APIC, MSR_HANDLER, 0);
        else if (number == 0x82f || number == 0x833)
            expect(number, MSR_CONSTANT, MSR_IGNORE, 0x10000);
        else
            expect(number, MSR_APIC, MSR_APIC, 0);
    expect(0x7ff, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0x840, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0x1b, MSR_HANDLER, MSR_HANDLER, 0);
}

/* The local APIC is the guest's own in direct mode only. */
static void test_direct_follows_interrupt_mode(void **state)
{
    (void)state;
    assert_true(msr_is_direct(msr_find(0x802)->read, false));
    assert_false(msr_is_direct(msr_find(0x802)->read, true));
    assert_true(msr_is_direct(msr_find(0xc0000081)->read, true));
    assert_false(msr_is_direct(msr_find(0x830)->write, false));
}

static void test_constants(void **state)
{
    (void)state;
    expect(0x3a, MSR_CONSTANT, MSR_REFUSE, 1);
    expect(0x8b, MSR_CONSTANT, MSR_IGNORE, 0);
    expect(0xfe, MSR_CONSTANT, MSR_REFUSE, 0);
    expect(0x140, MSR_CONSTANT, MSR_IGNORE, 0);
    expect(0x1a0, MSR_CONSTANT, MSR_IGNORE, 0x1801);
    expect(0xda0, MSR_CONSTANT, MSR_REFUSE, 0);
    expect(0xc0010015, MSR_CONSTANT, MSR_IGNORE, 0x1000000);
    expect(0xc001001f, MSR_CONSTANT, MSR_IGNORE, 0);
    expect(0xc0011020, MSR_CONSTANT, MSR_IGNORE, 0);
    expect(0xc0011029, MSR_CONSTANT, MSR_IGNORE, 0);
}

static void test_unlisted(void **state)
{
    (void)state;
    expect(0, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0xce, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0x2000, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0x40000000, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0xc0010000, MSR_REFUSE, MSR_REFUSE, 0);
    expect(0xffffffff, MSR_REFUSE, MSR_REFUSE, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ascending_and_disjoint),
        cmocka_unit_test(test_actions_make_sense),
        cmocka_unit_test(test_find_agrees_with_search),
        cmocka_unit_test(test_shared_registers_are_never_written),
        cmocka_unit_test(test_nothing_else_is_written_directly),
        cmocka_unit_test(test_what_belongs_to_the_box_is_refused),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_switched_and_private_registers),
        cmocka_unit_test(test_x2apic),
        cmocka_unit_test(test_direct_follows_interrupt_mode),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_unlisted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
