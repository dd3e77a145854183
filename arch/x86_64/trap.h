/*
 * Exceptions, NMIs and stray interrupts that reach the hypervisor itself.
 */
#pragma once

#include "core/exception.h"
#include "core/types.h"

/* What trap_entry.S leaves on the stack; SDM vol. 3, "64-Bit Mode Stack Frame". */
struct trap_frame {
    uint64_t gprs[15]; /* R15 to R8, RBP, RDI, RSI, RDX, RCX, RBX, RAX */
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "trap_entry.S pushes these");

void trap_load_early(void); /* the IDT before the per-CPU stacks are there */
void trap_load(void);       /* with #DF, NMI and #MC on stacks of their own */

/*
 * From begin to end, vectors from 16 on are a guest's left-over interrupts: 16 to 31 are legal there, and an
 * exception's stub would misread them. Interrupts may be let in between; nothing else may be done.
 */
void trap_drain_begin(void);
void trap_drain_end(void);

/* Called by trap_entry.S. */
void trap_handle(struct trap_frame *frame);

/*
 * A stretch of code in which a trap is no surprise: it continues at `resume`. An NMI must not fall unseen between the
 * look at percpu.kicked and the instruction that gives the CPU away (VM entry, HLT); some instructions may be refused
 * with #GP. TRAP_WINDOW of registers.h makes one.
 */
struct trap_window {
    uint64_t vector, begin, end, resume;
};

/* In trap_entry.S, beside cpu_msr_read and cpu_msr_write of core/cpu.h. False: refused by the CPU. */
bool must_check trap_xsetbv(uint64_t value);

void trap_idle(void);        /* HLT until an NMI comes or has announced something */
void trap_wait(void);        /* the same with interrupts let in */
