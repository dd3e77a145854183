/*
 * Time as the models see it: the TSC at the access that is being handled. Shared by all models of a platform, written
 * by the platform alone, never running backwards.
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
