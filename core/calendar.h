/*
 * Seconds since 1970-01-01 00:00 and the date they stand for (Gregorian, no leap seconds).
 */
#pragma once

#include "core/types.h"

#define CALENDAR_LAST_SECOND 253402300799u /* 9999-12-31 23:59:59 */

struct calendar_time {
    uint32_t year;    /* 1970..9999 */
    uint32_t month;   /* 1..12 */
    uint32_t day;     /* 1..31 */
    uint32_t weekday; /* 1 = Sunday .. 7 */
    uint32_t hour;    /* 0..23 */
    uint32_t minute;
    uint32_t second;
};

/* `seconds` above CALENDAR_LAST_SECOND count as that. */
struct calendar_time calendar_from_seconds(uint64_t seconds);

/*
 * `weekday` is ignored. Total: fields out of range are brought to the nearest date there is (a year before 1970 to
 * 1970, a month 0 to January, a 31st of February to the 2nd or 3rd of March).
 */
uint64_t calendar_to_seconds(const struct calendar_time *time);
