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
    MSR_APIC,        /* of the local APIC: MSR_DIRECT where the guest has the CPU's own, else its model answers */
} __attribute__((packed));

struct msr_rule {
    uint32_t first, last;
    uint32_t value; /* of MSR_CONSTANT */
    enum msr_action read, write;
};

/* The table, ascending, not overlapping. */
extern const struct msr_rule msr_rules[];
extern const size_t msr_rule_count;

/* Whether an action lets the guest have the register itself. */
static inline bool msr_is_direct(enum msr_action action, bool virtual_interrupts)
{
    return action == MSR_DIRECT || (action == MSR_APIC && !virtual_interrupts);
}

/* The rule for a number; never NULL: what is not in the table is refused both ways. */
const struct msr_rule *msr_find(uint32_t number);

/* SDM vol. 3, "Local APIC Status and Location": at FEE00000h, enabled, in x2APIC mode; what a direct guest is told. */
enum { MSR_APIC_BASE = 0x1b };
static inline uint64_t msr_apic_base(bool bootstrap)
{
    return 0xfee00000u | 1u << 11 | 1u << 10 | (bootstrap ? 1u << 8 : 0);
}
