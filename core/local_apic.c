/*
 * The local APIC as a whole: power-on, INIT, its mode, and the ways in: memory, MSRs, CR8.
 *
 *   mode       IA32_APIC_BASE EN EXTD   reached through
 *   disabled                  0  0      every mode
 *   xAPIC                     1  0      memory at FEE00000h
 *   x2APIC                    1  1      MSRs 800h-83Fh
 */
#include "core/local_apic_registers.h"

#include "core/bytes.h"

enum { CR8_MAX = 15, CR8_SHIFT = 4 };

/* Those that the mode decides. */
static void name_itself(struct local_apic *lapic)
{
    bool x2apic = local_apic_mode(lapic) == APIC_MODE_X2APIC;
    uint32_t id = lapic->config.id;

    local_apic_put(lapic, APIC_ID, x2apic ? id : id << XAPIC_ID_SHIFT);
    local_apic_put(lapic, APIC_LDR, x2apic ? local_apic_x2apic_ldr(id) : 0);
}

/* "Local APIC State After Power-Up or Reset". The counter's state beyond its registers goes with them. */
static void reset_registers(struct local_apic *lapic)
{
    for (uint32_t offset = 0; offset < LOCAL_APIC_REGISTERS_SIZE; offset += APIC_STRIDE)
        local_apic_put(lapic, offset, 0);
    local_apic_put(lapic, APIC_VERSION, APIC_VERSION_VALUE);
    local_apic_put(lapic, APIC_DFR, DFR_FLAT);
    local_apic_put(lapic, APIC_SVR, SVR_RESET);
    local_apic_lvt_mask_all(lapic);
    name_itself(lapic);
    lapic->changes = LOCAL_APIC_CHANGED_VECTORS | LOCAL_APIC_CHANGED_REST;
    lapic->errors = 0;
    lapic->error_signalled = false;
    memset(&lapic->timer, 0, sizeof lapic->timer);
    lapic->extint_message = false;
}

void local_apic_power_on(struct local_apic *lapic, const struct local_apic_config *config)
{
    memset(lapic, 0, sizeof *lapic);
    lapic->config = *config;
    lapic->base = LOCAL_APIC_BASE | APIC_BASE_EN | (config->bootstrap ? APIC_BASE_BSP : 0);
    reset_registers(lapic);
}

void local_apic_virtual_wire(struct local_apic *lapic)
{
    local_apic_put(lapic, APIC_SVR, SVR_ENABLED | SVR_RESET);
    local_apic_put(lapic, APIC_LVT_LINT0, DELIVERY_EXTINT << LVT_DELIVERY_SHIFT); /* the 8259s */
    local_apic_put(lapic, APIC_LVT_LINT1, DELIVERY_NMI << LVT_DELIVERY_SHIFT);
}

void local_apic_init_reset(struct local_apic *lapic)
{
    local_apic_absorb(lapic); /* to lose it */
    reset_registers(lapic);
}

/*
 * "x2APIC State Transitions": x2APIC mode is entered from xAPIC mode only and left by disabling only; EXTD without EN
 * does not exist. The way to or from the disabled state loses all registers but the id.
 */
static bool change_mode(struct local_apic *lapic, uint64_t mode)
{
    uint64_t before = local_apic_mode(lapic);

    if (mode == before)
        return true;
    if (mode == APIC_BASE_EXTD || (mode == APIC_MODE_X2APIC && before != APIC_MODE_XAPIC) ||
        (mode == APIC_MODE_XAPIC && before == APIC_MODE_X2APIC))
        return false;
    __atomic_store_n(&lapic->base, (lapic->base & ~APIC_BASE_MODE) | mode, __ATOMIC_RELAXED);
    if (mode == APIC_MODE_X2APIC) {
        lapic->changes |= LOCAL_APIC_CHANGED_REST;
        name_itself(lapic);
        local_apic_put(lapic, APIC_ICR_HIGH, 0); /* holds 8 bits of destination in one mode and 32 in the other */
    } else {
        reset_registers(lapic);
    }
    return true;
}

/* BSP is the platform's to say; a write to it is ignored. Every other bit but the mode must be as it is. */
static bool write_base(struct local_apic *lapic, uint64_t value)
{
    return ((value ^ lapic->base) & ~(APIC_BASE_MODE | APIC_BASE_BSP)) == 0 &&
           change_mode(lapic, value & APIC_BASE_MODE);
}

bool local_apic_x2apic_enabled(const struct local_apic *lapic)
{
    return local_apic_mode(lapic) == APIC_MODE_X2APIC && local_apic_software_enabled(lapic);
}

bool local_apic_page(const struct local_apic *lapic, uint64_t address)
{
    return local_apic_mode(lapic) == APIC_MODE_XAPIC && address - LOCAL_APIC_BASE < LOCAL_APIC_WINDOW_SIZE;
}

