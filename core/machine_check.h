/*
 * What a machine check was: read from this CPU's banks, which are then cleared for the next one. Takes no lock, so that
 * a machine-check handler may call it. SDM vol. 3, "Machine-Check Architecture"; APM vol. 2, "Machine Check
 * Architecture".
 */
#pragma once

#include "core/types.h"

enum machine_check_kind {
    MACHINE_CHECK_ELSEWHERE,    /* nothing uncorrected in this CPU's banks: all CPUs are told of one CPU's error */
    MACHINE_CHECK_CONTAINED,    /* what was running here is damaged, the CPU is not */
    MACHINE_CHECK_CONTEXT_LOST, /* the CPU's own state cannot be trusted */
};

struct machine_check {
    enum machine_check_kind kind;
    uint64_t global; /* IA32_MCG_STATUS */
    uint32_t bank;   /* of the worst error; `status` is 0 when there is none */
    uint64_t status;
    uint64_t address; /* where the bank has one */
};

/*
 * Before the first guest, on each CPU: what its banks still hold from before the start (status 0: nothing) is read and
 * cleared, and then every kind of error is reported from here on.
 */
void machine_check_begin(struct machine_check *old);

/* Reads and clears. A CPU without the registers gives MACHINE_CHECK_CONTEXT_LOST: nothing is known. */
void machine_check_take(struct machine_check *out);
