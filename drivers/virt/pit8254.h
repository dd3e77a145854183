/*
 * The programmable interval timer (Intel 8254) and port 61h, which gates and watches its counter 2. Counts by the TSC.
 *
 * The output of counter 0 is interrupt line 0: a level that is computed from the time. Its low moments can be one clock
 * long, so whoever looks now and then asks for rises too; and a host's timer is set to the next one.
 */
#pragma once

#include "core/bus.h"
#include "core/virt_clock.h"

enum { PIT8254_PORTS = 4, PIT8254_COUNTERS = 3, PIT8254_HZ = 1193182 };

struct pit8254_counter {
    uint8_t control; /* bits 5:0 of its control word */
    bool gate;
    bool loaded;     /* has a count since the control word */
    bool triggered;  /* modes 1 and 5: the gate rose with a count there */
    bool write_high; /* the next byte written is the high one of two */
    bool read_high;  /* the next byte read is the high one of two */
    bool status_latched;
    uint8_t low_written;   /* waits for its high byte */
    uint8_t status;        /* valid when status_latched */
    uint8_t latched_bytes; /* how many bytes of `latch` are still to be read */
    uint16_t latch;
    uint32_t period;      /* clocks, 1..65536 */
    uint32_t next_period; /* 0, or the count that waits for the end of this period or for a trigger */
    uint64_t switch_at;   /* clocks counted when next_period takes over (modes 2 and 3) */
    uint64_t start;       /* the clock number at which counting began or went on */
    uint64_t held;        /* clocks counted before that */
};

struct pit8254 {
    const struct virt_clock *clock;
    uint8_t port_b;   /* port 61h, the bits that can be written */
    bool rose;        /* the line has risen and nobody was told */
    uint64_t rise_at; /* number of the clock at which it rises next; VIRT_CLOCK_NEVER */
    struct pit8254_counter counters[PIT8254_COUNTERS];
};

/* As PC firmware leaves it: counter 0 at 18.2 Hz, counter 1 at the refresh rate, counter 2 off. */
void pit8254_reset(struct pit8254 *pit, const struct virt_clock *clock);

/* A bus_handler for a slot of PIT8254_PORTS ports and width 1. */
void pit8254_access(void *pit, uint64_t offset, struct bus_access *access);

/* A bus_handler for port 61h, width 1; `pit` as above. */
void pit8254_port_b_access(void *pit, uint64_t offset, struct bus_access *access);

/* The level of interrupt line 0. */
bool pit8254_line(struct pit8254 *pit);

/* Whether it has risen, once or more, since this was last asked, even if it is low again. */
bool must_check pit8254_line_rose(struct pit8254 *pit);

/* The TSC at which it rises next, after now; VIRT_CLOCK_NEVER. */
uint64_t pit8254_next_rise(struct pit8254 *pit);
