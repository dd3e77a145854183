/*
 * The hardware's exit record into the neutral one. APM vol. 2, appendix "SVM Intercept Exit Codes", and the sections
 * of chapter "Secure Virtual Machine" on each intercept.
 */
#include "arch/x86_64/svm/svm.h"
#include "core/bytes.h"

/*
 * An event whose delivery was cut short by this exit is delivered again. One that an instruction caused (INTn, INT3,
 * INTO) is not: RIP stands at that instruction, which the guest will execute again by itself.
 */
static void event_replay(struct vcpu *vcpu)
{
    struct vmcb_control *c = &svm_vmcb(vcpu)->control;
    uint64_t info = c->exit_interrupt_info;
    unsigned type = SVM_EVENT_TYPE(info), vector = SVM_EVENT_VECTOR(info);
    if (!(info & SVM_EVENT_VALID) || type == SVM_EVENT_SOFTWARE ||
        (type == SVM_EVENT_EXCEPTION && (vector == VECTOR_BP || vector == VECTOR_OF)))
        return;
    c->event_injection = info & SVM_EVENT_DEFINED;
}

static bool memory_decode(const struct vcpu *vcpu, struct exit *exit)
{
    const struct vmcb_control *c = &svm_vmcb(vcpu)->control;
    exit->kind = EXIT_MEMORY;
    exit->write = c->exit_info1 & SVM_NPF_WRITE;
    exit->fetch = c->exit_info1 & SVM_NPF_FETCH;
    exit->own = c->exit_info1 & SVM_NPF_FINAL;
    exit->address = c->exit_info2;
    exit->raw_detail = c->exit_info1;
    return true;
}

static bool exception_decode(struct vcpu *vcpu, struct exit *exit, uint8_t vector)
{
    exit->kind = EXIT_EXCEPTION;
    exit->vector = vector;
    if (vector == VECTOR_DB) {
        svm_nmi_debug_exit(vcpu);
        return false;
    }
    if (vector == VECTOR_AC) {
        vcpu->stats.exits[EXIT_EXCEPTION]++;
        svm_inject_exception(vcpu, VECTOR_AC, 0);
        return false;
    }
    return true;
}

static bool plain(struct exit *exit, enum exit_kind kind)
{
    exit->kind = kind;
    return true;
}

/* What VMRUN refused is shown as it was: some implementations leave the host's registers in the guest's save area. */
static bool entry_failed(struct vcpu *vcpu, struct exit *exit)
{
    struct svm_vcpu *s = svm_of(vcpu);
    if (s->attempt_holds) {
        s->vmcb->save = s->attempt;
        vcpu->gpr[GPR_RAX] = s->attempt.rax;
        vcpu->gpr[GPR_RSP] = s->attempt.rsp;
    }
    s->vmcb->control.event_injection = s->injected;
    s->vmcb->control.clean = 0;
    s->refused = true;
    return plain(exit, EXIT_ENTRY_FAILED);
}

bool svm_exit_decode(struct vcpu *vcpu, struct exit *exit)
{
    uint64_t code = svm_vmcb(vcpu)->control.exit_code;
    memset(exit, 0, sizeof *exit);
    exit->raw_reason = code;
    if ((uint32_t)code == SVM_EXIT_INVALID)
        return entry_failed(vcpu, exit);
    if (code == SVM_EXIT_SHUTDOWN)
        return plain(exit, EXIT_TRIPLE_FAULT);
    event_replay(vcpu);
    if (code >= SVM_EXIT_EXCEPTION && code < SVM_EXIT_EXCEPTION + EXCEPTIONS)
        return exception_decode(vcpu, exit, (uint8_t)(code - SVM_EXIT_EXCEPTION));

    switch (code) {
    case SVM_EXIT_NMI: /* taken by trap.c when GIF was set again */
        return plain(exit, EXIT_KICK);
    case SVM_EXIT_INTR:
        return plain(exit, EXIT_INTERRUPT);
    case SVM_EXIT_VINTR:
        return plain(exit, EXIT_INTERRUPT_WINDOW);
    case SVM_EXIT_IRET:
        svm_nmi_iret_exit(vcpu);
        return false;
    case SVM_EXIT_TASK_SWITCH:
        exit->address = svm_vmcb(vcpu)->control.exit_info1 & 0xffff;
        return plain(exit, EXIT_TASK_SWITCH);
    case SVM_EXIT_NPF:
        return memory_decode(vcpu, exit);
    default:
        return svm_instruction_decode(vcpu, exit, code);
    }
}
