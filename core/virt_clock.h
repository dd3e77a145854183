/*
 * Time as the models see it: the TSC at the access that is being handled, and clocks counted by it. Shared by all
 * models of a platform, written by the platform alone, never running backwards.
 */
#pragma once

#include "core/types.h"

struct virt_clock {
    uint64_t hz;  /* TSC ticks a second; 0: time stands still */
    uint64_t now; /* TSC ticks */
};

/*
 * How often something of `frequency` Hz has ticked since TSC 0. Split into whole seconds and the rest, so that no
 * product passes 64 bits for any TSC below 2^64 / frequency Hz, which no CPU comes near.
 */
static inline uint64_t virt_clock_count(const struct virt_clock *clock, uint32_t frequency)
{
    if (clock->hz == 0)
        return 0;
    return clock->now / clock->hz * frequency + clock->now % clock->hz * frequency / clock->hz;
}

#define VIRT_CLOCK_NEVER UINT64_MAX

/*
 * The other way round: how many TSC ticks after TSC 0 virt_clock_count first gives `count`. VIRT_CLOCK_NEVER when time
 * stands still or that passes 64 bits. `frequency` is not 0.
 */
static inline uint64_t virt_clock_when(const struct virt_clock *clock, uint32_t frequency, uint64_t count)
{
    uint64_t ticks, rest;

    if (clock->hz == 0 || __builtin_mul_overflow(count / frequency, clock->hz, &ticks) ||
        __builtin_mul_overflow(count % frequency, clock->hz, &rest) ||
        __builtin_add_overflow(ticks, rest / frequency + (rest % frequency != 0 ? 1 : 0), &ticks))
        return VIRT_CLOCK_NEVER;
    return ticks;
}
