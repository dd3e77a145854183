/*
 * Local sources: the vector table, the input pin, and errors. SDM vol. 3A, "Handling Local Interrupts".
 *
 * LINT0 is asserted or not; its polarity bit is stored and means nothing. With fixed delivery it may be
 * level-triggered: its remote IRR is set from acceptance to EOI. ExtINT is always the level of the pin. Nothing is
 * wired to LINT1, and heat and performance counters are not the guest's: their entries are only kept.
 */
#include "core/local_apic_registers.h"

static uint8_t delivery_of(uint32_t entry) { return (uint8_t)((entry >> LVT_DELIVERY_SHIFT) & LVT_DELIVERY_MASK); }
static bool is_fixed_level(uint32_t entry) { return delivery_of(entry) == DELIVERY_FIXED && (entry & LVT_LEVEL) != 0; }

/* SMI and INIT are not for a guest to give itself; reserved delivery modes, and ExtINT's edge, do nothing either. */
void local_apic_raise(struct local_apic *lapic, uint32_t lvt)
{
    uint32_t entry = local_apic_get(lapic, lvt);

    if ((entry & LVT_MASKED) != 0)
        return;
    if (delivery_of(entry) == DELIVERY_FIXED)
        local_apic_request(lapic, (uint8_t)(entry & LVT_VECTOR), false);
    else if (delivery_of(entry) == DELIVERY_NMI)
        lapic->nmi = true;
}

/* Level-triggered LINT0: accepted while the pin is asserted, once until its EOI. */
static void look_at_level(struct local_apic *lapic)
{
    uint32_t entry = local_apic_get(lapic, APIC_LVT_LINT0);

    if (!lapic->lint0 || (entry & (LVT_MASKED | LVT_REMOTE_IRR)) != 0 || !is_fixed_level(entry))
        return;
    local_apic_put(lapic, APIC_LVT_LINT0, entry | LVT_REMOTE_IRR);
    local_apic_request(lapic, (uint8_t)(entry & LVT_VECTOR), true);
}

void local_apic_lvt_ended(struct local_apic *lapic, uint8_t vector)
{
    uint32_t entry = local_apic_get(lapic, APIC_LVT_LINT0);

    if ((entry & LVT_VECTOR) == vector)
        local_apic_put(lapic, APIC_LVT_LINT0, entry & ~LVT_REMOTE_IRR);
    look_at_level(lapic);
}

void local_apic_set_lint0(struct local_apic *lapic, bool asserted)
{
    if (asserted == lapic->lint0)
        return;
    lapic->lint0 = asserted;
    if (!asserted || (lapic->base & APIC_BASE_EN) == 0)
        return;
    if (!is_fixed_level(local_apic_get(lapic, APIC_LVT_LINT0)))
        local_apic_raise(lapic, APIC_LVT_LINT0);
    look_at_level(lapic);
}

bool local_apic_extint(const struct local_apic *lapic)
{
    uint32_t entry = local_apic_get(lapic, APIC_LVT_LINT0);

    if ((lapic->base & APIC_BASE_EN) == 0)
        return lapic->lint0;
    return lapic->extint_message ||
           (lapic->lint0 && (entry & LVT_MASKED) == 0 && delivery_of(entry) == DELIVERY_EXTINT);
}

void local_apic_take_extint(struct local_apic *lapic) { lapic->extint_message = false; }

/*
 * What came before the write happened under the old entry, so the timer is brought up to date first. "Local APIC State
 * After It Has Been Software Disabled": the mask bits cannot be cleared. An entry that stops being a level-triggered
 * one has nothing to wait for.
 */
void local_apic_lvt_write(struct local_apic *lapic, uint32_t lvt, uint32_t value, uint64_t now)
{
    uint32_t before = local_apic_get(lapic, lvt);

    if (lvt == APIC_LVT_TIMER)
        local_apic_tick(lapic, now);
    value &= ~(LVT_STATUS | LVT_REMOTE_IRR);
    if (!local_apic_software_enabled(lapic))
        value |= LVT_MASKED;
    if (lvt == APIC_LVT_LINT0 && is_fixed_level(value))
        value |= before & LVT_REMOTE_IRR;
    local_apic_put(lapic, lvt, value);
    /* "A write to the LVT Timer Register that changes the timer mode disarms the local APIC timer." */
    if (lvt == APIC_LVT_TIMER && ((before ^ value) & LVT_TIMER_MODE) != 0) {
        local_apic_put(lapic, APIC_INITIAL_COUNT, 0);
        lapic->timer = (struct local_apic_timer){0};
    }
    if (lvt == APIC_LVT_LINT0)
        look_at_level(lapic);
}

void local_apic_lvt_mask_all(struct local_apic *lapic)
{
    for (uint32_t lvt = APIC_LVT_TIMER; lvt <= APIC_LVT_ERROR; lvt += APIC_STRIDE)
        local_apic_put(lapic, lvt, local_apic_get(lapic, lvt) | LVT_MASKED);
}

/* One interrupt for all errors up to the next write of ESR, which re-arms it; a masked entry leaves it armed. */
void local_apic_error(struct local_apic *lapic, uint32_t error)
{
    lapic->errors |= error;
    if (lapic->error_signalled || local_apic_masked(lapic, APIC_LVT_ERROR))
        return;
    lapic->error_signalled = true; /* first, because a bad vector in this entry is an error too */
    local_apic_raise(lapic, APIC_LVT_ERROR);
}
