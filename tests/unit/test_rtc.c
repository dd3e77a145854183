/*
 * The clock of day: the calendar against the C library's, the registers against the data sheet, and the sequences by
 * which guests read and set it. Quoted are the headings of the data sheet ("MC146818 Real-Time Clock Plus RAM").
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

/* "Time, Calendar, and Alarm Locations": leap years by themselves. */
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

/* No rule of the data sheet: any number of seconds is a date, and back. */
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

/* "Register A" to "Register D" as a PC's firmware leaves them: 32.768 kHz, 24 hours, valid RAM and time. */
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

/* "Time, Calendar, and Alarm Locations": one update a second. */
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

/* "Register B", DM and 24/12: formats of all ten time bytes; PM is bit 7 of the hours. */
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

/* "Register A", UIP: set 244 us before the update, which takes 1984 us. */
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

/* "Register B", SET: updates stop, the divider chain does not. */
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

/* "Time, Calendar, and Alarm Locations": a byte is written where it is. */
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

/* "Time, Calendar, and Alarm Data Modes": bytes out of their ranges have no meaning; they must do no harm. */
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

/* "Address Map": 50 bytes of RAM, and the alarm's bytes. */
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

/* "Register C": UF is set at the end of each update and cleared by reading. */
static void register_c_reports_each_second_once(void **state)
{
    (void)state;
    put(0x0a, 0x20); /* no periodic flag */
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

/* No rule of the data sheet: the end of the calendar. */
static void far_futures_stop_at_the_last_second(void **state)
{
    const uint8_t want[8] = {0x99, 0x99, 0x12, 0x31, 0x06, 0x23, 0x59, 0x59};

    (void)state;
    rtc_set_time(&rtc, UINT64_MAX);
    expect_time(want);
    ticks.now += 100 * HZ;
    expect_time(want);
}

/* Table "Periodic Interrupt Rate": periods a second at 32.768 kHz, from rate 0 to 15. */
static void periodic_rates(void **state)
{
    static const uint32_t rates[16] = {0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2};

    (void)state;
    for (uint8_t rate = 0; rate < 16; rate++) {
        uint32_t rises = 0;
        ticks.now = 0;
        rtc_reset(&rtc, &ticks);
        put(0x0a, 0x20 | rate);
        put(0x0b, 0x42);
        (void)get(0x0c);
        for (uint64_t next = rtc_next_rise(&rtc); next <= HZ; next = rtc_next_rise(&rtc)) {
            ticks.now = next - 1;
            assert_false(rtc_line(&rtc));
            ticks.now = next;
            assert_true(rtc_line(&rtc));
            assert_true(rtc_next_rise(&rtc) == VIRT_CLOCK_NEVER); /* high until C is read */
            assert_int_equal(get(0x0c) & 0xe0, 0xc0);
            assert_false(rtc_line(&rtc));
            rises++;
        }
        assert_int_equal(rises, rates[rate]);
    }
    put(0x0a, 0x03); /* faster crystals: their fastest rate is a true one */
    put(0x0a, 0x01);
    (void)get(0x0c);
    assert_true(rtc_next_rise(&rtc) - ticks.now <= HZ / 32768 + 1);
    put(0x0a, 0x66); /* the chain is held */
    assert_true(rtc_next_rise(&rtc) == VIRT_CLOCK_NEVER);
    put(0x0a, 0x36); /* a test mode */
    assert_true(rtc_next_rise(&rtc) == VIRT_CLOCK_NEVER);
}

/* "Periodic Interrupt": late looks find one flag, and the grid stays; SET does not stop it. */
static void periods_keep_their_phase(void **state)
{
    (void)state;
    put(0x0b, 0x42);
    ticks.now = 5 * (HZ / 1024) + 1000;
    assert_true(rtc_line(&rtc));
    assert_int_equal(get(0x0c), 0xc0);
    assert_int_equal(get(0x0c), 0x00);
    assert_true(rtc_next_rise(&rtc) == (6 * HZ + 1023) / 1024);
    put(0x0b, 0xc2);
    assert_true(rtc_next_rise(&rtc) == (6 * HZ + 1023) / 1024);
    ticks.now = HZ;
    assert_int_equal(get(0x0c), 0xc0);
    put(0x0b, 0x42);
    ticks.now = HZ + HZ / 3;
    rtc_set_time(&rtc, 1709251198); /* seconds and periods begin here */
    (void)get(0x0c);
    assert_true(rtc_next_rise(&rtc) == HZ + HZ / 3 + HZ / 1024);
    ticks.now += HZ / 1024;
    put(0x0a, 0x20); /* what came before the write is not lost by it */
    assert_true(rtc_line(&rtc));
}

/* "Register C": a flag is set without its enable, and the enable alone then raises the line. */
static void flags_do_not_need_their_enables(void **state)
{
    (void)state;
    ticks.now = HZ;
    assert_false(rtc_line(&rtc));
    assert_true(rtc_next_rise(&rtc) == VIRT_CLOCK_NEVER);
    put(0x0b, 0x12);
    assert_true(rtc_line(&rtc));
    put(0x0b, 0x02);
    assert_false(rtc_line(&rtc));
    put(0x0b, 0x42);
    assert_true(rtc_line(&rtc));
    assert_int_equal(get(0x0c), 0xd0);
    assert_false(rtc_line(&rtc));
}

/* "Update Cycle": update-ended interrupt. */
static void update_interrupts_come_with_the_second(void **state)
{
    (void)state;
    put(0x0a, 0x20);
    ticks.now = HZ / 3;
    put(0x0b, 0x12);
    for (uint64_t second = 1; second < 100; second++) {
        assert_true(rtc_next_rise(&rtc) == second * HZ);
        ticks.now = second * HZ;
        assert_true(rtc_line(&rtc));
        assert_int_equal(get(0x0c), 0x90);
    }
    put(0x0b, 0x92); /* stopped, and SET clears the enable */
    assert_true(rtc_next_rise(&rtc) == VIRT_CLOCK_NEVER);
    ticks.now += 10 * HZ;
    assert_false(rtc_line(&rtc));
}

static void set_alarm(uint8_t hour, uint8_t minute, uint8_t second)
{
    put(0x05, hour);
    put(0x03, minute);
    put(0x01, second);
    (void)get(0x0c);
}

/* "Alarm Interrupt": a time of day, and C0h-FFh for any. From 2000-01-01 00:00:00 in seconds. */
static void alarms(void **state)
{
    static const struct {
        uint8_t hour, minute, second;
        uint64_t first, next;
    } cases[] = {
        {0x00, 0x00, 0x01, 1, 86401},      {0x23, 0x59, 0x59, 86399, 86399 + 86400},
        {0x00, 0x00, 0x00, 86400, 172800}, {0x12, 0x34, 0x56, 45296, 45296 + 86400},
        {0xff, 0x00, 0x00, 3600, 7200},    {0xc0, 0x30, 0x15, 1815, 1815 + 3600},
        {0xff, 0xff, 0x00, 60, 120},       {0xff, 0xff, 0xff, 1, 2},
        {0x05, 0xff, 0xc5, 18000, 18001},  {0x10, 0xff, 0x30, 36030, 36090},
    };

    (void)state;
    for (size_t i = 0; i < array_size(cases); i++) {
        ticks.now = 0;
        rtc_reset(&rtc, &ticks);
        put(0x0a, 0x20);
        put(0x0b, 0x22);
        set_alarm(cases[i].hour, cases[i].minute, cases[i].second);
        assert_true(rtc_next_rise(&rtc) == cases[i].first * HZ);
        ticks.now = cases[i].first * HZ - 1;
        assert_false(rtc_line(&rtc));
        ticks.now++;
        assert_true(rtc_line(&rtc));
        assert_int_equal(get(0x0c), 0xb0);
        assert_true(rtc_next_rise(&rtc) == cases[i].next * HZ);
        ticks.now = (cases[i].next + 200000) * HZ; /* long past, and more than a day */
        assert_int_equal(get(0x0c), 0xb0);
    }
    static const uint8_t never[][3] = {{0x24, 0x00, 0x00}, {0x00, 0x60, 0x00}, {0x00, 0x00, 0x0a}, {0xbf, 0xff, 0xff}};
    for (size_t i = 0; i < array_size(never); i++) {
        set_alarm(never[i][0], never[i][1], never[i][2]);
        assert_true(rtc_next_rise(&rtc) == VIRT_CLOCK_NEVER);
        ticks.now += 100000 * HZ;
        assert_int_equal(get(0x0c), 0x10);
    }
}

/* The alarm is compared as bytes: in the clock's own mode. */
static void alarms_in_other_modes(void **state)
{
    (void)state;
    put(0x0a, 0x20);
    put(0x0b, 0x26);
    set_alarm(13, 45, 59);
    assert_true(rtc_next_rise(&rtc) == (13 * 3600 + 45 * 60 + 59) * HZ);
    put(0x0b, 0x20);
    set_alarm(0x81, 0x45, 0x59);
    assert_true(rtc_next_rise(&rtc) == (13 * 3600 + 45 * 60 + 59) * HZ);
    set_alarm(0x12, 0x00, 0x05);
    assert_true(rtc_next_rise(&rtc) == 5 * HZ);
}

/* The earliest of those that are enabled; setting the time is no update. */
static void the_earliest_event_counts(void **state)
{
    (void)state;
    put(0x0a, 0x2f); /* 2 Hz */
    put(0x0b, 0x72);
    set_alarm(0xff, 0xff, 0xff);
    assert_true(rtc_next_rise(&rtc) == HZ / 2);
    put(0x0b, 0x32);
    assert_true(rtc_next_rise(&rtc) == HZ);
    (void)get(0x0c);
    ticks.now = HZ / 4;
    rtc_set_time(&rtc, 1709251198);
    assert_false(rtc_line(&rtc));
    assert_true(rtc_next_rise(&rtc) == HZ / 4 + HZ);
    ticks.hz = 0;
    assert_true(rtc_next_rise(&rtc) == VIRT_CLOCK_NEVER);
    assert_false(rtc_line(&rtc));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(periodic_rates, setup),
        cmocka_unit_test_setup(periods_keep_their_phase, setup),
        cmocka_unit_test_setup(flags_do_not_need_their_enables, setup),
        cmocka_unit_test_setup(update_interrupts_come_with_the_second, setup),
        cmocka_unit_test_setup(alarms, setup),
        cmocka_unit_test_setup(alarms_in_other_modes, setup),
        cmocka_unit_test_setup(the_earliest_event_counts, setup),
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
