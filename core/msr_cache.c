#include "core/msr_cache.h"

#include "core/bytes.h"
#include "core/msr.h"

/* What finds no slot any more is answered the general way. */
static void put(struct msr_cache *cache, uint32_t *used, uint32_t number, uint64_t value, bool writable)
{
    if (number >= MSR_CACHE_END || *used == MSR_CACHE_SLOTS)
        return;
    uint32_t slot = (*used)++;
    cache->slots[number] = (uint8_t)slot;
    cache->values[slot] = value;
    cache->readable |= 1u << slot;
    if (writable)
        cache->writable |= 1u << slot;
}

void msr_cache_fill(struct msr_cache *cache, uint64_t apic_base)
{
    uint32_t used = 1;

    memset(cache, 0, sizeof *cache);
    put(cache, &used, MSR_APIC_BASE, apic_base, false);
    for (size_t i = 0; i < msr_rule_count && msr_rules[i].first < MSR_CACHE_END; i++)
        for (uint64_t number = msr_rules[i].first; number <= msr_rules[i].last; number++)
            if (msr_rules[i].read == MSR_CONSTANT)
                put(cache, &used, (uint32_t)number, msr_rules[i].value, msr_rules[i].write == MSR_IGNORE);
}

void msr_cache_set_apic_base(struct msr_cache *cache, uint64_t apic_base)
{
    cache->values[cache->slots[MSR_APIC_BASE]] = apic_base;
}
