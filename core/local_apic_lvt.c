/*
 * Local sources: the vector table, the two input pins, and errors. SDM vol. 3A, "Handling Local Interrupts".
 *
 * A pin is asserted or not; its polarity bit is stored and means nothing. LINT0 with fixed delivery may be
 * level-triggered: its remote IRR is set from acceptance to EOI. LINT1 is edge-triggered whatever its bit says. ExtINT
 * is always the level of the pin.
 */
#include "core/local_apic_registers.h"

/* The bits of lines and rises. */
enum { PIN_LINT0 = 1u << 0, PIN_LINT1 = 1u << 1 };

static uint8_t delivery_of(uint32_t entry) { return (uint8_t)((entry >> LVT_DELIVERY_SHIFT) & LVT_DELIVERY_MASK); }
static bool is_fixed_level(uint32_t entry) { return delivery_of(entry) == DELIVERY_FIXED && (entry & LVT_LEVEL) != 0; }

/* Reserved delivery modes, and those that a level would mean, do nothing. */
static void deliver(struct local_apic *lapic, uint32_t entry)
{
    switch (delivery_of(entry)) {
    case DELIVERY_FIXED:
        local_apic_request(lapic, (uint8_t)(entry & LVT_VECTOR), false);
        return;
    case DELIVERY_SMI:
        lapic->events |= LOCAL_APIC_EVENT_SMI;
        return;
    case DELIVERY_NMI:
        lapic->events |= LOCAL_APIC_EVENT_NMI;
        return;
    case DELIVERY_INIT:
        lapic->events |= LOCAL_APIC_EVENT_INIT;
        return;
    default:
        return;
    }
}

void local_apic_raise(struct local_apic *lapic, enum local_apic_lvt source)
{
    uint32_t entry = local_apic_get(lapic, local_apic_lvt_at(source));

    if ((entry & LVT_MASKED) != 0)
        return;
    /* A performance counter's interrupt masks its entry, so that the handler is not interrupted by the next. */
    if (source == LOCAL_APIC_PERFORMANCE)
        local_apic_put(lapic, local_apic_lvt_at(source), entry | LVT_MASKED);
    deliver(lapic, entry);
}

/* Level-triggered LINT0: accepted while the pin is asserted, once until its EOI. */
static void look_at_level(struct local_apic *lapic)
{
    uint32_t entry = local_apic_get(lapic, APIC_LVT_LINT0);

    if ((lapic->lines & PIN_LINT0) == 0 || (entry & (LVT_MASKED | LVT_REMOTE_IRR)) != 0 || !is_fixed_level(entry))
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

/* `rises` also holds pins that have fallen again. While the APIC is disabled LINT1 is the CPU's NMI pin. */
void local_apic_lines(struct local_apic *lapic, uint32_t lines, uint32_t rises)
{
    lapic->lines = lines;
    if ((lapic->base & APIC_BASE_EN) == 0) {
        if ((rises & PIN_LINT1) != 0)
            lapic->events |= LOCAL_APIC_EVENT_NMI;
        return;
    }
    if ((rises & PIN_LINT0) != 0 && !is_fixed_level(local_apic_get(lapic, APIC_LVT_LINT0)))
        local_apic_raise(lapic, LOCAL_APIC_LINT0);
    if ((rises & PIN_LINT1) != 0)
        local_apic_raise(lapic, LOCAL_APIC_LINT1);
    look_at_level(lapic);
}

static bool is_extint(const struct local_apic *lapic, enum local_apic_lvt entry, uint32_t pin)
{
    return (lapic->lines & pin) != 0 && !local_apic_masked(lapic, entry) &&
           delivery_of(local_apic_get(lapic, local_apic_lvt_at(entry))) == DELIVERY_EXTINT;
}

bool local_apic_extint(const struct local_apic *lapic)
{
    if ((lapic->base & APIC_BASE_EN) == 0)
        return (lapic->lines & PIN_LINT0) != 0;
    return lapic->extint_message || is_extint(lapic, LOCAL_APIC_LINT0, PIN_LINT0) ||
           is_extint(lapic, LOCAL_APIC_LINT1, PIN_LINT1);
}

void local_apic_take_extint(struct local_apic *lapic) { lapic->extint_message = false; }

/*
 * What came before the write happened under the old entry, so the timer is brought up to date first. "Local APIC State
 * After It Has Been Software Disabled": the mask bits cannot be cleared. An entry that stops being a level-triggered
 * one has nothing to wait for.
 */
void local_apic_lvt_write(struct local_apic *lapic, enum local_apic_lvt entry, uint32_t value, uint64_t now)
{
    uint32_t at = local_apic_lvt_at(entry), before = local_apic_get(lapic, at);

    if (entry == LOCAL_APIC_TIMER)
        local_apic_tick(lapic, now);
    value &= ~(LVT_STATUS | LVT_REMOTE_IRR);
    if (!local_apic_software_enabled(lapic))
        value |= LVT_MASKED;
    if (entry == LOCAL_APIC_LINT0 && is_fixed_level(value))
        value |= before & LVT_REMOTE_IRR;
    local_apic_put(lapic, at, value);
    if (entry == LOCAL_APIC_TIMER && ((before ^ value) & LVT_TIMER_MODE) != 0)
        local_apic_timer_mode_changed(lapic);
    if (entry == LOCAL_APIC_LINT0)
        look_at_level(lapic);
}

void local_apic_lvt_mask_all(struct local_apic *lapic)
{
    for (uint32_t entry = 0; entry < LOCAL_APIC_LVTS; entry++)
        local_apic_put(lapic, local_apic_lvt_at(entry), local_apic_get(lapic, local_apic_lvt_at(entry)) | LVT_MASKED);
}

/* One interrupt for all errors up to the next write of ESR, which re-arms it; a masked entry leaves it armed. */
void local_apic_error(struct local_apic *lapic, uint32_t error)
{
    lapic->errors |= error;
    if (lapic->error_signalled || local_apic_masked(lapic, LOCAL_APIC_ERROR))
        return;
    lapic->error_signalled = true; /* first, because a bad vector in this entry is an error too */
    local_apic_raise(lapic, LOCAL_APIC_ERROR);
}

/* "The ESR is a write/read register": a write, of whatever value, moves what was found since the last one into it. */
void local_apic_esr_write(struct local_apic *lapic)
{
    local_apic_put(lapic, APIC_ESR, lapic->errors);
    lapic->errors = 0;
    lapic->error_signalled = false;
}
