/*
 * Which core a CPU is a hyperthread of. Threads of one core share its caches, buffers and predictors, so it matters who
 * gets them. Pure.
 */
#pragma once

#include "core/cpuid.h"

struct cpu_core {
    uint32_t apic_id; /* x2APIC id, or the 8-bit xAPIC id */
    uint32_t core;    /* the same for all threads of one core, and for no other CPU of the box */
};

/*
 * Asks the CPU that `read` reads, which must be the one in question. SDM vol. 3, "Hierarchical Mapping of CPUID
 * Extended Topology Leaf"; APM vol. 3, "Processor Topology Information".
 */
void cpu_core_read(cpuid_reader *read, struct cpu_core *out);
