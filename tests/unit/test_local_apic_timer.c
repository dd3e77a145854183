/*
 * The local APIC's timer against the Intel SDM, vol. 3A, "APIC Timer" and "TSC-Deadline Mode", at frequencies that do
 * not divide each other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/local_apic.h"
#include "core/bytes.h"
#include "tests/unit/local_apic_box.h"

enum { PERIODIC = 0x20000, DEADLINE = 0x40000, VECTOR = 0x44, DIVIDE_BY_1 = 0xb };

/* The bus clock that a TSC tick belongs to, and the first tick of a clock: by the compiler's own arithmetic. */
static uint64_t clock_of(uint64_t tsc) { return (uint64_t)((unsigned __int128)tsc * BUS_HZ / TSC_HZ); }
static uint64_t tsc_of(uint64_t clock) { return (uint64_t)(((unsigned __int128)clock * TSC_HZ + BUS_HZ - 1) / BUS_HZ); }

/* Takes the timer's interrupt, if there is one, and ends it. */
static bool took(void)
{
    int vector = local_apic_pending(&lapic);

    if (vector < 0)
        return false;
    assert_int_equal(vector, VECTOR);
    local_apic_take(&lapic, VECTOR);
    put(EOI, 0);
    return true;
}

static void tick_at(uint64_t when)
{
    now = when;
    local_apic_tick(&lapic, now);
}

/* "Divide Configuration Register" */
static void every_divisor(void **state)
{
    static const struct {
        uint32_t code, divisor;
    } divisors[] = {{0x0, 2}, {0x1, 4}, {0x2, 8}, {0x3, 16}, {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};

    for (size_t i = 0; i < array_size(divisors); i++) {
        setup_enabled(state);
        now = 123456789012345;
        uint64_t start = clock_of(now);
        put(DIVIDE, divisors[i].code);
        put(LVT_TIMER, VECTOR);
        put(INITIAL_COUNT, 1000);
        assert_int_equal(get(CURRENT_COUNT), 1000);
        now = tsc_of(start + 10 * divisors[i].divisor);
        assert_int_equal(get(CURRENT_COUNT), 990);
        now--;
        assert_int_equal(get(CURRENT_COUNT), 991);
        assert_true(local_apic_next_deadline(&lapic) == tsc_of(start + 1000 * divisors[i].divisor));
    }
}

/* "APIC Timer": one-shot. */
static void one_shot_comes_once_at_its_time(void **state)
{
    (void)state;
    now = 1000;
    uint64_t start = clock_of(now);
    put(DIVIDE, DIVIDE_BY_1);
    put(LVT_TIMER, VECTOR);
    put(INITIAL_COUNT, 12345);
    uint64_t due = local_apic_next_deadline(&lapic);
    assert_true(due == tsc_of(start + 12345));
    tick_at(due - 1);
    assert_false(took());
    assert_int_equal(get(CURRENT_COUNT), 1);
    tick_at(due);
    assert_true(took());
    assert_int_equal(get(CURRENT_COUNT), 0);
    assert_int_equal(get(INITIAL_COUNT), 12345);
    assert_true(local_apic_next_deadline(&lapic) == LOCAL_APIC_NEVER);
    tick_at(UINT64_MAX);
    assert_false(took());
}

/* "APIC Timer": periodic. However late the ticks come, the grid stays. */
static void periodic_keeps_its_phase(void **state)
{
    (void)state;
    now = 777;
    uint64_t start = clock_of(now);
    put(DIVIDE, 0x3);
    put(LVT_TIMER, PERIODIC | VECTOR);
    put(INITIAL_COUNT, 625);
    uint64_t period = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        uint64_t skip = i % 7 == 0 ? i % 5 : 0;
        uint64_t due = tsc_of(start + (period + 1) * 625 * 16);
        assert_true(local_apic_next_deadline(&lapic) == due);
        tick_at(due - 1);
        assert_false(took());
        tick_at(tsc_of(start + (period + 1 + skip) * 625 * 16) + i % 1000);
        assert_true(took());
        assert_false(took());
        assert_in_range(get(CURRENT_COUNT), 620, 625);
        period += 1 + skip;
    }
}

/* Two that come before the guest takes the first are one. */
static void periods_merge_while_the_guest_does_not_take_them(void **state)
{
    (void)state;
    put(DIVIDE, DIVIDE_BY_1);
    put(LVT_TIMER, PERIODIC | VECTOR);
    put(INITIAL_COUNT, 1000);
    tick_at(tsc_of(1000));
    tick_at(tsc_of(2000));
    tick_at(tsc_of(5500));
    assert_true(took());
    assert_false(took());
}

