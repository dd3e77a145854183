/*
 * Says which rule of the manual a VMCB breaks when VMRUN ends with VMEXIT_INVALID, because the CPU itself says no more.
 * Pure: the caller has the VMCB as it was before VMRUN and what the CPU allows.
 *
 * APM vol. 2, "Canonicalization and Consistency Checks", with "Event Injection" and the checks of "Nested Paging". Not
 * covered, since the hypervisor never turns them on: AVIC, virtual NMI, SEV, LBR virtualization.
 */
#pragma once

#include "arch/x86_64/svm/vmcb.h"

struct svm_entry_limits {
    uint8_t physical_bits; /* MAXPHYADDR */
    uint32_t asids;        /* ASIDs are 1 to asids - 1 */
    uint64_t efer, cr4;    /* bits that this CPU knows; the others must be zero */
};

/* The first broken rule as a sentence, or NULL when no rule that is known here is broken. */
const char *must_check svm_entry_check(const struct vmcb *vmcb, const struct svm_entry_limits *limits);
