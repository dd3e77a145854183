/*
 * How the files behind core/cpuid.c divide the work: a rule keeps some of the host's bits, then adjusts them. Private
 * to them.
 */
#pragma once

#include "core/cpuid.h"

struct question {
    const struct cpuid_guest *guest;
    cpuid_reader *host;
    uint32_t leaf, subleaf;
};

/* A host leaf; zeros when the host has none of that number, where Intel would answer with another leaf's content. */
struct cpuid_regs cpuid_host_leaf(cpuid_reader *host, uint32_t leaf, uint32_t subleaf);
bool cpuid_host_is_amd(cpuid_reader *host);

/* Each gets the host's bits that the rule keeps. */
typedef void cpuid_adjust(const struct question *q, struct cpuid_regs *r);

/* core/cpuid_topology.c: one package, in which every x2APIC id is a core with one thread. */
unsigned cpuid_package_shift(const struct cpuid_guest *guest);
uint32_t cpuid_ids_minus_one(unsigned shift, uint32_t field_max);
cpuid_adjust cpuid_adjust_cache, cpuid_adjust_topology, cpuid_adjust_amd_cores, cpuid_adjust_amd_topology;

/* core/cpuid_xsave.c */
#define CPUID_XCR0_PKRU ((uint64_t)1 << 9)
cpuid_adjust cpuid_adjust_xsave;

/* core/cpuid_clock.c */
cpuid_adjust cpuid_adjust_tsc_ratio, cpuid_adjust_mhz, cpuid_adjust_kvm_clock;
