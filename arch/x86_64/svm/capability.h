/*
 * What this CPU's AMD-V has: APM vol. 3, appendix "CPUID Fn8000_000A", and vol. 2, "Enabling SVM".
 */
#pragma once

#include "core/sink.h"

struct svm_capability {
    bool there;        /* CPUID says SVM */
    bool locked_off;   /* firmware has switched it off for good */
    uint32_t asids;    /* how many there are, 0 included */
    uint32_t features; /* SVM_FEATURE_... */
    bool pages_1g;
};

/* CPUID Fn8000_000A_EDX */
#define SVM_FEATURE_NESTED_PAGING (1u << 0)
#define SVM_FEATURE_LOCK_KEY      (1u << 2) /* what firmware has locked off can be unlocked */
#define SVM_FEATURE_NEXT_RIP      (1u << 3)
#define SVM_FEATURE_CLEAN_BITS    (1u << 5)
#define SVM_FEATURE_FLUSH_BY_ASID (1u << 6)

/* Reads CPUID and, where there is SVM, VM_CR. On the CPU that asks. */
void svm_capability_read(struct svm_capability *out);

/*
 * Prints one line for each thing the backend needs or likes, and what to do when it is missing. False when
 * something is missing that it cannot do without.
 */
bool svm_capability_report(const struct svm_capability *capability, struct sink *out);
