/*
 * The part of the fast path that is C, with the step past the instruction. What is declined here goes the general way,
 * which decides the same by the same tables. GIF is clear: nothing here may wait for another CPU's answer or kick its
 * own.
 */
#include "core/fast.h"
#include "arch/x86_64/fast_icr.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/svm/svm.h"
#include "core/fast_apic.h"
#include "core/fast_memory.h"

/* "IOIO Intercept Information": string, REP, and the sizes as three bits of which the first is one byte's. */
#define IO_KIND  0x7cu
#define IO_BYTE  0x10u
#define NPF_KIND (SVM_NPF_FINAL | SVM_NPF_WRITE | SVM_NPF_FETCH)

enum { MAX_INSTRUCTION = 15 };

/* Whether going on at `next` takes no more than a new RIP: no #DB is due after the instruction, no shadow ends with it.
 */
static inline bool is_plain(const struct vmcb *v, uint64_t next)
{
    return (v->save.rflags & RFLAGS_TF) == 0 && (v->control.interrupt_shadow & SVM_INTERRUPT_SHADOW) == 0 &&
           next - v->save.rip - 1 < MAX_INSTRUCTION;
}

static inline void advance(struct vmcb *v, uint64_t next)
{
    v->save.rip = next;
    v->save.rflags &= ~RFLAGS_RF;
    v->control.event_injection = 0;
}

bool svm_fast_port(struct vcpu *vcpu)
{
    struct vmcb *v = svm_vmcb(vcpu);
    uint32_t info = (uint32_t)v->control.exit_info1;
    uint64_t next = v->control.exit_info2;
    if ((info & IO_KIND) != IO_BYTE || !is_plain(v, next) || !fast_port(vcpu, info >> 16, (info & SVM_IOIO_IN) != 0))
        return false;
    advance(v, next);
    return true;
}

bool svm_fast_rdmsr(struct vcpu *vcpu)
{
    struct vmcb *v = svm_vmcb(vcpu);
    uint64_t next = v->control.next_rip;
    if (!is_plain(v, next) || !fast_apic_read(vcpu))
        return false;
    advance(v, next);
    return true;
}

bool svm_fast_wrmsr(struct vcpu *vcpu)
{
    struct vmcb *v = svm_vmcb(vcpu);
    uint64_t next = v->control.next_rip;
    if (!is_plain(v, next) || !(vcpu->apic != NULL ? fast_apic_write(vcpu) : fast_icr_write(vcpu)))
        return false;
    advance(v, next);
    return true;
}

/*
 * The timer of a vCPU whose local APIC is a model. The interrupt is taken here, by way of trap.c, and so is an NMI that
 * has come meanwhile: its kick goes the general way.
 */
bool svm_fast_interrupt(struct vcpu *vcpu)
{
    struct vmcb *v = svm_vmcb(vcpu);
    if ((v->control.exit_interrupt_info & SVM_EVENT_VALID) || (v->control.virtual_interrupt & SVM_V_IRQ) ||
        (v->control.interrupt_shadow & SVM_INTERRUPT_SHADOW) || (v->save.rflags & RFLAGS_IF) == 0)
        return false;
    __asm__ volatile("stgi; nop; clgi" : : : "memory");
    if (__atomic_load_n(&percpu_this()->kicked, __ATOMIC_SEQ_CST) != 0)
        return false;
    int vector = fast_apic_timer(vcpu, false);
    if (vector < 0)
        return false;
    svm_inject(v, SVM_EVENT_INTERRUPT, (uint8_t)vector);
    return true;
}

bool svm_fast_memory(struct vcpu *vcpu)
{
    struct vmcb *v = svm_vmcb(vcpu);
    uint64_t kind = v->control.exit_info1 & NPF_KIND, rip = v->save.rip;
    if ((kind & ~SVM_NPF_WRITE) != SVM_NPF_FINAL || (v->control.exit_interrupt_info & SVM_EVENT_VALID) ||
        (v->save.efer & EFER_LMA) == 0 || (v->save.cs.attributes & SVM_ATTRIBUTE_LONG) == 0 || !is_plain(v, rip + 1))
        return false;
    struct fast_access access = {
        .rip = rip,
        .cr3 = v->save.cr3,
        .cr4 = v->save.cr4,
        .address = v->control.exit_info2,
        .write = (kind & SVM_NPF_WRITE) != 0,
    };
    uint8_t length = fast_memory(vcpu, &access);
    if (length == 0)
        return false;
    advance(v, rip + length);
    return true;
}
