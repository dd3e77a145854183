/* Time spans: from TSC ticks to what a person reads. */
#pragma once

#include "core/types.h"

struct duration {
    uint64_t seconds;
    uint32_t thousandths;
};

/* `hz` is ticks a second, below 2^54; with 0 (no clock yet) the answer is 0. */
static inline struct duration duration_from_ticks(uint64_t ticks, uint64_t hz)
{
    if (hz == 0)
        return (struct duration){0, 0};
    /* The remainder is below hz: times 1000 can not wrap. */
    return (struct duration){ticks / hz, (uint32_t)(ticks % hz * 1000 / hz)};
}
