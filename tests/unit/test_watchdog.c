/* The watchdog's registers and its time, alone and inside the virtual PC, and what the box does when it has run out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/watchdog.h"

#include <stdlib.h>
#include <string.h>

#include "core/platform.h"

#define HZ   1000000000ull
#define TICK (HZ / 10)

static struct virt_clock clock_now;
static struct watchdog watchdog;

static int setup(void **state)
{
    (void)state;
    memset(&watchdog, 0, sizeof watchdog);
    clock_now = (struct virt_clock){.hz = HZ, .now = 7 * HZ};
    watchdog_reset(&watchdog, &clock_now);
    return 0;
}

static uint64_t get(uint64_t offset, uint8_t size)
{
    struct bus_access access = {.size = size, .value = 0x5a5a};
    watchdog_access(&watchdog, offset, &access);
    return access.value;
}

static void put(uint64_t offset, uint8_t size, uint64_t value)
{
    struct bus_access access = {.size = size, .write = true, .value = value};
    watchdog_access(&watchdog, offset, &access);
}

/* Microsoft, "Watchdog Action Table": a watchdog is off until its action starts it. */
static void stands_still_after_a_reset(void **state)
{
    (void)state;
    assert_int_equal(get(GUEST_WATCHDOG_COUNT, 4), 0xffff);
    assert_int_equal(get(GUEST_WATCHDOG_LEFT, 4), 0xffff);
    assert_int_equal(get(GUEST_WATCHDOG_CONTROL, 1), 0);
    assert_int_equal(get(GUEST_WATCHDOG_RELOAD, 1), 0);
    assert_int_equal(get(GUEST_WATCHDOG_STATUS, 1), 0);
    assert_true(watchdog_due(&watchdog) == UINT64_MAX);
    clock_now.now = UINT64_MAX - 1;
    assert_false(watchdog_expire(&watchdog));
    put(GUEST_WATCHDOG_RELOAD, 1, 1); /* a sign of life of a guest that is not watched */
    assert_true(watchdog_due(&watchdog) == UINT64_MAX);
}

/* "Watchdog Action Table", SET_COUNTDOWN_PERIOD and QUERY_COUNTDOWN_PERIOD, in ticks of TimerPeriod. */
static void runs_out_to_the_tick(void **state)
{
    (void)state;
    put(GUEST_WATCHDOG_COUNT, 4, 300);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    assert_int_equal(get(GUEST_WATCHDOG_CONTROL, 1), 1);
    assert_true(watchdog_due(&watchdog) == 37 * HZ);
    clock_now.now = 37 * HZ - 1;
    assert_false(watchdog_expire(&watchdog));
    assert_int_equal(get(GUEST_WATCHDOG_LEFT, 4), 1);
    clock_now.now = 37 * HZ;
    assert_int_equal(get(GUEST_WATCHDOG_LEFT, 4), 0);
    assert_true(watchdog_expire(&watchdog));
    assert_false(watchdog_expire(&watchdog)); /* once */
    assert_int_equal(get(GUEST_WATCHDOG_CONTROL, 1), 0);
    assert_true(watchdog_due(&watchdog) == UINT64_MAX);
}

/* "Watchdog Action Table", RESET. */
static void a_sign_of_life_begins_the_time_anew(void **state)
{
    (void)state;
    put(GUEST_WATCHDOG_COUNT, 4, 10);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    for (unsigned i = 0; i < 50; i++) {
        clock_now.now += 9 * TICK;
        assert_int_equal(get(GUEST_WATCHDOG_LEFT, 4), 1);
        assert_false(watchdog_expire(&watchdog));
        put(GUEST_WATCHDOG_RELOAD, 1, 1);
        assert_int_equal(get(GUEST_WATCHDOG_LEFT, 4), 10);
    }
    put(GUEST_WATCHDOG_CONTROL, 1, 1); /* runs already: no sign of life */
    clock_now.now += 5 * TICK;
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    clock_now.now += 5 * TICK;
    assert_true(watchdog_expire(&watchdog));
}

