/*
 * Why a guest stopped running, in words of no vendor. A backend decodes its hardware's
 * record into this; core/ switches on `kind` with no default.
 */
#pragma once

#include "core/types.h"

/* One list, from which the enum, the names and the counters grow. */
#define EXIT_KIND_LIST(X)                                                                                              \
    X(KICK, "kick")                           /* the hypervisor asked for this CPU */                                  \
    X(TIMER, "timer")                         /* the hypervisor's own timer (console CPU only) */                      \
    X(CPUID, "cpuid")                                                                                                  \
    X(HYPERCALL, "hypercall")                                                                                          \
    X(MSR_READ, "msr-read")                                                                                            \
    X(MSR_WRITE, "msr-write")                                                                                          \
    X(PORT, "port")                           /* IN, OUT, INS, OUTS */                                                 \
    X(MEMORY, "memory")                       /* an address that the nested tables refuse */                           \
    X(CONTROL_REGISTER, "control-register")   /* CR8; the others are the backend's own, counted here */                \
    X(XSETBV, "xsetbv")                                                                                                \
    X(HALT, "halt")                                                                                                    \
    X(CACHE, "cache")                         /* INVD, WBINVD: a no-op that must be skipped */                         \
    X(INSTRUCTION, "instruction")             /* one that a guest may not have: #UD */                                 \
    X(EXCEPTION, "exception")                                                                                          \
    X(INTERRUPT, "interrupt")                 /* an external interrupt (virtual mode) */                               \
    X(INTERRUPT_WINDOW, "interrupt-window")   /* the guest can take an interrupt now */                                \
    X(INTERRUPT_ENDED, "interrupt-ended")     /* the CPU itself has ended a level-triggered interrupt */               \
    X(APIC_WRITTEN, "apic-written")           /* the CPU itself has written a local APIC register */                   \
    X(NMI_WINDOW, "nmi-window")               /* the guest can take an NMI now */                                      \
    X(TASK_SWITCH, "task-switch")             /* by hardware, through a TSS or a task gate */                          \
    X(TRIPLE_FAULT, "triple-fault")                                                                                    \
    X(ENTRY_FAILED, "entry-failed")           /* the hardware refused the guest state */                               \
    X(UNKNOWN, "unknown")                     /* nothing that was asked for: stop the partition */

enum exit_kind {
#define X(name, text) EXIT_##name,
    EXIT_KIND_LIST(X)
#undef X
        EXIT_KINDS
};

/* Fields that a kind does not name are 0. */
struct exit {
    enum exit_kind kind;
    uint8_t length;    /* bytes of the instruction; 0 when the hardware does not say */
    uint8_t size;      /* PORT: 1, 2 or 4 bytes */
    bool write;        /* PORT, MEMORY, CONTROL_REGISTER */
    bool fetch;        /* MEMORY: an instruction fetch */
    bool own;          /* MEMORY: the access itself was refused, and not one to the guest's page tables on its way */
    bool string;       /* PORT: INS or OUTS */
    bool repeat;       /* PORT: with REP */
    uint8_t vector;    /* EXCEPTION, INSTRUCTION (what to inject), INTERRUPT_ENDED */
    uint8_t gpr;       /* CONTROL_REGISTER: the general register, enum gpr */
    uint64_t address;  /* PORT: port number; MEMORY: guest-physical; MSR: number; CONTROL_REGISTER: number;
                          APIC_WRITTEN: offset in the page; TASK_SWITCH: selector of the new TSS */
    uint64_t value;    /* PORT write, MSR write: what is written */
    uint64_t raw_reason; /* the hardware's own record, for messages only */
    uint64_t raw_detail;
};

const char *exit_kind_name(enum exit_kind kind);
