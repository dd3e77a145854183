/*
 * The local APIC in x2APIC mode. Under Ringfence a guest finds it in that mode already.
 */
#include "guests/common/apic.h"

#include "guests/common/instructions.h"

enum { CPUID_FEATURE_LEAF = 1, CPUID_FEATURE_ECX_X2APIC = 1 << 21, CPUID_FEATURE_ECX_TSC_DEADLINE = 1 << 24 };

bool apic_init(void)
{
    if ((cpuid(CPUID_FEATURE_LEAF, 0).ecx & CPUID_FEATURE_ECX_X2APIC) == 0)
        return false;
    uint64_t base = rdmsr(MSR_APIC_BASE);
    if ((base & APIC_BASE_EXTENDED) == 0)
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_EXTENDED);
    wrmsr(MSR_X2APIC_SPURIOUS, APIC_SPURIOUS_ENABLE | APIC_SPURIOUS_VECTOR);
    return true;
}

uint32_t apic_id(void) { return (uint32_t)rdmsr(MSR_X2APIC_ID); }

void apic_eoi(void) { wrmsr(MSR_X2APIC_EOI, 0); }

bool apic_has_tsc_deadline(void) { return (cpuid(CPUID_FEATURE_LEAF, 0).ecx & CPUID_FEATURE_ECX_TSC_DEADLINE) != 0; }
