/*
 * CPUID as guests see it: a policy table, default hide. Pure.
 */
#pragma once

#include "core/types.h"

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

/* What the answer depends on besides the host's own leaf. */
struct cpuid_guest {
    uint64_t tsc_hz;
    uint64_t cr4;             /* guest's, for OSXSAVE and PKE */
    uint64_t xcr0;            /* guest's */
    uint32_t apic_id;         /* x2APIC id of this vCPU */
    uint32_t cpu_index;       /* of this vCPU */
    uint32_t cpu_count;       /* vCPUs of the partition */
    const uint32_t *apic_ids; /* of all of them */
    bool virtual_apic;        /* its local APIC is a model, which has x2APIC and TSC deadline whatever the CPU has */
};

/* Reads a leaf of the real CPU; a test passes its own. */
typedef void cpuid_reader(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out);

void cpuid_answer(const struct cpuid_guest *guest, uint32_t leaf, uint32_t subleaf, cpuid_reader *host,
                  struct cpuid_regs *out);

/*
 * The TSC's speed as the CPU itself tells it: leaf 15h where that is complete, else its base frequency, leaf 16h, to
 * which the TSC of such CPUs keeps. 0 when it tells neither. Some emulators tell another than their TSC has.
 */
uint64_t cpuid_tsc_hz(cpuid_reader *host);

/*
 * The XCR0 bits that a guest may set: what the host has, less MPX, AMX and other components that guests are not shown.
 * 0 when the host has no XSAVE. Leaf Dh agrees with it.
 */
uint64_t cpuid_xcr0_allowed(cpuid_reader *host);