bool local_apic_memory(struct local_apic *lapic, struct bus_access *access, uint64_t now)
{
    uint32_t offset = access->address % LOCAL_APIC_WINDOW_SIZE;

    if (!local_apic_page(lapic, access->address))
        return false;
    if (!access->write)
        access->value = 0;
    /* "Register addresses are aligned on 128-bit boundaries": what else happens is model specific, here nothing. */
    if (access->size != 4 || offset % APIC_STRIDE != 0)
        return true;
    uint8_t rules = offset < LOCAL_APIC_REGISTERS_SIZE ? local_apic_register(offset)->rules : 0;
    if ((rules & (RULE_XAPIC_READ | RULE_XAPIC_WRITE)) == 0)
        local_apic_error(lapic, ESR_REGISTER);
    else if (access->write && (rules & RULE_XAPIC_WRITE) != 0)
        local_apic_register_write(lapic, offset, (uint32_t)access->value, now);
    else if (!access->write && (rules & RULE_XAPIC_READ) != 0)
        access->value = local_apic_register_read(lapic, offset, now);
    return true;
}

void local_apic_written(struct local_apic *lapic, uint64_t offset, uint64_t now)
{
    if (offset < LOCAL_APIC_REGISTERS_SIZE && offset % APIC_STRIDE == 0)
        local_apic_register_write(lapic, (uint32_t)offset, local_apic_get(lapic, (uint32_t)offset), now);
}

/* The register behind an MSR, if the present mode has it and `rule` allows it; NULL otherwise. */
static const struct local_apic_register *x2apic_register(const struct local_apic *lapic, uint32_t number, uint8_t rule)
{
    if (local_apic_mode(lapic) != APIC_MODE_X2APIC || number < MSR_X2APIC_FIRST || number > MSR_X2APIC_LAST)
        return NULL;
    const struct local_apic_register *at = local_apic_register((number - MSR_X2APIC_FIRST) * APIC_STRIDE);
    return (at->rules & rule) != 0 ? at : NULL;
}

bool local_apic_msr_read(struct local_apic *lapic, uint32_t number, uint64_t now, uint64_t *value)
{
    if (number == MSR_IA32_APIC_BASE) {
        *value = lapic->base;
        return true;
    }
    if (number == MSR_IA32_TSC_DEADLINE) {
        local_apic_tick(lapic, now);
        *value = lapic->timer.deadline;
        return true;
    }
    if (x2apic_register(lapic, number, RULE_X2APIC_READ) == NULL)
        return false;
    uint32_t offset = (number - MSR_X2APIC_FIRST) * APIC_STRIDE;
    *value = local_apic_register_read(lapic, offset, now);
    if (offset == APIC_ICR_LOW)
        *value |= (uint64_t)local_apic_get(lapic, APIC_ICR_HIGH) << 32;
    return true;
}

/* "Reserved Bit Checking": ICR is the only register of 64 bits. */
static bool write_x2apic(struct local_apic *lapic, uint32_t number, uint64_t value, uint64_t now)
{
    const struct local_apic_register *at = x2apic_register(lapic, number, RULE_X2APIC_WRITE);
    uint32_t offset = (number - MSR_X2APIC_FIRST) * APIC_STRIDE;

    if (at == NULL || ((uint32_t)value & ~at->writable) != 0 || (offset != APIC_ICR_LOW && value >> 32 != 0))
        return false;
    if (offset == APIC_ICR_LOW)
        local_apic_put(lapic, APIC_ICR_HIGH, (uint32_t)(value >> 32));
    local_apic_register_write(lapic, offset, (uint32_t)value, now);
    return true;
}

bool local_apic_msr_write(struct local_apic *lapic, uint32_t number, uint64_t value, uint64_t now)
{
    if (number == MSR_IA32_APIC_BASE)
        return write_base(lapic, value);
    if (number == MSR_IA32_TSC_DEADLINE) {
        /* "If the timer is not in TSC-deadline mode, writes are ignored." 0 disarms; what has passed is due at once. */
        local_apic_tick(lapic, now);
        if (local_apic_in_deadline_mode(lapic))
            lapic->timer.deadline = value;
        return true;
    }
    return write_x2apic(lapic, number, value, now);
}

uint64_t local_apic_cr8(const struct local_apic *lapic)
{
    return (uint8_t)local_apic_get(lapic, APIC_TPR) >> CR8_SHIFT;
}

bool local_apic_set_cr8(struct local_apic *lapic, uint64_t value)
{
    if (value > CR8_MAX)
        return false;
    local_apic_put(lapic, APIC_TPR, (uint32_t)value << CR8_SHIFT);
    return true;
}
