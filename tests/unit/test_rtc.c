/*
 * The clock of day: the calendar against the C library's, the registers against the data sheet, and the sequences by
 * which guests read and set it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/rtc.h"
#include "core/bytes.h"
#include "core/calendar.h"

#include <time.h>

#define HZ 2400000000ull

static struct virt_clock ticks;
static struct rtc rtc;

static uint8_t get(uint8_t index)
{
    struct bus_access select = {.size = 1, .write = true, .value = index};
    struct bus_access data = {.size = 1};

    rtc_access(&rtc, 0, &select);
    rtc_access(&rtc, 1, &data);
    return (uint8_t)data.value;
}

static void put(uint8_t index, uint8_t value)
{
    struct bus_access select = {.size = 1, .write = true, .value = index};
    struct bus_access data = {.size = 1, .write = true, .value = value};

    rtc_access(&rtc, 0, &select);
    rtc_access(&rtc, 1, &data);
}

static void expect_time(const uint8_t want[8])
{
    static const uint8_t indices[8] = {0x32, 0x09, 0x08, 0x07, 0x06, 0x04, 0x02, 0x00};

    for (size_t i = 0; i < sizeof indices; i++)
        assert_int_equal(get(indices[i]), want[i]);
}

static int setup(void **state)
{
    (void)state;
    ticks = (struct virt_clock){.hz = HZ, .now = 0};
    rtc_reset(&rtc, &ticks);
    return 0;
}

static void expect_same_as_library(uint64_t seconds)
{
    time_t at = (time_t)seconds;
    struct tm want;
    struct calendar_time got = calendar_from_seconds(seconds);

    assert_non_null(gmtime_r(&at, &want));
    assert_int_equal(got.year, want.tm_year + 1900);
    assert_int_equal(got.month, want.tm_mon + 1);
    assert_int_equal(got.day, want.tm_mday);
    assert_int_equal(got.weekday, want.tm_wday + 1);
    assert_int_equal(got.hour, want.tm_hour);
    assert_int_equal(got.minute, want.tm_min);
    assert_int_equal(got.second, want.tm_sec);
    assert_true(calendar_to_seconds(&got) == seconds);
}

static void calendar_agrees_with_the_library(void **state)
{
    (void)state;
    /* Every day for five centuries, at a time of day that moves on; then the far end. */
    for (uint64_t day = 0; day < 366 * 500; day++)
        expect_same_as_library(day * 86400 + day * 7919 % 86400);
    for (uint64_t second = CALENDAR_LAST_SECOND - 400 * 86400; second < CALENDAR_LAST_SECOND; second += 43201)
        expect_same_as_library(second);
    expect_same_as_library(0);
    expect_same_as_library(CALENDAR_LAST_SECOND);
}

