/*
 * The virtual-machine control block: AMD APM vol. 2 (revision 3.42), appendix "Layout of VMCB", in that appendix's
 * order. The CPU reads it at VMRUN and VMLOAD, writes it at #VMEXIT and VMSAVE; in between it is ordinary memory. Pure.
 */
#pragma once

#include "core/types.h"

/* A segment register. `attributes` are bits 55:52 and 47:40 of a descriptor: type, S, DPL, P; AVL, L, D/B, G. */
struct vmcb_segment {
    uint16_t selector;
    uint16_t attributes;
    uint32_t limit;
    uint64_t base;
};
#define SVM_ATTRIBUTE_LONG      (1u << 9)
#define SVM_ATTRIBUTE_DEFAULT32 (1u << 10)

struct vmcb_control {
    uint32_t intercept_cr; /* reads of CR0-15 low, writes high */
    uint32_t intercept_dr;
    uint32_t intercept_exceptions;
    uint32_t intercept1, intercept2, intercept3; /* instructions and events: SVM_INTERCEPT... below */
    uint8_t reserved018[0x03c - 0x018];
    uint16_t pause_filter_threshold;
    uint16_t pause_filter_count;
    uint64_t iopm_base;
    uint64_t msrpm_base;
    uint64_t tsc_offset;
    uint32_t asid;
    uint8_t tlb_control;
    uint8_t reserved05d[3];
    uint64_t virtual_interrupt;
    uint64_t interrupt_shadow;
    uint64_t exit_code;
    uint64_t exit_info1;
    uint64_t exit_info2;
    uint64_t exit_interrupt_info;
    uint64_t nested_control;
    uint8_t reserved098[0x0a8 - 0x098];
    uint64_t event_injection;
    uint64_t nested_cr3;
    uint64_t lbr_control;
    uint32_t clean;
    uint32_t reserved0c4;
    uint64_t next_rip;
    uint8_t reserved0d0[0x400 - 0x0d0];
};

struct vmcb_save {
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved0a0[0x0cb - 0x0a0];
    uint8_t cpl;
    uint32_t reserved0cc;
    uint64_t efer;
    uint8_t reserved0d8[0x148 - 0x0d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved180[0x1d8 - 0x180];
    uint64_t rsp;
    uint64_t s_cet, ssp, isst_address;
    uint64_t rax;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2;
    uint8_t reserved248[0x268 - 0x248];
    uint64_t guest_pat;
    uint64_t debugctl;
};

struct vmcb {
    struct vmcb_control control;
    struct vmcb_save save;
    uint8_t reserved678[0x1000 - 0x678];
};

_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "the VMCB is one page");
_Static_assert(offsetof(struct vmcb, save) == 0x400, "state save area");
_Static_assert(offsetof(struct vmcb_control, pause_filter_threshold) == 0x03c, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, iopm_base) == 0x040, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, asid) == 0x058, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, tlb_control) == 0x05c, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, virtual_interrupt) == 0x060, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, exit_code) == 0x070, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, exit_interrupt_info) == 0x088, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, nested_control) == 0x090, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, event_injection) == 0x0a8, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, nested_cr3) == 0x0b0, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, clean) == 0x0c0, "VMCB layout");
_Static_assert(offsetof(struct vmcb_control, next_rip) == 0x0c8, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, tr) == 0x090, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, cpl) == 0x0cb, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, efer) == 0x0d0, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, cr4) == 0x148, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, rip) == 0x178, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, rsp) == 0x1d8, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, rax) == 0x1f8, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, sysenter_eip) == 0x238, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, cr2) == 0x240, "VMCB layout");
_Static_assert(offsetof(struct vmcb_save, guest_pat) == 0x268, "VMCB layout");

/* intercept_cr */
#define SVM_INTERCEPT_CR8_READ  (1u << 8)
#define SVM_INTERCEPT_CR8_WRITE (1u << 24)

/* intercept1: offset 00Ch */
#define SVM_INTERCEPT1_INTR        (1u << 0)
#define SVM_INTERCEPT1_NMI         (1u << 1)
#define SVM_INTERCEPT1_INIT        (1u << 3)
#define SVM_INTERCEPT1_VINTR       (1u << 4)
#define SVM_INTERCEPT1_RDPMC       (1u << 15)
#define SVM_INTERCEPT1_CPUID       (1u << 18)
#define SVM_INTERCEPT1_RSM         (1u << 19)
#define SVM_INTERCEPT1_IRET        (1u << 20)
#define SVM_INTERCEPT1_INVD        (1u << 22)
#define SVM_INTERCEPT1_HLT         (1u << 24)
#define SVM_INTERCEPT1_INVLPGA     (1u << 26)
#define SVM_INTERCEPT1_IOIO        (1u << 27)
#define SVM_INTERCEPT1_MSR         (1u << 28)
#define SVM_INTERCEPT1_TASK_SWITCH (1u << 29)
#define SVM_INTERCEPT1_SHUTDOWN    (1u << 31)