/* "Watchdog Action Table", SET_STOPPED_STATE and SET_RUNNING_STATE. */
static void can_be_stopped(void **state)
{
    (void)state;
    put(GUEST_WATCHDOG_COUNT, 4, 10);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    put(GUEST_WATCHDOG_CONTROL, 1, 0);
    assert_int_equal(get(GUEST_WATCHDOG_LEFT, 4), 10);
    clock_now.now += 100 * HZ;
    assert_false(watchdog_expire(&watchdog));
    put(GUEST_WATCHDOG_CONTROL, 1, 0xff); /* other bits are not there */
    assert_int_equal(get(GUEST_WATCHDOG_CONTROL, 1), 1);
    assert_true(watchdog_due(&watchdog) == clock_now.now + HZ);
}

/* "Watchdog Action Table", MaximumCount and MinimumCount. */
static void the_count_keeps_its_bounds(void **state)
{
    (void)state;
    put(GUEST_WATCHDOG_COUNT, 4, 0);
    assert_int_equal(get(GUEST_WATCHDOG_COUNT, 4), 1);
    put(GUEST_WATCHDOG_COUNT, 4, 0x10000);
    assert_int_equal(get(GUEST_WATCHDOG_COUNT, 4), 0xffff);
    put(GUEST_WATCHDOG_COUNT, 4, 0xffffffff);
    assert_int_equal(get(GUEST_WATCHDOG_COUNT, 4), 0xffff);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    put(GUEST_WATCHDOG_COUNT, 4, 5); /* a new time while it runs counts from now */
    assert_true(watchdog_due(&watchdog) == clock_now.now + 5 * TICK);
}

/* Registers are what the table says; everything else is an empty place. */
static void other_accesses_do_nothing(void **state)
{
    (void)state;
    static const uint8_t sizes[] = {1, 2, 4};
    static const uint8_t register_sizes[GUEST_WATCHDOG_PORTS] = {[0] = 4, [4] = 4, [8] = 1, [9] = 1, [10] = 1};
    put(GUEST_WATCHDOG_COUNT, 4, 10);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    struct watchdog before = watchdog;
    for (uint64_t offset = 0; offset < GUEST_WATCHDOG_PORTS; offset++) {
        for (size_t i = 0; i < 3; i++) {
            if (offset + sizes[i] > GUEST_WATCHDOG_PORTS || register_sizes[offset] == sizes[i])
                continue;
            assert_true(get(offset, sizes[i]) == bus_all_ones(sizes[i]));
            put(offset, sizes[i], 0);
            assert_memory_equal(&watchdog, &before, sizeof before);
        }
    }
    put(GUEST_WATCHDOG_LEFT, 4, 1);
    put(GUEST_WATCHDOG_STATUS, 1, 0xfe);
    assert_memory_equal(&watchdog, &before, sizeof before);
}

/* "Watchdog Action Table", QUERY_WATCHDOG_STATUS and SET_WATCHDOG_STATUS. */
static void says_that_it_caused_the_start(void **state)
{
    (void)state;
    put(GUEST_WATCHDOG_COUNT, 4, 1);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    clock_now.now += HZ;
    assert_true(watchdog_expire(&watchdog));
    assert_int_equal(get(GUEST_WATCHDOG_STATUS, 1), 0);
    watchdog_reset(&watchdog, &clock_now);
    assert_int_equal(get(GUEST_WATCHDOG_STATUS, 1), 1);
    put(GUEST_WATCHDOG_STATUS, 1, 1);
    assert_int_equal(get(GUEST_WATCHDOG_STATUS, 1), 0);
    watchdog_reset(&watchdog, &clock_now); /* a reset for another reason */
    assert_int_equal(get(GUEST_WATCHDOG_STATUS, 1), 0);
}

/* A guest that was let go on after the end, and starts the watchdog again, is not started because of it later. */
static void a_guest_that_lived_on_is_not_its_victim(void **state)
{
    (void)state;
    put(GUEST_WATCHDOG_COUNT, 4, 1);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    clock_now.now += HZ;
    assert_true(watchdog_expire(&watchdog));
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    watchdog_reset(&watchdog, &clock_now);
    assert_int_equal(get(GUEST_WATCHDOG_STATUS, 1), 0);
}

