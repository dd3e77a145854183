/*
 * Vectors from request to end. SDM vol. 3A, "Handling Interrupts", "Interrupt, Task, and Processor Priority",
 * "Interrupt Acceptance for Fixed Interrupts", "Signaling Interrupt Servicing Completion".
 *
 *   request: IRR, TMR = trigger mode    taken: IRR -> ISR    EOI: the highest of ISR ends
 */
#include "core/local_apic_registers.h"

enum { NONE = -1, CLASS = 0xf0 };

uint32_t local_apic_take_changes(struct local_apic *lapic)
{
    uint32_t changes = lapic->changes;

    lapic->changes = 0;
    return changes;
}

uint8_t local_apic_requested(const struct local_apic *lapic) { return local_apic_highest(lapic, APIC_IRR); }
uint8_t local_apic_in_service(const struct local_apic *lapic) { return local_apic_highest(lapic, APIC_ISR); }

uint64_t local_apic_levels(const struct local_apic *lapic, uint32_t word)
{
    uint32_t at = APIC_TMR + word * 2 * APIC_STRIDE;

    return (uint64_t)local_apic_get(lapic, at + APIC_STRIDE) << 32 | local_apic_get(lapic, at);
}

/* Where both classes are equal, the manual leaves the low bits open: they are TPR's. */
uint8_t local_apic_ppr(const struct local_apic *lapic)
{
    uint32_t task = local_apic_get(lapic, APIC_TPR), in_service = local_apic_in_service(lapic) & CLASS;

    return (uint8_t)((task & CLASS) >= in_service ? task : in_service);
}

/* "Arbitration Priority Register (APR)" of the P6 family. */
uint8_t local_apic_apr(const struct local_apic *lapic)
{
    uint32_t task = local_apic_get(lapic, APIC_TPR) & CLASS;
    uint32_t requested = local_apic_requested(lapic) & CLASS;
    uint32_t in_service = local_apic_in_service(lapic) & CLASS;

    if (task >= requested && task > in_service)
        return (uint8_t)local_apic_get(lapic, APIC_TPR);
    return (uint8_t)((task & in_service) > requested ? task & in_service : requested);
}

int local_apic_pending(const struct local_apic *lapic)
{
    uint8_t vector = local_apic_requested(lapic);

    return vector != 0 && (vector & CLASS) > (local_apic_ppr(lapic) & CLASS) ? vector : NONE;
}

void local_apic_take(struct local_apic *lapic, uint8_t vector)
{
    uint32_t irr = local_apic_map_at(APIC_IRR, vector), isr = local_apic_map_at(APIC_ISR, vector);
    uint32_t bit = local_apic_map_bit(vector), requested = local_apic_get(lapic, irr);

    if ((requested & bit) == 0)
        return;
    local_apic_put(lapic, irr, requested & ~bit);
    local_apic_put(lapic, isr, local_apic_get(lapic, isr) | bit);
    lapic->changes |= LOCAL_APIC_CHANGED_VECTORS;
}

void local_apic_request(struct local_apic *lapic, uint8_t vector, bool level)
{
    uint32_t irr = local_apic_map_at(APIC_IRR, vector), tmr = local_apic_map_at(APIC_TMR, vector);
    uint32_t bit = local_apic_map_bit(vector), levels = local_apic_get(lapic, tmr);

    if (vector < VECTOR_FIRST_LEGAL) {
        local_apic_error(lapic, ESR_RECEIVE_VECTOR);
        return;
    }
    local_apic_put(lapic, irr, local_apic_get(lapic, irr) | bit);
    lapic->changes |= LOCAL_APIC_CHANGED_VECTORS;
    if (((levels & bit) != 0) != level) {
        local_apic_put(lapic, tmr, levels ^ bit);
        lapic->changes |= LOCAL_APIC_CHANGED_REST;
    }
}

void local_apic_ended(struct local_apic *lapic, uint8_t vector)
{
    lapic->outcome.eoi = (local_apic_get(lapic, APIC_SVR) & SVR_SUPPRESS_EOI) == 0;
    lapic->outcome.eoi_vector = vector;
    local_apic_lvt_ended(lapic, vector);
}

/* The value written does not matter, and without an interrupt in service nothing ends. */
void local_apic_eoi(struct local_apic *lapic)
{
    uint8_t vector = local_apic_in_service(lapic);
    uint32_t isr = local_apic_map_at(APIC_ISR, vector), bit = local_apic_map_bit(vector);

    if (vector == 0)
        return;
    local_apic_put(lapic, isr, local_apic_get(lapic, isr) & ~bit);
    lapic->changes |= LOCAL_APIC_CHANGED_VECTORS;
    if ((local_apic_get(lapic, local_apic_map_at(APIC_TMR, vector)) & bit) != 0)
        local_apic_ended(lapic, vector);
}
