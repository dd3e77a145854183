/*
 * Which registers there are, and the plain ones among them.
 *
 * The id cannot be written: the plan gives it, and messages are routed by it. Reading a register that is write-only in
 * xAPIC mode gives 0, writing one that is read-only does nothing; neither is an error there.
 */
#include "core/local_apic_registers.h"

enum {
    READ = RULE_XAPIC_READ | RULE_X2APIC_READ,
    READ_WRITE = READ | RULE_XAPIC_WRITE | RULE_X2APIC_WRITE,
    WRITE = RULE_XAPIC_WRITE | RULE_X2APIC_WRITE,
    XAPIC_ONLY = RULE_XAPIC_READ | RULE_XAPIC_WRITE,
};

#define AT(offset)  [(offset) / APIC_STRIDE]
#define MAP(offset) [(offset) / APIC_STRIDE...(offset) / APIC_STRIDE + 7]
#define DELIVERY    (LVT_DELIVERY_MASK << LVT_DELIVERY_SHIFT)
#define LVT_PLAIN   (LVT_VECTOR | LVT_STATUS | LVT_MASKED)
#define LVT_PIN     (LVT_PLAIN | DELIVERY | LVT_POLARITY | LVT_REMOTE_IRR | LVT_LEVEL)

/* In the order of the manual's table. */
static const struct local_apic_register registers[LOCAL_APIC_REGISTERS_SIZE / APIC_STRIDE] = {
    AT(APIC_ID) = {READ | RULE_XAPIC_WRITE, 0},
    AT(APIC_VERSION) = {READ, 0},
    AT(APIC_TPR) = {READ_WRITE, 0xff},
    AT(APIC_APR) = {RULE_XAPIC_READ, 0},
    AT(APIC_PPR) = {READ, 0},
    AT(APIC_EOI) = {WRITE, 0},
    AT(APIC_RRD) = {RULE_XAPIC_READ, 0},
    AT(APIC_LDR) = {READ | RULE_XAPIC_WRITE, LDR_WRITABLE},
    AT(APIC_DFR) = {XAPIC_ONLY, DFR_WRITABLE},
    AT(APIC_SVR) = {READ_WRITE, SVR_WRITABLE},
    MAP(APIC_ISR) = {READ, 0},
    MAP(APIC_TMR) = {READ, 0},
    MAP(APIC_IRR) = {READ, 0},
    AT(APIC_ESR) = {READ_WRITE, 0},
    AT(APIC_ICR_LOW) = {READ_WRITE, ICR_WRITABLE | ICR_STATUS},
    AT(APIC_ICR_HIGH) = {XAPIC_ONLY, ICR_HIGH_WRITABLE},
    AT(APIC_LVT_TIMER) = {READ_WRITE, LVT_PLAIN | LVT_TIMER_MODE},
    AT(APIC_LVT_THERMAL) = {READ_WRITE, LVT_PLAIN | DELIVERY},
    AT(APIC_LVT_PERFORMANCE) = {READ_WRITE, LVT_PLAIN | DELIVERY},
    AT(APIC_LVT_LINT0) = {READ_WRITE, LVT_PIN},
    AT(APIC_LVT_LINT1) = {READ_WRITE, LVT_PIN},
    AT(APIC_LVT_ERROR) = {READ_WRITE, LVT_PLAIN},
    AT(APIC_INITIAL_COUNT) = {READ_WRITE, 0xffffffff},
    AT(APIC_CURRENT_COUNT) = {READ, 0},
    AT(APIC_DIVIDE) = {READ_WRITE, DIVIDE_WRITABLE},
    AT(APIC_SELF_IPI) = {RULE_X2APIC_WRITE, 0xff},
};

const struct local_apic_register *local_apic_register(uint32_t offset) { return &registers[offset / APIC_STRIDE]; }

uint32_t local_apic_register_read(struct local_apic *lapic, uint32_t offset, uint64_t now)
{
    switch (offset) {
    case APIC_APR:
        return local_apic_apr(lapic);
    case APIC_PPR:
        return local_apic_ppr(lapic);
    case APIC_CURRENT_COUNT:
        return local_apic_timer_current(lapic, now);
    default:
        return local_apic_get(lapic, offset);
    }
}

/* Registers without a case below are only kept, as far as they can be written. */
void local_apic_register_write(struct local_apic *lapic, uint32_t offset, uint32_t value, uint64_t now)
{
    uint32_t writable = local_apic_register(offset)->writable;

    switch (offset) {
    case APIC_LVT_TIMER ... APIC_LVT_ERROR:
        /* Of a timer entry that is written no other bit exists than in the x2APIC's. */
        local_apic_lvt_write(lapic, offset, value & writable, now);
        return;
    case APIC_EOI:
        local_apic_eoi(lapic);
        return;
    case APIC_ESR: /* "The ESR is a write/read register": what was found since the last write moves into it */
        local_apic_put(lapic, APIC_ESR, lapic->errors);
        lapic->errors = 0;
        lapic->error_signalled = false;
        return;
    case APIC_ICR_LOW:
        local_apic_put(lapic, APIC_ICR_LOW, value & ICR_WRITABLE);
        local_apic_send(lapic);
        return;
    case APIC_INITIAL_COUNT:
        local_apic_timer_write_initial(lapic, value, now);
        return;
    case APIC_DIVIDE:
        local_apic_timer_write_divide(lapic, value & writable, now);
        return;
    case APIC_SELF_IPI:
        local_apic_send_self(lapic, (uint8_t)value);
        return;
    }
    local_apic_put(lapic, offset, (local_apic_get(lapic, offset) & ~writable) | (value & writable));
    if (offset == APIC_SVR) {
        lapic->changes |= LOCAL_APIC_CHANGED_REST;
        if (!local_apic_software_enabled(lapic))
            local_apic_lvt_mask_all(lapic);
    }
}
