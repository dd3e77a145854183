/*
 * How asking and obeying meet. Private to core/lifecycle*.c.
 */
#pragma once

#include "core/lifecycle.h"

/*
 * partition.goal holds the goal in its low byte and a count of goals above it, and a parked vCPU remembers that word:
 * so a vCPU that parked for an earlier goal never counts as parked for this one.
 */
enum { GOAL_MASK = 0xff, GOAL_COUNT = 0x100 };

static inline uint32_t lifecycle_goal_word(const struct partition *p)
{
    return __atomic_load_n(&p->goal, __ATOMIC_ACQUIRE);
}

/* Makes every CPU of the partition look at it. */
void lifecycle_kick(struct partition *p);

/* Why the partition does not run: one line, also for those who only look. */
void lifecycle_reason_put(struct partition *p, const char text[PARTITION_REASON_SIZE]);
