#include "core/cpuid_cache.h"

/* 1: OSXSAVE follows CR4. 4, 7, Bh, Dh, Fh, 10h, 12h, 14h, 17h, 18h, 1Ah-1Fh: have subleaves. */
#define LEAVES_THAT_VARY                                                                                               \
    (1u << 0x1 | 1u << 0x4 | 1u << 0x7 | 1u << 0xb | 1u << 0xd | 1u << 0xf | 1u << 0x10 | 1u << 0x12 | 1u << 0x14 |    \
     1u << 0x17 | 1u << 0x18 | 0x3fu << 0x1a)

void cpuid_cache_fill(struct cpuid_cache *cache, const struct cpuid_guest *guest, cpuid_reader *host)
{
    cache->valid = ~LEAVES_THAT_VARY;
    for (uint32_t leaf = 0; leaf < CPUID_CACHE_LEAVES; leaf++)
        if ((cache->valid >> leaf) & 1)
            cpuid_answer(guest, leaf, 0, host, &cache->regs[leaf]);
}
