/*
 * The PC's clock of day and its CMOS RAM (Motorola MC146818A), driven by the TSC. It raises no interrupt.
 */
#pragma once

#include "core/bus.h"
#include "drivers/virt/virt_clock.h"

enum { RTC_PORTS = 2, RTC_BYTES = 128 };

struct rtc {
    const struct virt_clock *clock;
    uint64_t seconds;  /* since 1970, at `anchor` */
    uint64_t anchor;   /* TSC; a second begins every hz ticks from here */
    uint64_t reported; /* the second that register C last reported an update for */
    uint8_t index;
    uint8_t bytes[RTC_BYTES]; /* the time registers only while the clock is stopped */
};

/* Power-on: 24 hours, BCD, RAM 0, and 2000-01-01 00:00 at TSC 0. */
void rtc_reset(struct rtc *rtc, const struct virt_clock *clock);

/* `seconds` since 1970-01-01 00:00 UTC, now. Later than the year 9999 counts as its last second. */
void rtc_set_time(struct rtc *rtc, uint64_t seconds);

/* A bus_handler for a slot of RTC_PORTS ports and width 1. */
void rtc_access(void *rtc, uint64_t offset, struct bus_access *access);
