/*
 * MSRs whose answers do not change by themselves, kept so that a backend can give them without asking anybody: the
 * constants of core/msr.c, and APIC_BASE.
 */
#pragma once

#include "core/types.h"

enum { MSR_CACHE_END = 512, MSR_CACHE_SLOTS = 32 }; /* numbers below the first; slot 0 stays empty */

struct msr_cache {
    uint32_t readable; /* one bit a slot: RDMSR gives its value */
    uint32_t writable; /* WRMSR is accepted and dropped */
    uint64_t values[MSR_CACHE_SLOTS];
    uint8_t slots[MSR_CACHE_END]; /* of each number; 0: ask msr_find */
};

void msr_cache_fill(struct msr_cache *cache, uint64_t apic_base);
void msr_cache_set_apic_base(struct msr_cache *cache, uint64_t apic_base); /* it was written; after msr_cache_fill */
