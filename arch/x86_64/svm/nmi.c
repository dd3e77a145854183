/*
 * NMIs for the guest: APM vol. 2, "NMI Support". The CPU does not keep a guest's NMIs apart from the host's: one that
 * is injected as an NMI would keep out the hypervisor's own until the handler's IRET, which a guest need never execute.
 * So it is injected as an interrupt with the same vector, and its blocking is tracked here: from the injection until
 * the handler's IRET has been executed.
 *
 * The exit comes before the IRET. The guest is then run for this one instruction with TF; the #DB behind it exits and
 * is not the guest's. The same step leads out of an interrupt shadow.
 */
#include "arch/x86_64/svm/svm.h"

static bool in_shadow(const struct svm_vcpu *s) { return s->vmcb->control.interrupt_shadow & SVM_INTERRUPT_SHADOW; }
static bool event_pends(const struct svm_vcpu *s) { return s->vmcb->control.event_injection & SVM_EVENT_VALID; }

static bool can_take_one(const struct svm_vcpu *s)
{
    return s->nmi == SVM_NMI_OPEN && !s->stepping && !in_shadow(s) && !event_pends(s);
}

static void step_begin(struct svm_vcpu *s)
{
    if (s->stepping)
        return;
    s->stepping = true;
    s->guest_tf = s->vmcb->save.rflags & RFLAGS_TF;
    s->guest_dr6 = s->vmcb->save.dr6;
    s->vmcb->save.rflags |= RFLAGS_TF;
}

static void step_end(struct svm_vcpu *s)
{
    s->stepping = false;
    /* An IRET has loaded the flags that it found on the stack: those are the guest's. */
    if (s->nmi != SVM_NMI_IRET && !s->guest_tf)
        s->vmcb->save.rflags &= ~RFLAGS_TF;
    if (s->nmi == SVM_NMI_IRET)
        s->nmi = SVM_NMI_OPEN;
}

bool svm_nmi_inject(struct vcpu *vcpu)
{
    struct svm_vcpu *s = svm_of(vcpu);
    s->nmi_wanted = !can_take_one(s);
    if (!s->nmi_wanted) {
        svm_inject(s->vmcb, SVM_EVENT_INTERRUPT, VECTOR_NMI);
        s->nmi = SVM_NMI_BLOCKED;
        svm_intercept(&s->vmcb->control, SVM_INTERCEPT1_IRET, true);
        return true;
    }
    if (s->nmi == SVM_NMI_OPEN && in_shadow(s) && !event_pends(s))
        step_begin(s);
    return false;
}

bool svm_nmi_window_opened(const struct vcpu *vcpu) { return svm_of(vcpu)->nmi_wanted && can_take_one(svm_of(vcpu)); }

bool svm_nmi_waits_for_event(const struct vcpu *vcpu)
{
    const struct svm_vcpu *s = svm_of(vcpu);
    return s->nmi_wanted && s->nmi == SVM_NMI_OPEN && event_pends(s);
}

void svm_nmi_iret_exit(struct vcpu *vcpu)
{
    struct svm_vcpu *s = svm_of(vcpu);
    vcpu->stats.exits[EXIT_NMI_WINDOW]++;
    svm_intercept(&s->vmcb->control, SVM_INTERCEPT1_IRET, false);
    s->nmi = SVM_NMI_IRET;
    step_begin(s);
}

void svm_nmi_debug_exit(struct vcpu *vcpu)
{
    struct svm_vcpu *s = svm_of(vcpu);
    struct vmcb_save *save = &s->vmcb->save;
    bool guests = true;
    vcpu->stats.exits[EXIT_EXCEPTION]++;
    if (s->stepping) {
        bool breakpoint_hit = save->dr6 & ~s->guest_dr6 & DR6_HITS;
        guests = s->guest_tf || breakpoint_hit;
        if (!s->guest_tf)
            save->dr6 = (save->dr6 & ~DR6_BS) | (s->guest_dr6 & DR6_BS);
        s->vmcb->control.clean &= ~SVM_CLEAN_DR;
        step_end(s);
    }
    if (guests)
        svm_inject(s->vmcb, SVM_EVENT_EXCEPTION, VECTOR_DB);
}

void svm_nmi_step_break_off(struct vcpu *vcpu)
{
    struct svm_vcpu *s = svm_of(vcpu);
    if (s->stepping && s->nmi != SVM_NMI_IRET)
        step_end(s);
}

uint64_t svm_nmi_flags_shown(const struct vcpu *vcpu, uint64_t rflags)
{
    const struct svm_vcpu *s = svm_of(vcpu);
    return s->stepping && !s->guest_tf ? rflags & ~RFLAGS_TF : rflags;
}

uint64_t svm_nmi_flags_run(const struct vcpu *vcpu, uint64_t rflags)
{
    return svm_of(vcpu)->stepping ? rflags | RFLAGS_TF : rflags;
}
