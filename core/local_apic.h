/*
 * The local APIC of one vCPU, for `interrupts = virtual`: xAPIC (a page of memory) and x2APIC (MSRs).
 * Intel SDM vol. 3A, "Advanced Programmable Interrupt Controller (APIC)".
 *
 * The state belongs to the CPU that runs the vCPU: every function here is called on that CPU only, except the three
 * that say "any CPU". Nothing calls up: what must happen elsewhere comes back as data.
 *
 * How a run loop uses it. `now` is the guest's TSC; it is read once a round.
 *
 *   before each entry, in this order
 *     local_apic_set_lint0      what the 8259 pair's output is now, on the CPU that it is wired to
 *     local_apic_absorb         takes in what other CPUs have posted
 *     local_apic_tick           raises the timer's interrupt if it is due
 *     lapic->nmi                true: inject an NMI, or ask for the NMI window
 *     local_apic_extint         true: the 8259 pair has an interrupt. When the guest can take one (RFLAGS.IF, no STI or
 *                               MOV SS shadow, nothing being injected): local_apic_take_extint, run the 8259's
 *                               acknowledge cycle, inject that vector. Otherwise ask for the interrupt window
 *     local_apic_pending        >= 0 and nothing from the 8259: under the same condition local_apic_take and inject the
 *                               vector; otherwise ask for the interrupt window
 *     local_apic_next_deadline  the host's timer must make the vCPU exit by then
 *   A vCPU in HLT wakes when pending >= 0, extint, or an NMI: absorb and tick first. Before the CPU goes idle it
 *   looks at local_apic_has_posts once more, after it has made itself kickable.
 *
 *   on an exit
 *     access to the page that local_apic_page names: local_apic_memory; MSR 1Bh, 6E0h, 800h-8FFh: local_apic_msr_read,
 *     local_apic_msr_write (false: inject #GP(0)); MOV CR8: local_apic_cr8, local_apic_set_cr8. Then the outcome, which
 *     the caller clears:
 *       send  deliver `message`: to each vCPU for which local_apic_matches (or that the shorthand names; one only, of
 *             the caller's choice, for lowest priority) local_apic_post, and a kick where that returns true
 *       eoi   tell the I/O APIC models that `eoi_vector` was ended
 *   An injection that the exit interrupted (IDT vectoring) is the run loop's to repeat: here it is in service already.
 */
#pragma once

#include "core/bus.h"
#include "core/interrupt.h"

#define LOCAL_APIC_NEVER UINT64_MAX
#define LOCAL_APIC_BASE  0xfee00000ull /* where the page is, always: see local_apic_msr_write */

enum { LOCAL_APIC_WINDOW_SIZE = 0x1000, LOCAL_APIC_REGISTERS_SIZE = 0x400 };
enum { LOCAL_APIC_VECTORS = 256, LOCAL_APIC_WORDS = LOCAL_APIC_VECTORS / 64 };

/* What a CPU that works on the registers has to be told of. */
enum {
    LOCAL_APIC_CHANGED_VECTORS = 1u << 0, /* requested, in service */
    LOCAL_APIC_CHANGED_REST = 1u << 1,    /* which are level-triggered, and whether it is in x2APIC mode and enabled */
};

/* Decided before the guest runs; constant. */
struct local_apic_config {
    uint32_t id;     /* x2APIC id; the xAPIC id is its low 8 bits */
    bool bootstrap;  /* IA32_APIC_BASE.BSP */
    uint32_t bus_hz; /* the timer's input clock, before the divider; not 0 unless the next is */
    uint64_t tsc_hz; /* of the guest's TSC; 0: the timer stands */
};

/*
 * What other CPUs have sent, in the manner of a posted-interrupt descriptor: only ever changed by atomic operations.
 * A line of the cache of its own, so that senders do not take the registers away from the owner.
 */
struct local_apic_posts {
    uint64_t requests[LOCAL_APIC_WORDS]; /* one bit a vector */
    uint64_t levels[LOCAL_APIC_WORDS];   /* trigger mode of the last request of each vector; 1: level */
    uint32_t outstanding;                /* something was posted since the owner last looked */
    uint32_t extint;                     /* an ExtINT message */
} __attribute__((aligned(64)));

struct local_apic_timer {
    bool running;      /* counts, one-shot or periodic */
    uint32_t count;    /* the count at `start` */
    uint64_t start;    /* number of the bus clock, counted from TSC 0 */
    uint64_t deadline; /* IA32_TSC_DEADLINE; 0: not armed */
};

/* What came out of accesses, until the caller has carried it out. */
struct local_apic_outcome {
    bool send;
    struct interrupt_message message; /* `send`: as the guest wrote it; shorthand and destination are to be resolved */
    bool eoi;
    uint8_t eoi_vector; /* `eoi`: of a level-triggered interrupt */
};

/*
 * One page. It begins with the registers where the manual has them, 32 bits at each multiple of 10h, so that a CPU that
 * can may work on them while the guest runs: it takes vectors from IRR to ISR, ends them, and changes TPR and PPR. All
 * others change here only. What is write-only, computed (PPR, APR, current count) or the id is never read from there.
 */
struct local_apic {
    uint32_t
        registers[LOCAL_APIC_REGISTERS_SIZE / sizeof(uint32_t)]; /* other CPUs read LDR and DFR: atomically stored */
    struct local_apic_posts posts;
    struct local_apic_config config;
    uint64_t base; /* IA32_APIC_BASE; other CPUs read it (local_apic_matches): atomically stored */

