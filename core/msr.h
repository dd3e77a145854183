/*
 * Which MSRs a guest may touch, and how: one table, default deny. Pure.
 * A backend turns the MSR_DIRECT rows into its permission bitmap; the rest come here as exits.
 */
#pragma once

#include "core/types.h"

enum msr_action {
    MSR_REFUSE,      /* #GP */
    MSR_DIRECT,      /* the guest has the register itself */
    MSR_CONSTANT,    /* reads give `value` */
    MSR_IGNORE,      /* writes are accepted and dropped */
    MSR_HANDLER,     /* core/exit_msr.c knows it by number */
};

struct msr_rule {
    uint32_t first, last;
    enum msr_action read, write;
    uint64_t value; /* of MSR_CONSTANT */
    const char *name;
};

/* The table, ascending, not overlapping. */
extern const struct msr_rule msr_rules[];
extern const size_t msr_rule_count;

/* The rule for a number; never NULL: what is not in the table is refused both ways. */
const struct msr_rule *msr_find(uint32_t number);
