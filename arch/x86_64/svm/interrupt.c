/*
 * Virtual mode: external interrupts for the guest, of which AMD-V carries one at a time. APM vol. 2, "Event Injection"
 * and "Virtual Interrupts".
 */
#include "arch/x86_64/svm/svm.h"

/*
 * A virtual interrupt that outranks everything pends, and the guest exits at the moment it would be delivered: it never
 * is, so its vector does not matter.
 */
#define WINDOW (SVM_V_IRQ | SVM_V_PRIORITY_TOP | SVM_V_IGNORE_TPR)

static void window_set(struct vmcb_control *c, bool open)
{
    if (((c->virtual_interrupt & SVM_V_IRQ) != 0) == open)
        return;
    c->virtual_interrupt = open ? c->virtual_interrupt | WINDOW : c->virtual_interrupt & ~WINDOW;
    c->clean &= ~SVM_CLEAN_VIRTUAL;
    svm_intercept(c, SVM_INTERCEPT1_VINTR, open);
}

bool svm_interrupt_ready(struct vcpu *vcpu)
{
    const struct vmcb *v = svm_vmcb(vcpu);
    bool blocked = !(v->save.rflags & RFLAGS_IF) || (v->control.interrupt_shadow & SVM_INTERRUPT_SHADOW) ||
                   (v->control.event_injection & SVM_EVENT_VALID);
    window_set(&svm_vmcb(vcpu)->control, blocked);
    return !blocked;
}

void svm_interrupt_inject(struct vcpu *vcpu, uint8_t vector)
{
    svm_inject(svm_vmcb(vcpu), SVM_EVENT_INTERRUPT, vector);
}

void svm_interrupt_quiet(struct vcpu *vcpu) { window_set(&svm_vmcb(vcpu)->control, false); }

/* AVIC, which would, is not used. */
bool svm_interrupt_offer(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}
