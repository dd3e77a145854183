/*
 * What a CPU keeps inside of those who ran on it, and by what of its own means that is cleared. Pure: the words come
 * from CPUID and one MSR; arch/x86_64/side_doors.c does what is decided here. SECURITY.md says when, and what is left
 * open.
 */
#pragma once

#include "core/sink.h"

/* What the CPU says of itself; 0 where it has no such leaf or register. */
struct side_words {
    uint32_t features;          /* CPUID 7, EDX */
    uint32_t amd_features;      /* CPUID 80000008h, EBX */
    uint32_t amd_features_2;    /* CPUID 80000021h, EAX */
    uint64_t arch_capabilities; /* IA32_ARCH_CAPABILITIES */
};

enum {
    SIDE_PREDICTORS = 1 << 0, /* IBPB: predictions trained before it are not used after it */
    SIDE_L1_DATA = 1 << 1, /* IA32_FLUSH_CMD: nothing stays in the L1 data cache, which this CPU's faults leak (L1TF) */
    SIDE_BUFFERS = 1 << 2, /* VERW: nothing stays in fill, store and load buffers (MDS, TAA, RFDS) */
    SIDE_IBRS = 1 << 3,    /* SPEC_CTRL.IBRS, set once: what a guest trains does not steer the hypervisor */
    SIDE_AUTO_IBRS = 1 << 4, /* EFER.AIBRSE, set once: the same on AMD */
};

/* SIDE_... that this CPU needs and can do. */
uint32_t side_doors_decide(const struct side_words *words);

/* Their names, "none" without any. */
void side_doors_print(uint32_t measures, struct sink *out);
