/*
 * A virtual CPU: what core/ keeps of it. The vendor's part (VMCS, VMCB) hangs off `backend`.
 *
 * One vCPU runs on one physical CPU and only that CPU touches it, except the fields under
 * "other CPUs write", which are written with atomic operations and followed by a kick.
 */
#pragma once

#include "core/cpuid_cache.h"
#include "core/exit.h"
#include "core/fast_code.h"
#include "core/msr_cache.h"

struct partition;
struct local_apic;

/* General registers in the manuals' encoding order, so that a decoder can index them. */
enum gpr { GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_R8, GPR_R9, GPR_R10, GPR_R11,
           GPR_R12, GPR_R13, GPR_R14, GPR_R15, GPRS };

enum vcpu_state {
    VCPU_OFF,       /* parked: the partition is not running */
    VCPU_WAIT_SIPI, /* waits for a start-up IPI */
    VCPU_RUNNING,
    VCPU_HALTED,    /* HLT, with virtual interrupts */
};

/* Bits of vcpu.requests: what other CPUs ask of this one. */
enum {
    VCPU_REQUEST_INIT = 1u << 0,
    VCPU_REQUEST_SIPI = 1u << 1, /* start page in vcpu.sipi_vector */
    VCPU_REQUEST_NMI = 1u << 2,
};

/* How a vCPU begins: the backend turns this into architectural state. */
enum vcpu_mode {
    VCPU_MODE_REAL,   /* after SIPI or reset: CS.base = entry & ~0xfffff... given in cs_base, IP in rip */
    VCPU_MODE_FLAT32, /* protected mode, flat 4 GiB segments, paging off */
};

struct vcpu_entry {
    enum vcpu_mode mode;
    uint16_t cs_selector; /* REAL: CS.base = selector << 4 unless cs_base is set; FLAT32: code selector */
    uint16_t ds_selector; /* FLAT32: data selector */
    uint32_t cs_base;     /* REAL: 0, or the base at reset (0xffff0000) */
    uint64_t rip;
    uint64_t gpr[GPRS];
};

/* Architectural state that core/ needs to see for decoding and for a dump. */
struct vcpu_state_view {
    uint64_t rip, rflags, cr0, cr2, cr3, cr4, efer;
    uint64_t cs_base, ds_base, es_base, ss_base, fs_base, gs_base;
    uint16_t cs_selector, ss_selector;
    bool cs_long;      /* CS.L */
    bool cs_default32; /* CS.D */
    uint8_t cpl;
};

struct vcpu_stats {
    uint64_t exits[EXIT_KINDS];      /* since the partition started */
    uint64_t seen[EXIT_KINDS];       /* at the last look of `stats` (console CPU only) */
};

struct vcpu {
    /* First: the entry code indexes from the struct's address. RSP's slot is the backend's to mirror. */
    uint64_t gpr[GPRS];
    uint64_t host_rsp;  /* the entry code's: where the hypervisor's stack was left */
    int32_t fast_left;  /* the entry code's: exits it may still answer itself before the run loop has its turn */
    void *backend;      /* the vendor's part */
    struct partition *partition;
    uint32_t index;     /* within the partition */
    uint32_t cpu;       /* physical CPU: index into machine.cpus */
    uint32_t apic_id;   /* as the guest sees it; in direct mode the physical one */
    enum vcpu_state state;
    struct local_apic *apic; /* virtual interrupts: its model; NULL: the physical one is the guest's */
    uint64_t loop_due;  /* virtual interrupts: TSC at which the run loop wants the CPU, the local APIC's timer aside */
    uint64_t xcr0;      /* as the guest set it */
    gpa_t kvm_clock;    /* where the guest wants its KVM clock; bit 0: enabled */
    struct vcpu_stats stats;
    struct cpuid_cache cpuid;
    struct msr_cache msr;
    struct fast_code codes[FAST_CODE_SLOTS]; /* by bits of RIP, or next to that */

    /* other CPUs write */
    uint32_t requests;
    uint8_t sipi_vector;
    uint32_t parked; /* set by this vCPU's CPU: the partition.goal for which it has parked */
};
