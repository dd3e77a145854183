/*
 * Date arithmetic by counting days. Years count from March here, so that a leap day is the last of its year, and the
 * months before are 31, 30, 31, 30, 31 days long, over and over.
 */
#include "core/calendar.h"

enum { SECONDS_A_DAY = 86400, FIRST_YEAR = 1970, LAST_YEAR = 9999, MONTHS = 12, THURSDAY = 4, DAYS_TO_1970 = 719468 };

/* Days from 1970-01-01 to the first of `month`, 1 to 12. */
static uint32_t days_to(uint32_t year, uint32_t month)
{
    uint32_t years = month < 3 ? year - 1 : year;
    uint32_t months = (month + 9) % MONTHS; /* five of them have 153 days */
    return years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 - DAYS_TO_1970;
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
    uint32_t month = 1;
    while (year < LAST_YEAR && days_to(year + 1, 1) <= days)
        year++;
    while (month < MONTHS && days_to(year, month + 1) <= days)
        month++;

    return (struct calendar_time){
        .year = year,
        .month = month,
        .day = days - days_to(year, month) + 1,
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
    uint64_t days = (uint64_t)days_to(year, month) + day - 1;

    return days * SECONDS_A_DAY + clamp(time->hour, 0, 23) * 3600 + clamp(time->minute, 0, 59) * 60 +
           clamp(time->second, 0, 59);
}
