/*
 * NMIs for the guest: APM vol. 2, "NMI Support". The CPU does not keep a guest's NMIs apart from the host's, so their
 * blocking is tracked here: from the injection until the handler's IRET has been executed.
 *
 * The exit comes before the IRET. The guest is then run for this one instruction with TF; the #DB behind it exits and
 * is not the guest's. The same step leads out of an interrupt shadow.
 */
#include "arch/x86_64/svm/svm.h"

#define RFLAGS_TF (1ull << 8)
#define DR6_BS    (1ull << 14)
#define DR6_HITS  0xfull /* B0 to B3 */
enum { VECTOR_DB = 1 };

static void iret_intercept(struct vmcb *v, bool on)
{
    v->control.intercept1 =
        on ? v->control.intercept1 | SVM_INTERCEPT1_IRET : v->control.intercept1 & ~SVM_INTERCEPT1_IRET;
    v->control.clean &= ~SVM_CLEAN_INTERCEPTS;
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

/* Whatever was stepped over is done: the guest's own TF and the NMI state follow. */
static void step_end(struct svm_vcpu *s)
{
    s->stepping = false;
    /* An IRET has loaded the flags that it found on the stack, and those are the guest's. */
    if (s->nmi != SVM_NMI_IRET && !s->guest_tf)
        s->vmcb->save.rflags &= ~RFLAGS_TF;
    if (s->nmi == SVM_NMI_IRET)
        s->nmi = SVM_NMI_OPEN;
}

bool svm_nmi_inject(struct vcpu *vcpu)
{
    struct svm_vcpu *s = svm_of(vcpu);
    bool shadow = s->vmcb->control.interrupt_shadow & SVM_INTERRUPT_SHADOW;
    bool event = s->vmcb->control.event_injection & SVM_EVENT_VALID;
    s->nmi_wanted = s->nmi != SVM_NMI_OPEN || shadow || event || s->stepping;
    if (!s->nmi_wanted) {
        svm_inject_event(vcpu, SVM_EVENT_NMI, 2, false, 0);
        s->nmi = SVM_NMI_BLOCKED;
        iret_intercept(s->vmcb, true);
        return true;
    }
    if (s->nmi == SVM_NMI_OPEN && shadow && !event)
        step_begin(s);
    return false;
}

bool svm_nmi_exit_at_once(const struct vcpu *vcpu)
{
    const struct svm_vcpu *s = svm_of(vcpu);
    return s->nmi_wanted && s->nmi == SVM_NMI_OPEN && (s->vmcb->control.event_injection & SVM_EVENT_VALID);
}

bool svm_nmi_iret_exit(struct vcpu *vcpu, struct exit *exit)
{
    struct svm_vcpu *s = svm_of(vcpu);
    (void)exit;
    vcpu->stats.exits[EXIT_NMI_WINDOW]++;
    iret_intercept(s->vmcb, false);
    s->nmi = SVM_NMI_IRET;
    step_begin(s);
    return false;
}

static bool window(struct vcpu *vcpu, struct exit *exit)
{
    struct svm_vcpu *s = svm_of(vcpu);
    exit->kind = EXIT_NMI_WINDOW;
    if (!s->nmi_wanted)
        vcpu->stats.exits[EXIT_NMI_WINDOW]++;
    return s->nmi_wanted;
}

/* Guests could hold their CPU for ever with a #DB inside the delivery of a #DB; therefore every #DB comes here first. */
bool svm_nmi_debug_exit(struct vcpu *vcpu, struct exit *exit)
{
    struct svm_vcpu *s = svm_of(vcpu);
    struct vmcb_save *save = &s->vmcb->save;
    bool own = !s->stepping;
    if (s->stepping) {
        bool was_iret = s->nmi == SVM_NMI_IRET;
        uint64_t hits = save->dr6 & ~s->guest_dr6 & DR6_HITS;
        own = (s->guest_tf && !was_iret) || hits != 0;
        step_end(s);
        if (!(s->guest_tf && !was_iret))
            save->dr6 = (save->dr6 & ~DR6_BS) | (s->guest_dr6 & DR6_BS);
        s->vmcb->control.clean &= ~SVM_CLEAN_DR;
    } else {
        vcpu->stats.exits[EXIT_EXCEPTION]++;
    }
    if (own)
        svm_inject_exception(vcpu, VECTOR_DB, 0);
    return exit->vector == VECTOR_DB && !own ? window(vcpu, exit) : false;
}

bool svm_nmi_step_done(struct vcpu *vcpu)
{
    struct svm_vcpu *s = svm_of(vcpu);
    if (s->stepping)
        step_end(s);
    return s->vmcb->save.rflags & RFLAGS_TF;
}

uint64_t svm_nmi_hide_step(const struct vcpu *vcpu, uint64_t rflags)
{
    const struct svm_vcpu *s = svm_of(vcpu);
    return s->stepping && !s->guest_tf ? rflags & ~RFLAGS_TF : rflags;
}

uint64_t svm_nmi_keep_step(const struct vcpu *vcpu, uint64_t rflags)
{
    return svm_of(vcpu)->stepping ? rflags | RFLAGS_TF : rflags;
}
