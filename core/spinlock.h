/*
 * A ticket-less test-and-set lock for short sections. Never taken in the NMI
 * handler, so a section may be interrupted by a kick but not deadlock with it.
 */
#pragma once

#include "core/types.h"

struct spinlock {
    bool held;
};

static inline void spin_lock(struct spinlock *lock)
{
    while (__atomic_exchange_n(&lock->held, true, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(&lock->held, __ATOMIC_RELAXED))
            __builtin_ia32_pause();
}

static inline void spin_unlock(struct spinlock *lock) { __atomic_store_n(&lock->held, false, __ATOMIC_RELEASE); }
