#include "core/local_apic_fast.h"

#include "core/local_apic_registers.h"

enum { CLASS_SHIFT = 4, MSR_X2APIC_OFFSET = 0x10 };

static bool has_requests(const struct local_apic *lapic)
{
    uint64_t requested = 0;

    for (uint32_t word = 0; word < LOCAL_APIC_WORDS; word++)
        requested |= lapic->irr[word];
    return requested != 0;
}

/* The highest vector in service; -1: none. */
static int in_service(const struct local_apic *lapic)
{
    for (int word = LOCAL_APIC_WORDS - 1; word >= 0; word--)
        if (lapic->isr[word] != 0)
            return word * 64 + 63 - __builtin_clzll(lapic->isr[word]);
    return -1;
}

bool local_apic_fast_read(const struct local_apic *lapic, uint32_t number, uint64_t *value)
{
    if (local_apic_mode(lapic) != APIC_MODE_X2APIC)
        return false;
    switch ((number - MSR_X2APIC_FIRST) * MSR_X2APIC_OFFSET) {
    case APIC_ID:
        *value = lapic->config.id;
        return true;
    case APIC_TPR:
        *value = lapic->tpr;
        return true;
    case APIC_SVR:
        *value = lapic->svr;
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
    int vector = in_service(lapic);

    if (local_apic_mode(lapic) != APIC_MODE_X2APIC || has_requests(lapic))
        return false;
    if (vector < 0)
        return true;
    uint64_t bit = (uint64_t)1 << vector % 64;
    if ((lapic->tmr[vector / 64] & bit) != 0)
        return false;
    lapic->isr[vector / 64] &= ~bit;
    return true;
}

bool local_apic_fast_icr(struct local_apic *lapic, uint64_t value)
{
    uint32_t low = (uint32_t)value;

    /* Fixed delivery, physical destination, edge, no shorthand, no reserved bit. */
    if ((low & ~(ICR_ASSERT | ICR_VECTOR)) != 0 || (low & ICR_VECTOR) < VECTOR_FIRST_LEGAL ||
        local_apic_mode(lapic) != APIC_MODE_X2APIC)
        return false;
    lapic->icr_low = low;
    lapic->icr_high = (uint32_t)(value >> 32);
    return true;
}

static bool in_deadline_mode(const struct local_apic *lapic)
{
    return lapic->config.tsc_deadline && (lapic->lvt[LOCAL_APIC_TIMER] & LVT_TIMER_MODE) == LVT_TIMER_DEADLINE;
}

bool local_apic_fast_deadline(struct local_apic *lapic, uint64_t value, uint64_t now)
{
    bool pends = lapic->timer.deadline != 0 && lapic->timer.deadline <= now;

    if (pends || (value != 0 && value <= now) || !in_deadline_mode(lapic))
        return false;
    lapic->timer.deadline = value;
    return true;
}

int local_apic_fast_timer(struct local_apic *lapic, uint64_t now)
{
    uint32_t entry = lapic->lvt[LOCAL_APIC_TIMER];
    uint32_t vector = entry & LVT_VECTOR;

    if (lapic->timer.deadline == 0 || now < lapic->timer.deadline || (entry & LVT_MASKED) != 0 ||
        vector < VECTOR_FIRST_LEGAL || !in_deadline_mode(lapic) || has_requests(lapic) || lapic->events != 0 ||
        lapic->extint_message || local_apic_has_posts(lapic))
        return -1;
    int serving = in_service(lapic);
    if (vector >> CLASS_SHIFT <= (uint32_t)lapic->tpr >> CLASS_SHIFT ||
        (serving >= 0 && vector >> CLASS_SHIFT <= (uint32_t)serving >> CLASS_SHIFT))
        return -1;
    uint64_t bit = (uint64_t)1 << vector % 64;
    lapic->timer.deadline = 0;
    lapic->tmr[vector / 64] &= ~bit;
    lapic->isr[vector / 64] |= bit;
    return (int)vector;
}