static void calendar_is_total(void **state)
{
    const struct calendar_time low = {.year = 0};
    const struct calendar_time high = {UINT32_MAX, UINT32_MAX, UINT32_MAX, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    const struct calendar_time february = {.year = 2023, .month = 2, .day = 31};
    const struct calendar_time march = {.year = 2023, .month = 3, .day = 3};

    (void)state;
    assert_int_equal(calendar_to_seconds(&low), 0);
    assert_true(calendar_to_seconds(&high) == CALENDAR_LAST_SECOND);
    assert_int_equal(calendar_to_seconds(&february), calendar_to_seconds(&march));
    assert_int_equal(calendar_from_seconds(UINT64_MAX).year, 9999);
}

static void reset_values(void **state)
{
    const uint8_t want[8] = {0x20, 0x00, 0x01, 0x01, 0x07, 0x00, 0x00, 0x00}; /* a Saturday */
    struct bus_access index = {.size = 1};

    (void)state;
    expect_time(want);
    assert_int_equal(get(0x0a), 0x26);
    assert_int_equal(get(0x0b), 0x02);
    assert_int_equal(get(0x0c), 0x00);
    assert_int_equal(get(0x0d), 0x80);
    rtc_access(&rtc, 0, &index);
    assert_int_equal(index.value, 0xff);
}

static void time_follows_the_tsc(void **state)
{
    const uint8_t want[8] = {0x20, 0x24, 0x02, 0x29, 0x05, 0x23, 0x59, 0x58};
    const uint8_t later[8] = {0x20, 0x24, 0x03, 0x01, 0x06, 0x00, 0x00, 0x01};

    (void)state;
    ticks.now = 12345;
    rtc_set_time(&rtc, 1709251198);
    expect_time(want);
    ticks.now += HZ - 1;
    assert_int_equal(get(0x00), 0x58);
    ticks.now += 1;
    assert_int_equal(get(0x00), 0x59);
    ticks.now += 2 * HZ;
    expect_time(later);
    /* A clock that stands, or one behind the anchor, does no harm. */
    ticks.now = 0;
    assert_int_equal(get(0x00), 0x58);
    ticks.hz = 0;
    ticks.now = UINT64_MAX;
    expect_time(want);
}

static void binary_and_twelve_hours(void **state)
{
    static const uint8_t hours[24] = {0x12, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x10, 0x11,
                                      0x92, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x90, 0x91};
    const uint8_t binary[8] = {20, 24, 2, 29, 5, 23, 59, 58};

    (void)state;
    rtc_set_time(&rtc, 1709251198);
    put(0x0b, 0x06);
    expect_time(binary);
    put(0x0b, 0x00);
    for (uint64_t hour = 0; hour < 24; hour++) {
        rtc_set_time(&rtc, 946684800 + hour * 3600);
        assert_int_equal(get(0x04), hours[hour]);
        put(0x04, hours[hour]); /* and back */
        put(0x0b, 0x06);
        assert_int_equal(get(0x04), hour);
        put(0x0b, 0x00);
    }
    rtc_set_time(&rtc, 946684800 + 13 * 3600);
    put(0x0b, 0x04);
    assert_int_equal(get(0x04), 0x81);
}

static void update_in_progress_ends_with_the_second(void **state)
{
    const uint64_t window = HZ / 449; /* 244 us + 1984 us */

    (void)state;
    assert_int_equal(get(0x0a) & 0x80, 0);
    ticks.now = HZ - window - 1;
    assert_int_equal(get(0x0a) & 0x80, 0);
    ticks.now = HZ - window;
    assert_int_equal(get(0x0a) & 0x80, 0x80);
    ticks.now = HZ - 1;
    assert_int_equal(get(0x0a) & 0x80, 0x80);
    assert_int_equal(get(0x00), 0x00);
    ticks.now = HZ;
    assert_int_equal(get(0x0a) & 0x80, 0);
    assert_int_equal(get(0x00), 0x01);
    /* A stopped clock does not update. */
    put(0x0b, 0x82);
    ticks.now = 2 * HZ - 1;
    assert_int_equal(get(0x0a) & 0x80, 0);
}

/* SET, divider reset, the fields, and both back: as the Linux driver does it. */
static void setting_through_set_and_divider(void **state)
{
    const uint8_t want[8] = {0x20, 0x31, 0x12, 0x31, 0x04, 0x23, 0x59, 0x59};
    const uint8_t next[8] = {0x20, 0x32, 0x01, 0x01, 0x05, 0x00, 0x00, 0x00};

    (void)state;
    ticks.now = 77 * HZ + 5;
    put(0x0b, 0x82);
    put(0x0a, 0x76);
    put(0x09, 0x31);
    put(0x08, 0x12);
    put(0x07, 0x31);
    put(0x04, 0x23);
    put(0x02, 0x59);
    put(0x00, 0x59);
    put(0x32, 0x20);
    ticks.now += 10 * HZ; /* time stands */
    assert_int_equal(get(0x00), 0x59);
    put(0x0b, 0x02);
    assert_int_equal(get(0x00), 0x59);
    put(0x0a, 0x26);
    expect_time(want);
    ticks.now += HZ / 2 - 1;
    assert_int_equal(get(0x00), 0x59);
    ticks.now += 1; /* half a second after the divider's release */
    expect_time(next);
}

static void set_alone_keeps_the_phase(void **state)
{
    (void)state;
    ticks.now = 10 * HZ + HZ / 4;
    put(0x0b, 0x82);
    assert_int_equal(get(0x00), 0x10);
    ticks.now += 5 * HZ;
    assert_int_equal(get(0x00), 0x10);
    put(0x0b, 0x02);
    assert_int_equal(get(0x00), 0x10);
    ticks.now += HZ * 3 / 4 - 1;
    assert_int_equal(get(0x00), 0x10);
    ticks.now += 1;
    assert_int_equal(get(0x00), 0x11);
}

static void single_fields_can_be_written_while_it_runs(void **state)
{
    (void)state;
    ticks.now = 3 * HZ + 100;
    put(0x02, 0x45);
    assert_int_equal(get(0x02), 0x45);
    assert_int_equal(get(0x00), 0x03);
    ticks.now = 4 * HZ;
    assert_int_equal(get(0x00), 0x04);
}

static void rubbish_gives_some_date(void **state)
{
    (void)state;
    for (uint32_t mode = 0; mode < 4; mode++) {
        for (uint32_t value = 0; value < 256; value++) {
            put(0x0b, (uint8_t)(0x80 | mode << 1));
            for (uint8_t index = 0; index < 0x0a; index++)
                put(index, (uint8_t)value);
            put(0x32, (uint8_t)value);
            put(0x0b, 0x06);
            assert_in_range(get(0x00), 0, 59);
            assert_in_range(get(0x02), 0, 59);
            assert_in_range(get(0x04), 0, 23);
            assert_in_range(get(0x06), 1, 7);
            assert_in_range(get(0x07), 1, 31);
            assert_in_range(get(0x08), 1, 12);
            assert_in_range(get(0x09), 0, 99);
            assert_in_range(get(0x32), 19, 99);
        }
    }
}

static void ram_and_alarm_are_storage(void **state)
{
    (void)state;
    for (uint8_t index = 0x0e; index < 0x80; index++)
        if (index != 0x32)
            put(index, (uint8_t)(index ^ 0x5a));
    put(0x01, 0xc1);
    put(0x03, 0xc3);
    put(0x05, 0xc5);
    for (uint8_t index = 0x0e; index < 0x80; index++)
        if (index != 0x32)
            assert_int_equal(get(index), index ^ 0x5a);
    assert_int_equal(get(0x01), 0xc1);
    assert_int_equal(get(0x03), 0xc3);
    assert_int_equal(get(0x05), 0xc5);
    assert_int_equal(get(0x80 | 0x10), 0x10 ^ 0x5a); /* bit 7 of the index is not the RTC's */
    put(0x0c, 0xff);
    put(0x0d, 0x00);
    assert_int_equal(get(0x0c), 0);
    assert_int_equal(get(0x0d), 0x80);
    put(0x0a, 0xa6);
    assert_int_equal(get(0x0a), 0x26);
}

static void register_c_reports_each_second_once(void **state)
{
    (void)state;
    assert_int_equal(get(0x0c), 0x00);
    ticks.now = HZ;
    assert_int_equal(get(0x0c), 0x10);
    assert_int_equal(get(0x0c), 0x00);
    put(0x0b, 0x12);
    ticks.now = 2 * HZ;
    assert_int_equal(get(0x0c), 0x90);
    put(0x0b, 0x92); /* SET clears the update interrupt's enable */
    assert_int_equal(get(0x0b), 0x82);
    assert_int_equal(get(0x0c), 0x00);
}

static void far_futures_stop_at_the_last_second(void **state)
{
    const uint8_t want[8] = {0x99, 0x99, 0x12, 0x31, 0x06, 0x23, 0x59, 0x59};

    (void)state;
    rtc_set_time(&rtc, UINT64_MAX);
    expect_time(want);
    ticks.now += 100 * HZ;
    expect_time(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(calendar_agrees_with_the_library, setup),
        cmocka_unit_test_setup(calendar_is_total, setup),
        cmocka_unit_test_setup(reset_values, setup),
        cmocka_unit_test_setup(time_follows_the_tsc, setup),
        cmocka_unit_test_setup(binary_and_twelve_hours, setup),
        cmocka_unit_test_setup(update_in_progress_ends_with_the_second, setup),
        cmocka_unit_test_setup(setting_through_set_and_divider, setup),
        cmocka_unit_test_setup(set_alone_keeps_the_phase, setup),
        cmocka_unit_test_setup(single_fields_can_be_written_while_it_runs, setup),
        cmocka_unit_test_setup(rubbish_gives_some_date, setup),
        cmocka_unit_test_setup(ram_and_alarm_are_storage, setup),
        cmocka_unit_test_setup(register_c_reports_each_second_once, setup),
        cmocka_unit_test_setup(far_futures_stop_at_the_last_second, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
