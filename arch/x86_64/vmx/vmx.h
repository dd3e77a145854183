/*
 * Inside the VT-x backend: what its files share. Nobody outside includes this; the backend's face is
 * arch/x86_64/backends.h.
 */
#pragma once

#include "arch/x86_64/vmx/capability.h"
#include "arch/x86_64/vmx/vmcs.h"
#include "core/backend.h"

/* The VT-x part of a vCPU. */
struct vmx_vcpu {
    void *vmcs;                /* one page; its head is the revision */
    uint32_t processor_controls; /* as written: the NMI window comes and goes */
    uint32_t secondary_controls;
    uint32_t timer;            /* preemption timer value of each entry; 0: off */
    uint64_t eoi_exits[4];     /* as written: the level-triggered vectors */
    bool launched;
    uint64_t last_error;       /* VM-instruction error of a failed entry, 0: none */
};

extern struct vmx_capability vmx_capability;

static inline struct vmx_vcpu *vmx_of(const struct vcpu *vcpu) { return vcpu->backend; }

/* vcpu_state.c: the guest's registers */
bool vmx_vcpu_create(struct vcpu *vcpu);
void vmx_vcpu_reset(struct vcpu *vcpu, const struct vcpu_entry *entry);
void vmx_vcpu_view(struct vcpu *vcpu, struct vcpu_state_view *out);
void vmx_vcpu_dump(struct vcpu *vcpu, struct sink *out);

/* control_register.c. An exit for CR8 is decoded; false: one for CR0 or CR4, dealt with here. */
bool vmx_control_register_exit(struct vcpu *vcpu, struct exit *exit);
void vmx_control_registers_reset(uint64_t cr0); /* as the guest shall see it */

/* backend.c. The second one switches a control in a field of which `written` is a copy; false: it was so already. */
void vmx_backend_advance(struct vcpu *vcpu, const struct exit *exit);
bool vmx_control_set(uint32_t *written, uint32_t field, uint32_t control, bool on);

/* exit.c: the hardware's record into the neutral one. False: dealt with here, enter again. */
bool vmx_exit_decode(struct vcpu *vcpu, struct exit *exit);
void vmx_inject(uint8_t vector, unsigned type, bool has_error, uint32_t error);

/* entry.S: runs the guest until an exit. */
enum vmx_entered { VMX_EXITED = 0, VMX_FAILED = 1, VMX_KICKED = 2 };
enum vmx_entered vmx_enter(struct vcpu *vcpu, bool launched);
extern const char vmx_exit_landing[];

/* fast_exit.c, called by entry.S. True: done, and only a new RIP is wanted; false: nothing done. */
bool vmx_fast_port(struct vcpu *vcpu);
bool vmx_fast_rdmsr(struct vcpu *vcpu);
bool vmx_fast_wrmsr(struct vcpu *vcpu);
bool vmx_fast_interrupt(struct vcpu *vcpu); /* no instruction: the RIP stays */
bool vmx_fast_halt(struct vcpu *vcpu);      /* this one and the next move the guest past its instruction too */
bool vmx_fast_memory(struct vcpu *vcpu);

/* bitmap.c. The first one makes a bitmap by the MSR rules, unless there is one; false: no memory. */
bool must_check vmx_msr_bitmap_create(uint64_t **page, bool virtual_interrupts);
void vmx_msr_bitmap_open(uint64_t *page, uint32_t first, uint32_t last, bool write);

/* virtual_apic.c: controls beside those of every vCPU with virtual interrupts, and what goes with them */
bool vmx_virtual_apic_create(void);
uint32_t vmx_virtual_apic_processor(const struct vcpu *vcpu);
uint32_t vmx_virtual_apic_secondary(const struct vcpu *vcpu);
void vmx_virtual_apic_reset(const struct vcpu *vcpu);
bool vmx_interrupt_offer(struct vcpu *vcpu);
/* Whether the CPU takes requested vectors by itself. */
static inline bool vmx_delivers(const struct vcpu *vcpu)
{
    return (vmx_of(vcpu)->secondary_controls & SECONDARY_INTERRUPT_DELIVERY) != 0;
}
