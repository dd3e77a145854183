/*
 * Answers to CPUID that never change while a vCPU runs, kept so that a backend can give them without asking anybody.
 * Leaves that depend on a subleaf or on a control register are not in it.
 */
#pragma once

#include "core/cpuid.h"

enum { CPUID_CACHE_LEAVES = 32 }; /* basic leaves 0 to 1Fh */

struct cpuid_cache {
    uint32_t valid; /* one bit a leaf */
    struct cpuid_regs regs[CPUID_CACHE_LEAVES];
};

/* Fills the cache with the policy's answers for this vCPU, on its own CPU. */
void cpuid_cache_fill(struct cpuid_cache *cache, const struct cpuid_guest *guest, cpuid_reader *host);
