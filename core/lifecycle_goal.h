/*
 * How asking and obeying meet. Private to core/lifecycle*.c.
 */
#pragma once

#include "core/lifecycle.h"

/*
 * partition.goal holds the goal in its lowest four bits, in the next four what is to be asked for when that is done,
 * and a count of goals above them. A parked vCPU remembers goal and count: so a vCPU that parked for an earlier goal
 * never counts as parked for this one.
 */
enum { GOAL_MASK = 0xf, GOAL_NEXT_SHIFT = 4, GOAL_NEXT_MASK = 0xf0, GOAL_COUNT = 0x100 };

static inline uint32_t lifecycle_goal_word(const struct partition *p)
{
    return __atomic_load_n(&p->goal, __ATOMIC_ACQUIRE);
}

/* The boot CPU has carried out the goal of `word`, without what is next in it: settles it, or begins what is next. */
void lifecycle_goal_done(struct partition *p, uint32_t word);

/*
 * Why the partition does not run: one line, also for those who only look; "" while it does. The first reason is the
 * cause and stays; what other vCPUs say after it often only follows from it.
 */
void lifecycle_reason_put(struct partition *p, const char text[PARTITION_REASON_SIZE]);
