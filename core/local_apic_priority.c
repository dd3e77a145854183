/*
 * Vectors from request to end. SDM vol. 3A, "Handling Interrupts", "Interrupt, Task, and Processor Priority",
 * "Interrupt Acceptance for Fixed Interrupts", "Signaling Interrupt Servicing Completion".
 *
 *   request: IRR, TMR = trigger mode    taken: IRR -> ISR    EOI: the highest of ISR ends
 */
#include "core/local_apic_registers.h"

enum { NONE = -1, CLASS = 0xf0 };

static uint32_t word_of(uint8_t vector) { return vector / 64u; }
static uint64_t bit_of(uint8_t vector) { return (uint64_t)1 << vector % 64; }
static bool is_set(const uint64_t *map, uint8_t vector) { return (map[word_of(vector)] & bit_of(vector)) != 0; }
static void set(uint64_t *map, uint8_t vector) { map[word_of(vector)] |= bit_of(vector); }
static void clear(uint64_t *map, uint8_t vector) { map[word_of(vector)] &= ~bit_of(vector); }

static int highest(const uint64_t *map)
{
    for (int word = LOCAL_APIC_WORDS - 1; word >= 0; word--)
        if (map[word] != 0)
            return word * 64 + 63 - __builtin_clzll(map[word]);
    return NONE;
}

/* A vector, or 0 where there is none, as the manual's formulas have it. */
static uint32_t highest_or_zero(const uint64_t *map)
{
    int vector = highest(map);

    return vector == NONE ? 0 : (uint32_t)vector;
}

/* Where both classes are equal, the manual leaves the low bits open: they are TPR's. */
uint8_t local_apic_ppr(const struct local_apic *lapic)
{
    uint32_t in_service = highest_or_zero(lapic->isr) & CLASS;

    return (uint8_t)((lapic->tpr & CLASS) >= in_service ? lapic->tpr : in_service);
}

/* "Arbitration Priority Register (APR)" of the P6 family. */
uint8_t local_apic_apr(const struct local_apic *lapic)
{
    uint32_t task = lapic->tpr & CLASS;
    uint32_t requested = highest_or_zero(lapic->irr) & CLASS;
    uint32_t in_service = highest_or_zero(lapic->isr) & CLASS;

    if (task >= requested && task > in_service)
        return lapic->tpr;
    return (uint8_t)((task & in_service) > requested ? task & in_service : requested);
}

int local_apic_pending(const struct local_apic *lapic)
{
    int vector = highest(lapic->irr);

    return vector != NONE && (vector & CLASS) > (local_apic_ppr(lapic) & CLASS) ? vector : NONE;
}

void local_apic_take(struct local_apic *lapic, uint8_t vector)
{
    if (!is_set(lapic->irr, vector))
        return;
    clear(lapic->irr, vector);
    set(lapic->isr, vector);
}

bool local_apic_request(struct local_apic *lapic, uint8_t vector, bool level)
{
    if (vector < VECTOR_FIRST_LEGAL) {
        local_apic_error(lapic, ESR_RECEIVE_VECTOR);
        return false;
    }
    bool newly = !is_set(lapic->irr, vector);
    set(lapic->irr, vector);
    if (level)
        set(lapic->tmr, vector);
    else
        clear(lapic->tmr, vector);
    return newly;
}

/* The value written does not matter, and without an interrupt in service nothing ends. */
void local_apic_eoi(struct local_apic *lapic, struct local_apic_outcome *outcome)
{
    int ended = highest(lapic->isr);

    if (ended == NONE)
        return;
    uint8_t vector = (uint8_t)ended;
    clear(lapic->isr, vector);
    if (!is_set(lapic->tmr, vector))
        return;
    outcome->eoi = (lapic->svr & SVR_SUPPRESS_EOI) == 0;
    outcome->eoi_vector = vector;
    local_apic_lvt_ended(lapic, vector);
}