static void time_that_is_held_is_not_the_guests(void **state)
{
    (void)state;
    put(GUEST_WATCHDOG_COUNT, 4, 10);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    clock_now.now += 50 * HZ;
    watchdog_hold(&watchdog);
    assert_false(watchdog_expire(&watchdog));
    assert_true(watchdog_due(&watchdog) == clock_now.now + HZ);
    put(GUEST_WATCHDOG_CONTROL, 1, 0);
    watchdog_hold(&watchdog);
    assert_true(watchdog_due(&watchdog) == UINT64_MAX);
}

/* At the end of the clock, and without one: never, instead of at once. */
static void a_time_that_does_not_fit_never_comes(void **state)
{
    (void)state;
    clock_now.now = UINT64_MAX - TICK;
    put(GUEST_WATCHDOG_COUNT, 4, 2);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    assert_true(watchdog_due(&watchdog) == UINT64_MAX);
    clock_now = (struct virt_clock){0};
    watchdog_reset(&watchdog, &clock_now);
    put(GUEST_WATCHDOG_COUNT, 4, 2);
    put(GUEST_WATCHDOG_CONTROL, 1, 1);
    assert_int_equal(get(GUEST_WATCHDOG_LEFT, 4), 2);
    clock_now.now = UINT64_MAX - 1;
    assert_false(watchdog_expire(&watchdog));
}

/* ---- in the virtual PC ---- */

static void is_at_its_ports(void **state)
{
    (void)state;
    struct platform *platform = calloc(1, platform_size());
    struct ring *ring = calloc(1, sizeof *ring);
    assert_non_null(platform);
    assert_non_null(ring);
    platform_reset(platform, ring, true, false, HZ);
    struct platform_outcome outcome;
    struct bus_access count = {.address = GUEST_WATCHDOG_PORT, .size = 4, .write = true, .value = 20};
    struct bus_access run = {.address = GUEST_WATCHDOG_PORT + 8, .size = 1, .write = true, .value = 1};
    struct bus_access left = {.address = GUEST_WATCHDOG_PORT + 4, .size = 4};
    assert_true(platform_owns_port(platform, GUEST_WATCHDOG_PORT));
    assert_true(platform_owns_port(platform, GUEST_WATCHDOG_PORT + GUEST_WATCHDOG_PORTS - 1));
    assert_false(platform_owns_port(platform, GUEST_WATCHDOG_PORT + GUEST_WATCHDOG_PORTS));
    assert_false(platform_owns_port(platform, GUEST_WATCHDOG_PORT - 1));
    assert_true(platform_watchdog_due(platform) == UINT64_MAX);
    assert_true(platform_port(platform, &count, HZ, &outcome));
    assert_true(platform_port(platform, &run, HZ, &outcome));
    assert_int_equal(outcome.request, PLATFORM_NOTHING);
    assert_true(platform_watchdog_due(platform) == 3 * HZ);
    assert_true(platform_port(platform, &left, 2 * HZ, &outcome));
    assert_int_equal(left.value, 10);
    assert_false(platform_watchdog_expire(platform, 3 * HZ - 1));
    platform_watchdog_hold(platform, 3 * HZ - 1);
    assert_false(platform_watchdog_expire(platform, 3 * HZ));
    assert_true(platform_watchdog_expire(platform, 5 * HZ));
    assert_true(platform_watchdog_due(platform) == UINT64_MAX);
    platform_reset(platform, ring, true, false, HZ);
    struct bus_access status = {.address = GUEST_WATCHDOG_PORT + 10, .size = 1};
    assert_true(platform_port(platform, &status, 6 * HZ, &outcome));
    assert_int_equal(status.value, 1);
    free(ring);
    free(platform);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stands_still_after_a_reset),
        TEST(runs_out_to_the_tick),
        TEST(a_sign_of_life_begins_the_time_anew),
        TEST(can_be_stopped),
        TEST(the_count_keeps_its_bounds),
        TEST(other_accesses_do_nothing),
        TEST(says_that_it_caused_the_start),
        TEST(a_guest_that_lived_on_is_not_its_victim),
        TEST(time_that_is_held_is_not_the_guests),
        TEST(a_time_that_does_not_fit_never_comes),
        TEST(is_at_its_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
