/*
 * Inside the AMD-V backend: what its files share. Nobody outside includes this; the backend's face is
 * arch/x86_64/backends.h.
 */
#pragma once

#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/svm/capability.h"
#include "arch/x86_64/svm/vmcb.h"
#include "core/backend.h"

/* APM vol. 2, "MSR Cross-Reference", SVM. */
#define MSR_VM_CR       0xc0010114u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define VM_CR_LOCK      (1u << 3)
#define VM_CR_SVMDIS    (1u << 4)

/* ASID 0 is the host's; at least one guest's own and the shared one (see svm_vcpu_create) are wanted. */
enum { SVM_ASIDS_NEEDED = 3 };

/* How far the guest is with an NMI that was injected: APM vol. 2, "NMI Support". */
enum svm_nmi {
    SVM_NMI_OPEN,    /* the guest can take one */
    SVM_NMI_BLOCKED, /* its handler runs: IRET is intercepted */
    SVM_NMI_IRET,    /* stands before the IRET that ends the handler: stepping over it */
};

/* The AMD-V part of a vCPU. */
struct svm_vcpu {
    struct vmcb *vmcb; /* one page */
    hpa_t vmcb_address;
    bool flush;         /* the next entry drops this ASID's translations */
    bool flush_always;  /* shares its ASID: every entry does */
    bool rewritten;     /* the VMCB was changed so that VMRUN may refuse it */
    bool attempt_holds; /* `attempt` is of the last entry */
    bool refused;       /* VMRUN refused the last entry */
    uint64_t injected;  /* event_injection of the last entry */
    enum svm_nmi nmi;
    bool nmi_wanted;    /* core/ waits for the NMI window */
    bool stepping;      /* one instruction is run with TF, which the guest does not see */
    bool guest_tf;      /* TF as the guest has it, while stepping */
    uint64_t guest_dr6; /* DR6 before the step */
    struct vmcb_save attempt; /* as it was before the first entry after `rewritten`: see svm_run */
};

extern struct svm_capability svm_capability;

static inline struct svm_vcpu *svm_of(const struct vcpu *vcpu) { return vcpu->backend; }
static inline struct vmcb *svm_vmcb(const struct vcpu *vcpu) { return svm_of(vcpu)->vmcb; }

/* Changes one of intercept1. */
static inline void svm_intercept(struct vmcb_control *c, uint32_t which, bool on)
{
    c->intercept1 = on ? c->intercept1 | which : c->intercept1 & ~which;
    c->clean &= ~SVM_CLEAN_INTERCEPTS;
}

/* Has the next entry deliver an event without error code; `type` is one of SVM_EVENT_INTERRUPT... */
static inline void svm_inject(struct vmcb *v, uint64_t type, uint64_t vector)
{
    v->control.event_injection = SVM_EVENT_VALID | type << 8 | vector;
}

/* vcpu_state.c: the guest's registers */
bool svm_vcpu_create(struct vcpu *vcpu);
void svm_vcpu_reset(struct vcpu *vcpu, const struct vcpu_entry *entry);
void svm_vcpu_view(struct vcpu *vcpu, struct vcpu_state_view *out);

/* dump.c */
void svm_vcpu_dump(struct vcpu *vcpu, struct sink *out);

/* backend.c */
void svm_backend_advance(struct vcpu *vcpu, const struct exit *exit);
void svm_inject_exception(struct vcpu *vcpu, uint8_t vector, uint32_t error_code);

/* interrupt.c: virtual mode */
bool svm_interrupt_ready(struct vcpu *vcpu);
void svm_interrupt_inject(struct vcpu *vcpu, uint8_t vector);
void svm_interrupt_quiet(struct vcpu *vcpu);
bool svm_interrupt_offer(struct vcpu *vcpu);

/* exit.c: the hardware's record into the neutral one. False: dealt with here, enter again. */
bool svm_exit_decode(struct vcpu *vcpu, struct exit *exit);
bool svm_instruction_decode(struct vcpu *vcpu, struct exit *exit, uint64_t code); /* exit_instruction.c: its part */

/* efer.c: the guest's EFER, in which SVME is ours. False: the guest gets #GP. */
uint64_t svm_efer_read(const struct vcpu *vcpu);
bool must_check svm_efer_write(struct vcpu *vcpu, uint64_t value);

/* nmi.c: which NMI may be injected when. */
bool svm_nmi_inject(struct vcpu *vcpu);
bool svm_nmi_window_opened(const struct vcpu *vcpu);   /* core/ waits for it, and now is the time */
bool svm_nmi_waits_for_event(const struct vcpu *vcpu); /* the next entry delivers something else first */
void svm_nmi_iret_exit(struct vcpu *vcpu);
void svm_nmi_debug_exit(struct vcpu *vcpu);     /* #DB: the step's or the guest's */
void svm_nmi_step_break_off(struct vcpu *vcpu); /* the instruction is not run by the CPU: emulated, or it faults */
uint64_t svm_nmi_flags_shown(const struct vcpu *vcpu, uint64_t rflags); /* RFLAGS without the step's TF */
uint64_t svm_nmi_flags_run(const struct vcpu *vcpu, uint64_t rflags);   /* and with it */

/* permission_map.c: MSRPM and IOPM, shared by all vCPUs of one interrupt mode. False: no memory. */
bool must_check svm_permission_maps_create(bool virtual_interrupts);
hpa_t svm_msrpm(bool virtual_interrupts);
hpa_t svm_iopm(void);

/*
 * entry.S: runs the guest until an exit that the fast path does not answer. Both VMCBs are host-physical addresses; the
 * second holds the host's half of what VMLOAD and VMSAVE move; `vmcb` is the guest's again. Interrupts and NMIs are
 * held from before the look at percpu.kicked (CLGI) until the host is whole again, so that no kick falls between the
 * two.
 */
enum svm_entered { SVM_EXITED = 0, SVM_KICKED = 1 };
enum svm_entered svm_enter(struct vcpu *vcpu, uint64_t guest_vmcb, uint64_t host_vmcb, struct vmcb *vmcb);

/* fast_exit.c, called by entry.S. True: done, and the guest is past its instruction; false: nothing done. */
bool svm_fast_port(struct vcpu *vcpu);
bool svm_fast_rdmsr(struct vcpu *vcpu);
bool svm_fast_wrmsr(struct vcpu *vcpu);
bool svm_fast_memory(struct vcpu *vcpu);
bool svm_fast_interrupt(struct vcpu *vcpu); /* no instruction: the RIP stays */
