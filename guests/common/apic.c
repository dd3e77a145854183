/*
 * One local APIC, two ways to its registers.
 */
#include "guests/common/apic.h"

#include "guests/common/guest.h"
#include "guests/common/instructions.h"

enum { CPUID_FEATURE_LEAF = 1, CPUID_FEATURE_ECX_X2APIC = 1 << 21, CPUID_FEATURE_ECX_TSC_DEADLINE = 1 << 24 };
enum { MSR_X2APIC = 0x800, XAPIC_ID_SHIFT = 24, ICR_SENDING = 1 << 12 };
#define XAPIC_BASE 0xfee00000u

static bool is_x2apic, is_given;

static uint32_t msr(unsigned offset) { return MSR_X2APIC + offset / APIC_STRIDE; }
static volatile uint32_t *memory(unsigned offset) { return (volatile uint32_t *)(uintptr_t)(XAPIC_BASE + offset); }
static uint32_t xapic_destination(uint64_t message) { return (uint32_t)(message >> 32) << XAPIC_ID_SHIFT; }

void apic_init(void)
{
    bool has_x2apic = (cpuid(CPUID_FEATURE_LEAF, 0).ecx & CPUID_FEATURE_ECX_X2APIC) != 0;
    uint64_t base = rdmsr(MSR_APIC_BASE);
    is_given = (base & APIC_BASE_EXTENDED) != 0;
    is_x2apic = is_given || (has_x2apic && !guest_has_word("xapic"));
    if (!is_given)
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | (is_x2apic ? APIC_BASE_EXTENDED : 0));
    apic_write(APIC_SPURIOUS, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
}

bool apic_is_x2apic(void) { return is_x2apic; }
bool apic_is_given(void) { return is_given; }
uint32_t apic_id(void) { return is_x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> XAPIC_ID_SHIFT; }
bool apic_has_tsc_deadline(void) { return (cpuid(CPUID_FEATURE_LEAF, 0).ecx & CPUID_FEATURE_ECX_TSC_DEADLINE) != 0; }

void apic_eoi(void)
{
    if (is_x2apic)
        wrmsr(MSR_X2APIC_EOI, 0);
    else
        *memory(APIC_EOI) = 0;
}

uint32_t apic_read(unsigned offset) { return is_x2apic ? (uint32_t)rdmsr(msr(offset)) : *memory(offset); }

void apic_write(unsigned offset, uint32_t value)
{
    if (is_x2apic)
        wrmsr(msr(offset), value);
    else
        *memory(offset) = value;
}

struct trap_probe apic_probe_read(unsigned offset, uint64_t *value)
{
    if (is_x2apic)
        return probe_rdmsr(msr(offset), value);
    uint32_t read = 0;
    struct trap_probe probe = probe_read(XAPIC_BASE + offset, &read);
    *value = read;
    return probe;
}

struct trap_probe apic_probe_write(unsigned offset, uint64_t value)
{
    return is_x2apic ? probe_wrmsr(msr(offset), value) : probe_write(XAPIC_BASE + offset, (uint32_t)value);
}

void apic_send(uint64_t message)
{
    if (is_x2apic) {
        wrmsr(MSR_X2APIC_ICR, message);
        return;
    }
    *memory(APIC_ICR_HIGH) = xapic_destination(message);
    *memory(APIC_ICR) = (uint32_t)message;
    while ((*memory(APIC_ICR) & ICR_SENDING) != 0)
        pause();
}

struct trap_probe apic_probe_send(uint64_t message)
{
    if (is_x2apic)
        return probe_wrmsr(MSR_X2APIC_ICR, message);
    *memory(APIC_ICR_HIGH) = xapic_destination(message);
    return probe_write(XAPIC_BASE + APIC_ICR, (uint32_t)message);
}

void apic_send_self(uint8_t vector)
{
    if (is_x2apic)
        wrmsr(msr(APIC_SELF_IPI), vector);
    else
        apic_send(APIC_ICR_SELF | APIC_ICR_ASSERT | vector);
}
