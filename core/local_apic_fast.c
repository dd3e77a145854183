#include "core/local_apic_fast.h"

#include "core/local_apic_registers.h"

enum { CLASS_SHIFT = 4 };

static inline bool has_any(const struct local_apic *lapic, uint32_t map)
{
    const uint32_t *at = &lapic->registers[map / sizeof(uint32_t)];

    return (at[0] | at[4] | at[8] | at[12] | at[16] | at[20] | at[24] | at[28]) != 0;
}

bool local_apic_fast_read(const struct local_apic *lapic, uint32_t number, uint64_t *value)
{
    if (local_apic_mode(lapic) != APIC_MODE_X2APIC)
        return false;
    switch (number) {
    case MSR_X2APIC_FIRST + APIC_ID / APIC_STRIDE:
    case MSR_X2APIC_FIRST + APIC_TPR / APIC_STRIDE:
    case MSR_X2APIC_FIRST + APIC_SVR / APIC_STRIDE:
        *value = local_apic_get(lapic, (number - MSR_X2APIC_FIRST) * APIC_STRIDE);
        return true;
    default:
        return false;
    }
}

/*
 * Nothing is requested, so nothing becomes deliverable; an edge-triggered interrupt tells nobody that it has ended.
 * What is posted, or comes from the 8259s, does not wait for an EOI: it comes with a kick.
 */
bool local_apic_fast_eoi(struct local_apic *lapic)
{
    uint8_t vector = local_apic_highest(lapic, APIC_ISR);

    if (local_apic_mode(lapic) != APIC_MODE_X2APIC || has_any(lapic, APIC_IRR))
        return false;
    if (vector == 0)
        return true;
    uint32_t at = local_apic_map_at(APIC_ISR, vector), bit = local_apic_map_bit(vector);
    if ((local_apic_get(lapic, at + APIC_TMR - APIC_ISR) & bit) != 0)
        return false;
    local_apic_put(lapic, at, local_apic_get(lapic, at) & ~bit);
    lapic->changes |= LOCAL_APIC_CHANGED_VECTORS;
    return true;
}

bool local_apic_fast_icr(struct local_apic *lapic, uint64_t value)
{
    uint32_t low = (uint32_t)value;

    /* Fixed delivery, physical destination, edge, no shorthand, no reserved bit. */
    if ((low & ~(ICR_ASSERT | ICR_VECTOR)) != 0 || (low & ICR_VECTOR) < VECTOR_FIRST_LEGAL ||
        local_apic_mode(lapic) != APIC_MODE_X2APIC)
        return false;
    local_apic_put(lapic, APIC_ICR_LOW, low);
    local_apic_put(lapic, APIC_ICR_HIGH, (uint32_t)(value >> 32));
    return true;
}

static bool in_deadline_mode(const struct local_apic *lapic)
{
    return (local_apic_get(lapic, APIC_LVT_TIMER) & LVT_TIMER_MODE) == LVT_TIMER_DEADLINE;
}

bool local_apic_fast_deadline(struct local_apic *lapic, uint64_t value, uint64_t now)
{
    bool pends = lapic->timer.deadline != 0 && lapic->timer.deadline <= now;

    if (pends || (value != 0 && value <= now) || !in_deadline_mode(lapic))
        return false;
    lapic->timer.deadline = value;
    return true;
}

/* The vector that the deadline raises by now; -1: none, or there is more to look at. */
static int due(const struct local_apic *lapic, uint64_t now)
{
    uint32_t entry = local_apic_get(lapic, APIC_LVT_TIMER);

    if (lapic->timer.deadline == 0 || now < lapic->timer.deadline || (entry & LVT_MASKED) != 0 ||
        (entry & LVT_VECTOR) < VECTOR_FIRST_LEGAL || !in_deadline_mode(lapic) || lapic->nmi ||
        lapic->extint_message || local_apic_has_posts(lapic))
        return -1;
    return (int)(entry & LVT_VECTOR);
}

/* Into ISR or IRR, as an edge-triggered one. */
static inline void enter(struct local_apic *lapic, uint32_t map, uint8_t vector)
{
    uint32_t at = local_apic_map_at(map, vector), level_at = local_apic_map_at(APIC_TMR, vector);
    uint32_t bit = local_apic_map_bit(vector);

    lapic->timer.deadline = 0;
    local_apic_put(lapic, level_at, local_apic_get(lapic, level_at) & ~bit);
    local_apic_put(lapic, at, local_apic_get(lapic, at) | bit);
}

int local_apic_fast_timer(struct local_apic *lapic, uint64_t now)
{
    int vector = due(lapic, now);

    if (vector < 0 || has_any(lapic, APIC_IRR) || has_any(lapic, APIC_ISR) ||
        vector >> CLASS_SHIFT <= (uint8_t)local_apic_get(lapic, APIC_TPR) >> CLASS_SHIFT)
        return -1;
    enter(lapic, APIC_ISR, (uint8_t)vector);
    return vector;
}

int local_apic_fast_request(struct local_apic *lapic, uint64_t now)
{
    int vector = due(lapic, now);

    if (vector < 0 ||
        (local_apic_get(lapic, local_apic_map_at(APIC_TMR, (uint8_t)vector)) & local_apic_map_bit((uint8_t)vector)))
        return -1;
    enter(lapic, APIC_IRR, (uint8_t)vector);
    return vector;
}
