/*
 * Date arithmetic by counting days: years by their leap days, months by a table.
 */
#include "core/calendar.h"

enum { SECONDS_A_DAY = 86400, FIRST_YEAR = 1970, LAST_YEAR = 9999, MONTHS = 12, THURSDAY = 4 };

/* Days of the year before each month begins, without a leap day. */
static const uint16_t days_before[MONTHS + 1] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

static bool is_leap(uint32_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

/* How many leap days there are in the years 1..year. */
static uint32_t leap_days(uint32_t year) { return year / 4 - year / 100 + year / 400; }

/* Days from 1970-01-01 to the first of January of `year`. */
static uint32_t days_to_year(uint32_t year)
{
    return (year - FIRST_YEAR) * 365 + leap_days(year - 1) - leap_days(FIRST_YEAR - 1);
}

/* Days from the first of January to the first of the month after `month` months. */
static uint32_t days_to_month(uint32_t year, uint32_t months)
{
    return days_before[months] + (months >= 2 && is_leap(year) ? 1u : 0u);
}

static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
    if (value < low)
        return low;
    return value > high ? high : value;
}

struct calendar_time calendar_from_seconds(uint64_t seconds)
{
    if (seconds > CALENDAR_LAST_SECOND)
        seconds = CALENDAR_LAST_SECOND;
    uint32_t days = (uint32_t)(seconds / SECONDS_A_DAY);
    uint32_t rest = (uint32_t)(seconds % SECONDS_A_DAY);

    /* No year is longer than 366 days, so this estimate is never too late, only some years too early. */
    uint32_t year = FIRST_YEAR + days / 366;
    while (year < LAST_YEAR && days_to_year(year + 1) <= days)
        year++;
    uint32_t day = days - days_to_year(year);
    uint32_t month = 0;
    while (month + 1 < MONTHS && days_to_month(year, month + 1) <= day)
        month++;

    return (struct calendar_time){
        .year = year,
        .month = month + 1,
        .day = day - days_to_month(year, month) + 1,
        .weekday = (days + THURSDAY) % 7 + 1,
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
    };
}

uint64_t calendar_to_seconds(const struct calendar_time *time)
{
    uint32_t year = clamp(time->year, FIRST_YEAR, LAST_YEAR);
    uint32_t month = clamp(time->month, 1, MONTHS);
    uint32_t day = clamp(time->day, 1, 31);
    uint64_t days = (uint64_t)days_to_year(year) + days_to_month(year, month - 1) + day - 1;

    return days * SECONDS_A_DAY + clamp(time->hour, 0, 23) * 3600 + clamp(time->minute, 0, 59) * 60 +
           clamp(time->second, 0, 59);
}
