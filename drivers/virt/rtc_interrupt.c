/*
 * The three interrupts of the MC146818A. Data sheet, "Periodic Interrupt", "Alarm Interrupt", "Update Cycle",
 * "Register C".
 *
 * Nothing is stepped: a look compares the time with that of the last look. A flag is set however often its event has
 * come. The line is high while a flag and its enable are set, and falls when register C is read.
 */
#include "drivers/virt/rtc_registers.h"

enum { RATE_CRYSTAL = 32768, DIVIDER_32K = 2, RATE_FIRST_SLOW = 3, RATE_SLOW = 7 };
enum { MINUTE = 60, HOUR = 3600, DAY = 86400, HOURS = 24, ALARM_ANY = 0xc0 };
/* At most a day's hours, an hour's minutes and a minute's seconds are passed over before an alarm is found. */
enum { ALARM_STEPS = 24 + 60 + 60 + 3 };

/*
 * Table "Periodic Interrupt Rate": Hz, or 0. With the 32.768 kHz crystal the two fastest settings repeat 256 and 128
 * Hz. The dividers that are test modes, and those that stop the chain, give none.
 */
static uint32_t periodic_rate(const struct rtc *rtc)
{
    uint32_t rate = rtc->bytes[RTC_A] & A_RATE;
    uint32_t divider = (rtc->bytes[RTC_A] >> A_DIVIDER_SHIFT) & A_DIVIDER_MASK;

    if (rate == 0 || divider > DIVIDER_32K)
        return 0;
    if (divider == DIVIDER_32K && rate < RATE_FIRST_SLOW)
        rate += RATE_SLOW;
    return (uint32_t)RATE_CRYSTAL >> (rate - 1);
}

/* Periods since the anchor: the divider chain runs on while SET holds back the updates. */
static uint64_t periods(const struct rtc *rtc)
{
    uint32_t rate = periodic_rate(rtc);
    struct virt_clock chain = *rtc->clock;

    chain.now = chain.now > rtc->anchor ? chain.now - rtc->anchor : 0;
    return rate == 0 ? 0 : virt_clock_count(&chain, rate);
}

static bool matches(uint8_t alarm, uint8_t value) { return (alarm & ALARM_ANY) == ALARM_ANY || alarm == value; }

/* The first second after `after` at which the alarm's bytes equal the time's; UINT64_MAX when they never do. */
static uint64_t next_alarm(const struct rtc *rtc, uint64_t after)
{
    uint64_t second = after + 1;

    for (uint32_t step = 0; step < ALARM_STEPS; step++) {
        uint32_t of_day = (uint32_t)(second % DAY);
        if (!matches(rtc->bytes[RTC_HOURS_ALARM], rtc_encode_hour(rtc, of_day / HOUR)))
            second += HOUR - of_day % HOUR;
        else if (!matches(rtc->bytes[RTC_MINUTES_ALARM], rtc_encode(rtc, of_day / MINUTE % MINUTE)))
            second += MINUTE - of_day % MINUTE;
        else if (!matches(rtc->bytes[RTC_SECONDS_ALARM], rtc_encode(rtc, of_day % MINUTE)))
            second++;
        else
            return second;
    }
    return UINT64_MAX;
}

void rtc_flags_restart(struct rtc *rtc)
{
    rtc->reported = rtc_current_seconds(rtc);
    rtc->periods = periods(rtc);
}

void rtc_catch_up(struct rtc *rtc)
{
    uint64_t seconds = rtc_current_seconds(rtc);
    uint64_t count = periods(rtc);

    if (count > rtc->periods) {
        rtc->flags |= C_PF;
        rtc->periods = count;
    }
    if (!rtc_is_running(rtc) || seconds <= rtc->reported)
        return;
    rtc->flags |= C_UF;
    if (next_alarm(rtc, rtc->reported) <= seconds)
        rtc->flags |= C_AF;
    rtc->reported = seconds;
}

static bool is_asking(const struct rtc *rtc) { return (rtc->flags & rtc->bytes[RTC_B] & C_FLAGS) != 0; }

uint8_t rtc_read_flags(struct rtc *rtc)
{
    rtc_catch_up(rtc);
    uint8_t flags = rtc->flags | (is_asking(rtc) ? C_IRQF : 0);
    rtc->flags = 0;
    return flags;
}

bool rtc_line(struct rtc *rtc)
{
    rtc_catch_up(rtc);
    return is_asking(rtc);
}

/* The TSC at which so much of something has passed since the anchor. */
static uint64_t tsc_of(const struct rtc *rtc, uint32_t frequency, uint64_t count)
{
    uint64_t ticks = virt_clock_when(rtc->clock, frequency, count);

    return __builtin_add_overflow(ticks, rtc->anchor, &ticks) ? VIRT_CLOCK_NEVER : ticks;
}

static uint64_t tsc_of_second(const struct rtc *rtc, uint64_t second)
{
    return second == UINT64_MAX ? VIRT_CLOCK_NEVER : tsc_of(rtc, 1, second - rtc->seconds);
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t rtc_next_rise(struct rtc *rtc)
{
    uint8_t enabled = rtc->bytes[RTC_B] & C_FLAGS;
    uint64_t next = VIRT_CLOCK_NEVER;

    if (rtc_line(rtc))
        return VIRT_CLOCK_NEVER;
    if ((enabled & C_PF) != 0 && periodic_rate(rtc) != 0)
        next = earlier(next, tsc_of(rtc, periodic_rate(rtc), rtc->periods + 1));
    if (!rtc_is_running(rtc))
        return next;
    if ((enabled & C_UF) != 0)
        next = earlier(next, tsc_of_second(rtc, rtc->reported + 1));
    if ((enabled & C_AF) != 0)
        next = earlier(next, tsc_of_second(rtc, next_alarm(rtc, rtc->reported)));
    return next;
}
