/*
 * The MSR table of a guest. What is not listed is refused with #GP.
 *
 * A register is direct only when the guest cannot reach anybody else through it: either the backend switches it on
 * every entry and exit, or the hypervisor never uses it and core/ sets it again before the next guest starts.
 * A backend that cannot hand a direct register out (EFER on AMD-V, whose SVME bit is the host's) may intercept it and
 * emulate it; what the guest sees stays the same.
 *
 * Numbers and names: Intel SDM vol. 4, "Model-specific registers"; AMD APM vol. 2, "MSR cross-reference".
 */
#include "core/msr.h"

/* Bits of constants, so that the rows below say what the guest is told. */
#define FEATURE_CONTROL_LOCKED  (1u << 0)
#define MISC_ENABLE_FAST_STRING (1u << 0)
#define MISC_ENABLE_NO_BTS      (1u << 11)
#define MISC_ENABLE_NO_PEBS     (1u << 12)
#define HWCR_TSC_COUNTS_AT_P0   (1u << 24)
#define APIC_LVT_MASKED         (1u << 16)

/* What a read and a write do. */
#define DIRECT    MSR_DIRECT, MSR_DIRECT
#define READ_ONLY MSR_DIRECT, MSR_REFUSE
#define HANDLER   MSR_HANDLER, MSR_HANDLER
#define APIC      MSR_APIC, MSR_APIC
#define CONSTANT  MSR_CONSTANT, MSR_IGNORE
#define FIXED     MSR_CONSTANT, MSR_REFUSE

const struct msr_rule msr_rules[] = {
    /* The TSC is the hypervisor's clock too, and that of the other guests: nobody moves it. */
    {0x10, 0x10, 0, READ_ONLY}, /* TSC */
    {0x11, 0x12, 0, HANDLER},   /* KVM_WALL_CLOCK and KVM_SYSTEM_TIME, old numbers */
    {0x1b, 0x1b, 0, HANDLER},   /* APIC_BASE: moving or disabling the local APIC is refused there */
    /* Locked with VMX and SGX off; a write to the locked register faults on hardware as well. */
    {0x3a, 0x3a, FEATURE_CONTROL_LOCKED, FIXED}, /* FEATURE_CONTROL */
    {0x3b, 0x3b, 0, CONSTANT},                   /* TSC_ADJUST: a write would move the physical TSC */
    /* Linux clears it, runs CPUID and reads it back; 0 says that no update is known. */
    {0x8b, 0x8b, 0, CONSTANT},   /* BIOS_SIGN_ID */
    {0xfe, 0xfe, 0, FIXED},      /* MTRRCAP: CPUID hides MTRRs; 0 says that there are none */
    {0x140, 0x140, 0, CONSTANT}, /* MISC_FEATURES_ENABLES: no CPUID faulting, no ring-3 MWAIT */
    {0x174, 0x176, 0, DIRECT},   /* SYSENTER_CS, _ESP, _EIP: in the guest's state area */
    /* Without the fast-string bit Linux gives up REP MOVSB; BTS and PEBS do not exist for a guest. */
    {0x1a0, 0x1a0, MISC_ENABLE_FAST_STRING | MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS, CONSTANT}, /* MISC_ENABLE */
    {0x277, 0x277, 0, DIRECT}, /* PAT: in the guest's state area */
    {0x6e0, 0x6e0, 0, APIC},   /* TSC_DEADLINE: the timer of the guest's own CPU */

    /* The CPU's own x2APIC. What is read-only, write-only or not there faults by itself. */
    {0x800, 0x82e, 0, APIC}, /* x2APIC up to the LVTs */
    /* Corrected machine checks and heat are the machine's: where firmware takes them, it goes on doing so. */
    {0x82f, 0x82f, APIC_LVT_MASKED, CONSTANT}, /* x2APIC LVT CMCI */
    {0x830, 0x830, 0, MSR_APIC, MSR_HANDLER},  /* x2APIC ICR, filtered: no message leaves the partition */
    {0x831, 0x832, 0, APIC},                   /* x2APIC LVT timer */
    {0x833, 0x833, APIC_LVT_MASKED, CONSTANT}, /* x2APIC LVT thermal */
    {0x834, 0x83f, 0, APIC},                   /* x2APIC LVTs, timer and self IPI */
    {0xda0, 0xda0, 0, FIXED}, /* XSS: CPUID hides XSAVES, so no supervisor state component can be turned on */

    {0x4b564d00, 0x4b564d01, 0, HANDLER}, /* KVM_WALL_CLOCK_NEW and KVM_SYSTEM_TIME_NEW */

    {0xc0000080, 0xc0000080, 0, DIRECT}, /* EFER: in the guest's state area */
    {0xc0000081, 0xc0000084, 0, DIRECT}, /* STAR, LSTAR, CSTAR, FMASK: the hypervisor executes no SYSCALL */
    {0xc0000100, 0xc0000102, 0, DIRECT}, /* FS_BASE, GS_BASE, KERNEL_GS_BASE */
    {0xc0000103, 0xc0000103, 0, DIRECT}, /* TSC_AUX */

    /* AMD. Linux reads these early, some before it can take a fault; none may be changed by one partition for all. */
    {0xc0010010, 0xc0010010, 0, CONSTANT},                     /* SYSCFG: no memory encryption, no MTRR extensions */
    {0xc0010015, 0xc0010015, HWCR_TSC_COUNTS_AT_P0, CONSTANT}, /* HWCR */
    {0xc001001f, 0xc001001f, 0, CONSTANT},                     /* NB_CFG */
    {0xc0010055, 0xc0010055, 0, CONSTANT},                     /* INT_PENDING: no C1E, no SMI on HLT */
    {0xc0011020, 0xc0011020, 0, CONSTANT},                     /* LS_CFG */
    {0xc0011029, 0xc0011029, 0, CONSTANT},                     /* DE_CFG */
};
const size_t msr_rule_count = array_size(msr_rules);

static const struct msr_rule refused = {0, UINT32_MAX, 0, MSR_REFUSE, MSR_REFUSE};

const struct msr_rule *msr_find(uint32_t number)
{
    size_t low = 0;
    size_t high = msr_rule_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct msr_rule *rule = &msr_rules[middle];
        if (number < rule->first)
            high = middle;
        else if (number > rule->last)
            low = middle + 1;
        else
            return rule;
    }
    return &refused;
}
