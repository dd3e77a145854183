/*
 * What one physical CPU owns. Found through GS; nobody else writes it, except `kicked` and `nmi_sent`.
 *
 * Each CPU has 64 KiB of virtual space in PML4 slot 2; every stack has an unmapped page below it:
 *
 *   +0x0000  guard      +0x5000  guard      +0x7000  guard      +0x9000  guard      +0xb000  guard
 *   +0x1000  stack 16K  +0x6000  #DF stack  +0x8000  NMI stack  +0xa000  #MC stack  +0xc000  struct percpu
 */
#pragma once

#include "arch/x86_64/layout.h"
#include "core/types.h"

struct vcpu;

/* SDM vol. 3, "Task Management", 64-bit task-state segment. */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map_base;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "64-bit TSS");

/* What LGDT and LIDT load. */
struct descriptor_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

enum { IST_NONE, IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK };

struct percpu {
    struct percpu *self; /* first: %gs:0 */
    struct vcpu *vcpu;   /* the vCPU that lives on this CPU, or NULL */
    uint32_t cpu;        /* index into machine.cpus */
    uint32_t apic_id;
    uint32_t kicked;     /* set by any CPU before it sends an NMI; cleared by this one */
    uint64_t timer_deadline; /* TSC value that the local APIC's timer is set to; 0: unknown */
    uint32_t nmi_sent;   /* atomic: set by the CPU that sends an NMI here, cleared when one is taken */
    bool nmi_own;        /* this CPU has sent itself one, which comes before its next exit is over */
    uint32_t lint1;      /* the local APIC's LINT1 entry while nobody changes it: see apic_enable */
    uint64_t gdt[5];     /* null, code, data, TSS (two) */
    struct tss tss;
};

#define PERCPU_STRIDE        0x10000ull
#define PERCPU_MAPPED        0x155eu /* a bit for each page */
#define PERCPU_PAGES         __builtin_popcount(PERCPU_MAPPED)
#define PERCPU_STACK_TOP     0x5000ull
#define PERCPU_DF_STACK_TOP  0x7000ull
#define PERCPU_NMI_STACK_TOP 0x9000ull
#define PERCPU_MC_STACK_TOP  0xb000ull
#define PERCPU_STRUCT        0xc000ull

static inline uint64_t percpu_area(uint32_t cpu) { return LAYOUT_SLOT((uint64_t)PML4_PERCPU) + cpu * PERCPU_STRIDE; }
static inline struct percpu *percpu_of(uint32_t cpu) { return (struct percpu *)(percpu_area(cpu) + PERCPU_STRUCT); }

static inline struct percpu *percpu_this(void)
{
    struct percpu *p;
    __asm__("mov %%gs:0, %0" : "=r"(p));
    return p;
}

/* Maps a CPU's area from heap pages. False: the heap is too small. Before that CPU runs on it. */
bool must_check percpu_create(uint32_t cpu, uint32_t apic_id);

/* Loads this CPU's GDT, TSS, IDT and GS base. */
void percpu_load(struct percpu *percpu);

/* A percpu for the boot CPU until the heap is there: no stacks, no TSS, only `cpu` 0. */
void percpu_load_early(void);