/* "APIC Timer": a masked timer counts; what came under the mask does not come later. */
static void masked_periods_are_lost(void **state)
{
    (void)state;
    put(DIVIDE, DIVIDE_BY_1);
    put(LVT_TIMER, PERIODIC | MASKED | VECTOR);
    put(INITIAL_COUNT, 1000);
    assert_true(local_apic_next_deadline(&lapic) == LOCAL_APIC_NEVER);
    now = tsc_of(3400);
    assert_int_equal(get(CURRENT_COUNT), 600);
    put(LVT_TIMER, PERIODIC | VECTOR);
    local_apic_tick(&lapic, now);
    assert_false(took());
    assert_true(local_apic_next_deadline(&lapic) == tsc_of(4000));
    now = tsc_of(4000);
    put(LVT_TIMER, PERIODIC | MASKED | VECTOR); /* due before the mask came */
    assert_true(took());
}

/* "APIC Timer": writing the initial count starts again, 0 stops. */
static void initial_count_restarts_and_stops(void **state)
{
    (void)state;
    put(DIVIDE, DIVIDE_BY_1);
    put(LVT_TIMER, PERIODIC | VECTOR);
    put(INITIAL_COUNT, 1000);
    now = tsc_of(900);
    put(INITIAL_COUNT, 500);
    assert_true(local_apic_next_deadline(&lapic) == tsc_of(1400));
    tick_at(tsc_of(2000));
    assert_true(took());
    now = tsc_of(2100);
    put(INITIAL_COUNT, 700); /* what was raised before does not count against the new one */
    assert_true(local_apic_next_deadline(&lapic) == tsc_of(2800));
    tick_at(tsc_of(2800));
    assert_true(took());
    put(INITIAL_COUNT, 0);
    assert_int_equal(get(CURRENT_COUNT), 0);
    assert_true(local_apic_next_deadline(&lapic) == LOCAL_APIC_NEVER);
    tick_at(tsc_of(100000));
    assert_false(took());
}

static void a_new_divisor_goes_on_from_the_count(void **state)
{
    (void)state;
    put(DIVIDE, DIVIDE_BY_1);
    put(LVT_TIMER, PERIODIC | VECTOR);
    put(INITIAL_COUNT, 1000);
    now = tsc_of(400);
    put(DIVIDE, 0x0);
    assert_int_equal(get(CURRENT_COUNT), 600);
    assert_true(local_apic_next_deadline(&lapic) == tsc_of(400 + 600 * 2));
    tick_at(tsc_of(400 + 600 * 2));
    assert_true(took());
    assert_true(local_apic_next_deadline(&lapic) == tsc_of(400 + 1600 * 2));
}

/* "TSC-Deadline Mode" */
static void tsc_deadline(void **state)
{
    (void)state;
    assert_true(wrmsr(MSR_DEADLINE, 5000)); /* not in that mode: ignored */
    assert_int_equal(rdmsr(MSR_DEADLINE), 0);
    put(LVT_TIMER, DEADLINE | VECTOR);
    assert_true(local_apic_next_deadline(&lapic) == LOCAL_APIC_NEVER);
    assert_true(wrmsr(MSR_DEADLINE, 5000));
    assert_int_equal(rdmsr(MSR_DEADLINE), 5000);
    assert_true(local_apic_next_deadline(&lapic) == 5000);
    put(INITIAL_COUNT, 77); /* ignored */
    assert_int_equal(get(INITIAL_COUNT), 0);
    assert_int_equal(get(CURRENT_COUNT), 0);
    tick_at(4999);
    assert_false(took());
    tick_at(5000);
    assert_true(took());
    assert_int_equal(rdmsr(MSR_DEADLINE), 0);
    assert_true(local_apic_next_deadline(&lapic) == LOCAL_APIC_NEVER);
    assert_true(wrmsr(MSR_DEADLINE, 10)); /* has passed */
    tick_at(5001);
    assert_true(took());
    assert_true(wrmsr(MSR_DEADLINE, 9000));
    assert_true(wrmsr(MSR_DEADLINE, 0)); /* disarms */
    tick_at(10000);
    assert_false(took());
    put(LVT_TIMER, DEADLINE | MASKED | VECTOR);
    assert_true(wrmsr(MSR_DEADLINE, 11000));
    now = 11000;
    assert_int_equal(rdmsr(MSR_DEADLINE), 0); /* spent under the mask */
    assert_false(took());
}

