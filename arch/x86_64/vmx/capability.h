/*
 * What this CPU's VT-x allows: SDM vol. 3, appendix "VMX Capability Reporting Facility".
 * A control word is "wanted, made legal by one capability MSR".
 */
#pragma once

#include "core/sink.h"

/* A capability MSR of 32-bit controls: low half "allowed 0-settings", high half "allowed 1-settings". */
struct vmx_allowed {
    uint32_t zero_settings; /* bits that must be 1 */
    uint32_t one_settings;  /* bits that may be 1 */
};

struct vmx_capability {
    uint64_t basic;                     /* its low half is the revision that begins each region */
    uint8_t physical_bits, linear_bits; /* of addresses; linear: 48 or 57 */
    struct vmx_allowed pin, processor, secondary, exit, entry;
    uint64_t misc;
    uint64_t ept_vpid;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};

/* "Miscellaneous Data", IA32_VMX_MISC: a VM entry may put the CPU into HLT */
#define MISC_ACTIVITY_HLT (1ull << 6)

/* "EPT and VPID capabilities", IA32_VMX_EPT_VPID_CAP */
#define EPT_WALK_4        (1ull << 6)
#define EPT_WRITE_BACK    (1ull << 14)
#define EPT_2M            (1ull << 16)
#define EPT_1G            (1ull << 17)
#define EPT_INVEPT        (1ull << 20)
#define EPT_INVEPT_SINGLE (1ull << 25)
#define VPID_INVVPID      (1ull << 32)
#define VPID_SINGLE       (1ull << 41)

/* Reads the capability MSRs. Only when CPUID says VMX. */
void vmx_capability_read(struct vmx_capability *out);

/* `wanted` with the bits that must be and without those that may not be. */
static inline uint32_t vmx_legal(uint32_t wanted, struct vmx_allowed allowed)
{
    return (wanted | allowed.zero_settings) & allowed.one_settings;
}

/*
 * Prints one line for each thing the backend needs or likes, and what to do when it is missing. False when
 * something is missing that it cannot do without.
 */
bool vmx_capability_report(const struct vmx_capability *capability, struct sink *out);
