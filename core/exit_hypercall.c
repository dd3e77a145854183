#include "core/exit_handle.h"
#include "core/hypercall.h"

static uint64_t answer(const struct vcpu *vcpu, uint64_t number)
{
    switch (number) {
    case HYPERCALL_NOTHING:
        return 0;
    case HYPERCALL_STARTS:
        return vcpu->partition->starts;
    default:
        return (uint64_t)HYPERCALL_UNKNOWN;
    }
}

void exit_hypercall(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    vcpu->gpr[GPR_RAX] = answer(vcpu, vcpu->gpr[GPR_RAX]);
    backend->advance(vcpu, exit);
}