/* "A write to the LVT Timer Register that changes the timer mode disarms the local APIC timer." */
static void a_mode_change_disarms(void **state)
{
    static const uint32_t modes[] = {0, PERIODIC, DEADLINE, PERIODIC | DEADLINE};

    for (size_t from = 0; from < array_size(modes); from++) {
        for (size_t to = 0; to < array_size(modes); to++) {
            setup_enabled(state);
            put(DIVIDE, DIVIDE_BY_1);
            put(LVT_TIMER, modes[from] | VECTOR);
            put(INITIAL_COUNT, 1000);
            assert_true(wrmsr(MSR_DEADLINE, tsc_of(1000)));
            put(LVT_TIMER, modes[to] | VECTOR);
            bool armed = from == to && from != 3;
            assert_int_equal(get(INITIAL_COUNT), from == to && from != 2 ? 1000 : 0);
            assert_int_equal(local_apic_next_deadline(&lapic) == tsc_of(1000), armed);
            tick_at(tsc_of(1000));
            assert_int_equal(took(), armed);
        }
    }
}

/* An hour of 100 Hz, each tick exactly where an exact clock has it. */
static void no_drift_in_an_hour(void **state)
{
    (void)state;
    put(DIVIDE, DIVIDE_BY_1);
    put(LVT_TIMER, PERIODIC | VECTOR);
    put(INITIAL_COUNT, 999999);
    for (uint64_t i = 1; i <= 360000; i++) {
        uint64_t due = local_apic_next_deadline(&lapic);
        assert_true(due == tsc_of(i * 999999));
        tick_at(due);
        assert_true(local_apic_pending(&lapic) == VECTOR);
        local_apic_take(&lapic, VECTOR);
        put(EOI, 0);
    }
}

/* No clock, clocks at the ends of their ranges, time that goes back: nothing divides by 0 or wraps. */
static void odd_clocks_do_no_harm(void **state)
{
    static const uint64_t tsc_frequencies[] = {0, 1, 1000, TSC_HZ, UINT64_MAX};
    static const uint32_t bus_frequencies[] = {1, 1000, BUS_HZ, UINT32_MAX};
    static const uint64_t times[] = {0, 1, 1000000, (uint64_t)1 << 40, UINT64_MAX - 1, UINT64_MAX, 5};
    static const uint32_t counts[] = {0, 1, 2, 0xffffffff};

    for (size_t tsc = 0; tsc < array_size(tsc_frequencies); tsc++) {
        for (size_t bus = 0; bus < array_size(bus_frequencies); bus++) {
            for (size_t i = 0; i < array_size(counts); i++) {
                setup_enabled(state);
                lapic.config.tsc_hz = tsc_frequencies[tsc];
                lapic.config.bus_hz = bus_frequencies[bus];
                put(LVT_TIMER, i % 2 != 0 ? PERIODIC | VECTOR : VECTOR);
                for (size_t t = 0; t < array_size(times); t++) {
                    now = times[t];
                    put(INITIAL_COUNT, counts[i]);
                    (void)local_apic_next_deadline(&lapic);
                    now = times[array_size(times) - 1 - t];
                    local_apic_tick(&lapic, now);
                    put(DIVIDE, (uint32_t)t);
                    assert_true(get(CURRENT_COUNT) <= counts[i]);
                    (void)local_apic_next_deadline(&lapic);
                }
            }
        }
    }
    setup_enabled(state);
    lapic.config.bus_hz = 0;
    lapic.config.tsc_hz = 0;
    put(LVT_TIMER, VECTOR);
    put(INITIAL_COUNT, 5);
    assert_true(local_apic_next_deadline(&lapic) == LOCAL_APIC_NEVER);
}

/* "Error Status Register": a vector below 16 in the timer's entry. */
static void an_illegal_vector_is_an_error(void **state)
{
    (void)state;
    put(DIVIDE, DIVIDE_BY_1);
    put(LVT_TIMER, 0x0f);
    put(INITIAL_COUNT, 10);
    now = tsc_of(10);
    local_apic_tick(&lapic, now);
    assert_int_equal(local_apic_pending(&lapic), -1);
    put(ESR, 0);
    assert_int_equal(get(ESR), 0x40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_divisor, setup_enabled),
        cmocka_unit_test_setup(one_shot_comes_once_at_its_time, setup_enabled),
        cmocka_unit_test_setup(periodic_keeps_its_phase, setup_enabled),
        cmocka_unit_test_setup(periods_merge_while_the_guest_does_not_take_them, setup_enabled),
        cmocka_unit_test_setup(masked_periods_are_lost, setup_enabled),
        cmocka_unit_test_setup(initial_count_restarts_and_stops, setup_enabled),
        cmocka_unit_test_setup(a_new_divisor_goes_on_from_the_count, setup_enabled),
        cmocka_unit_test_setup(tsc_deadline, setup_enabled),
        cmocka_unit_test_setup(a_mode_change_disarms, setup_enabled),
        cmocka_unit_test_setup(no_drift_in_an_hour, setup_enabled),
        cmocka_unit_test_setup(odd_clocks_do_no_harm, setup_enabled),
        cmocka_unit_test_setup(an_illegal_vector_is_an_error, setup_enabled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
