/*
 * The PC's clock of day and its CMOS RAM (Motorola MC146818A), driven by the TSC. Its interrupt is line 8 of a PC: a
 * level that is computed from the time, high from a periodic, alarm or update event that is enabled until register C is
 * read.
 */
#pragma once

#include "core/bus.h"
#include "core/virt_clock.h"

enum { RTC_PORTS = 2, RTC_BYTES = 128 };

struct rtc {
    const struct virt_clock *clock;
    uint64_t seconds;  /* since 1970, at `anchor` */
    uint64_t anchor;   /* TSC; a second begins every hz ticks from here */
    uint64_t reported; /* the second up to which events were looked for */
    uint64_t periods;  /* and how many periods from `anchor` on */
    uint8_t flags;     /* register C without IRQF */
    uint8_t index;
    uint8_t bytes[RTC_BYTES]; /* the time registers count only while the clock is stopped */
};

/* Power-on: 24 hours, BCD, RAM 0, and 2000-01-01 00:00 at TSC 0. */
void rtc_reset(struct rtc *rtc, const struct virt_clock *clock);

/* `seconds` since 1970-01-01 00:00 UTC, now. Later than the year 9999 counts as its last second. */
void rtc_set_time(struct rtc *rtc, uint64_t seconds);

/* A bus_handler for a slot of RTC_PORTS ports and width 1. */
void rtc_access(void *rtc, uint64_t offset, struct bus_access *access);

/* The level of the interrupt line. */
bool rtc_line(struct rtc *rtc);

/* The TSC at which the line rises next; VIRT_CLOCK_NEVER, also while it is high: it first falls by a guest's access. */
uint64_t rtc_next_rise(struct rtc *rtc);