/* intercept2: offset 010h */
#define SVM_INTERCEPT2_VMRUN   (1u << 0)
#define SVM_INTERCEPT2_VMMCALL (1u << 1)
#define SVM_INTERCEPT2_VMLOAD  (1u << 2)
#define SVM_INTERCEPT2_VMSAVE  (1u << 3)
#define SVM_INTERCEPT2_STGI    (1u << 4)
#define SVM_INTERCEPT2_CLGI    (1u << 5)
#define SVM_INTERCEPT2_SKINIT  (1u << 6)
#define SVM_INTERCEPT2_WBINVD  (1u << 9)
#define SVM_INTERCEPT2_MONITOR (1u << 10)
#define SVM_INTERCEPT2_MWAIT   (1u << 11)
#define SVM_INTERCEPT2_XSETBV  (1u << 13)
#define SVM_INTERCEPT2_RDPRU   (1u << 14)

/* TLB_CONTROL */
enum { SVM_TLB_KEEP = 0, SVM_TLB_FLUSH_ALL = 1, SVM_TLB_FLUSH_ASID = 3 };

/* virtual_interrupt: "Virtual Interrupts" */
#define SVM_V_IRQ          (1ull << 8)
#define SVM_V_PRIORITY_TOP (0xfull << 16)
#define SVM_V_IGNORE_TPR   (1ull << 20)
#define SVM_V_INTR_MASKING (1ull << 24)

#define SVM_INTERRUPT_SHADOW (1ull << 0) /* interrupt_shadow */
#define SVM_NESTED_PAGING    (1ull << 0) /* nested_control */

/* EVENTINJ and EXITINTINFO: "Event Injection" */
#define SVM_EVENT_VECTOR(e)  ((unsigned)(e)&0xffu)
#define SVM_EVENT_TYPE(e)    (((unsigned)(e) >> 8) & 7u)
#define SVM_EVENT_ERROR_CODE (1ull << 11)
#define SVM_EVENT_VALID      (1ull << 31)
#define SVM_EVENT_DEFINED    0xffffffff80000fffull
enum { SVM_EVENT_INTERRUPT = 0, SVM_EVENT_NMI = 2, SVM_EVENT_EXCEPTION = 3, SVM_EVENT_SOFTWARE = 4 };

/* VMCB clean bits: "VMCB State Caching". A set bit lets the CPU use what it remembers of that group. */
#define SVM_CLEAN_INTERCEPTS (1u << 0)
#define SVM_CLEAN_VIRTUAL    (1u << 3) /* virtual_interrupt */
#define SVM_CLEAN_CR         (1u << 5) /* CR0, CR3, CR4, EFER */
#define SVM_CLEAN_DR         (1u << 6) /* DR6, DR7 */
#define SVM_CLEAN_CR2        (1u << 9)
#define SVM_CLEAN_ALL        0x3ffu /* groups 0 to 9; the rest are of features that are off here */

/* "IOIO Intercept Information" in EXITINFO1 */
#define SVM_IOIO_IN         (1u << 0)
#define SVM_IOIO_STRING     (1u << 2)
#define SVM_IOIO_REPEAT     (1u << 3)
#define SVM_IOIO_SIZE(info) (((unsigned)(info) >> 4) & 7u) /* bytes: one of 1, 2, 4 */
#define SVM_IOIO_PORT(info) (((unsigned)(info) >> 16) & 0xffffu)

/* "Nested Table Walk", error code in EXITINFO1 */
#define SVM_NPF_WRITE (1ull << 1)
#define SVM_NPF_FETCH (1ull << 4)
#define SVM_NPF_FINAL (1ull << 32) /* the access itself was refused, not one to the guest's tables */

/* Appendix "SVM Intercept Exit Codes" */
enum svm_exit_code {
    SVM_EXIT_CR8_READ = 0x008,
    SVM_EXIT_CR8_WRITE = 0x018,
    SVM_EXIT_EXCEPTION = 0x040, /* + vector, 32 of them */
    SVM_EXIT_INTR = 0x060,
    SVM_EXIT_NMI = 0x061,
    SVM_EXIT_VINTR = 0x064,
    SVM_EXIT_RDPMC = 0x06f,
    SVM_EXIT_CPUID = 0x072,
    SVM_EXIT_RSM = 0x073,
    SVM_EXIT_IRET = 0x074,
    SVM_EXIT_INVD = 0x076,
    SVM_EXIT_HLT = 0x078,
    SVM_EXIT_INVLPGA = 0x07a,
    SVM_EXIT_IOIO = 0x07b,
    SVM_EXIT_MSR = 0x07c,
    SVM_EXIT_TASK_SWITCH = 0x07d,
    SVM_EXIT_SHUTDOWN = 0x07f,
    SVM_EXIT_VMRUN = 0x080,
    SVM_EXIT_VMMCALL = 0x081,
    SVM_EXIT_VMLOAD = 0x082, /* then VMSAVE, STGI, CLGI */
    SVM_EXIT_SKINIT = 0x086,
    SVM_EXIT_WBINVD = 0x089,
    SVM_EXIT_MONITOR = 0x08a, /* then MWAIT */
    SVM_EXIT_MWAIT_ARMED = 0x08c,
    SVM_EXIT_XSETBV = 0x08d,
    SVM_EXIT_RDPRU = 0x08e,
    SVM_EXIT_NPF = 0x400,
};
/* VMEXIT_INVALID is -1, of which some implementations write the low half alone. */
#define SVM_EXIT_INVALID 0xffffffffu