    uint32_t changes;     /* LOCAL_APIC_CHANGED_* */
    uint32_t errors;      /* found since the last write of ESR */
    bool error_signalled; /* an error interrupt was sent since */
    struct local_apic_timer timer;
    struct local_apic_outcome outcome;
    bool lint0;          /* that pin is asserted */
    bool extint_message; /* an ExtINT came as a message and waits for its acknowledge cycle */
    bool nmi;            /* an entry of the vector table has raised one; the owner takes it by clearing this */
} __attribute__((aligned(4096)));

_Static_assert(sizeof(struct local_apic_posts) == 128, "requests and levels fill one line, the rest the next");
_Static_assert(offsetof(struct local_apic, registers) == 0, "a CPU is told the page's address");
_Static_assert(sizeof(struct local_apic) == LOCAL_APIC_WINDOW_SIZE, "one page for each vCPU");

/* Power-up. The memory may hold anything. Posts are lost too. */
void local_apic_power_on(struct local_apic *lapic, const struct local_apic_config *config);

/* INIT: all but the mode, the id and the state of LINT0 goes to its reset value. Posted vectors are lost. */
void local_apic_init_reset(struct local_apic *lapic);

/* From power-up to the state in which firmware hands the first CPU over, "virtual wire mode". */
void local_apic_virtual_wire(struct local_apic *lapic);

/* Whether the address is the local APIC's: in the page at LOCAL_APIC_BASE, in xAPIC mode. Otherwise nobody is there. */
bool local_apic_page(const struct local_apic *lapic, uint64_t address);

/*
 * Accesses leave what is to be done besides in `outcome`.
 *
 * False, with nothing done, when the address is not the local APIC's. Only aligned 32-bit accesses mean anything.
 */
bool must_check local_apic_memory(struct local_apic *lapic, struct bus_access *access, uint64_t now);

/*
 * RDMSR and WRMSR of IA32_APIC_BASE (1Bh), IA32_TSC_DEADLINE (6E0h) and the x2APIC's (800h-8FFh). False: #GP(0),
 * nothing done. A write that would move the page is refused: where a partition's addresses lead is decided before it
 * runs.
 */
bool must_check local_apic_msr_read(struct local_apic *lapic, uint32_t number, uint64_t now, uint64_t *value);
bool must_check local_apic_msr_write(struct local_apic *lapic, uint32_t number, uint64_t value, uint64_t now);

/* CR8: bits 7:4 of TPR. Setting it is false (#GP(0), nothing done) when `value` passes 15. */
uint64_t local_apic_cr8(const struct local_apic *lapic);
bool must_check local_apic_set_cr8(struct local_apic *lapic, uint64_t value);

/*
 * Any CPU: hands `message`, which is for this local APIC, to its owner. True: the owner must be kicked to see it. Only
 * vectors and ExtINT are taken: NMI, INIT and start-up go to the vCPU itself, SMI and reserved modes mean nothing.
 */
bool must_check local_apic_post(struct local_apic *lapic, const struct interrupt_message *message);

/* Any CPU: whether something was posted that the owner has not absorbed. */
static inline bool local_apic_has_posts(const struct local_apic *lapic)
{
    return __atomic_load_n(&lapic->posts.outstanding, __ATOMIC_SEQ_CST) != 0;
}

void local_apic_absorb(struct local_apic *lapic);

/* The level at the one input that anything is wired to. */
void local_apic_set_lint0(struct local_apic *lapic, bool asserted);

/* Whether the 8259s' interrupt reaches this CPU now: by ExtINT input or message, or because the APIC is disabled. */
bool local_apic_extint(const struct local_apic *lapic);
void local_apic_take_extint(struct local_apic *lapic);

/*
 * For a CPU that works on the registers itself. local_apic_take_changes: LOCAL_APIC_CHANGED_*, what of the following
 * has been changed here, and not by that CPU, since it was last asked. local_apic_x2apic_enabled: in x2APIC mode and
 * software-enabled, where what it does is what the model would do. The highest vector requested, in service; 0: none.
 * Which of the 64 vectors from 64 * `word` on are level-triggered.
 */
uint32_t must_check local_apic_take_changes(struct local_apic *lapic);
bool local_apic_x2apic_enabled(const struct local_apic *lapic);
uint8_t local_apic_requested(const struct local_apic *lapic);
uint8_t local_apic_in_service(const struct local_apic *lapic);
uint64_t local_apic_levels(const struct local_apic *lapic, uint32_t word);

/*
 * What is left to do after such a CPU has ended a level-triggered vector, or has written a register and leaves the
 * consequences to us (`offset` may be anything). The outcome is that of an access.
 */
void local_apic_ended(struct local_apic *lapic, uint8_t vector);
void local_apic_written(struct local_apic *lapic, uint64_t offset, uint64_t now);

/* The vector that the CPU is to take next, 16..255; -1: none whose class is above that of PPR. */
int local_apic_pending(const struct local_apic *lapic);

/* The CPU takes `vector`: from requested to in service. One that is not requested is left alone. */
void local_apic_take(struct local_apic *lapic, uint8_t vector);

/*
 * Raises the timer's interrupt if it came due by `now`. However late, a periodic timer keeps its phase; periods that
 * were missed get no interrupt of their own.
 */
void local_apic_tick(struct local_apic *lapic, uint64_t now);

/* The TSC at which the timer next raises an interrupt, which may have passed; LOCAL_APIC_NEVER. */
uint64_t local_apic_next_deadline(const struct local_apic *lapic);

/*
 * Any CPU: whether the message's destination field names this local APIC, in its present mode. Shorthands, which need
 * the sender, are the caller's. Physical broadcast is FFFFFFFFh.
 */
bool local_apic_matches(const struct local_apic *lapic, const struct interrupt_message *message);
