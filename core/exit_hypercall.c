#include "core/exit_handle.h"
#include "core/hypercall.h"

void exit_hypercall(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    vcpu->gpr[GPR_RAX] =
        vcpu->gpr[GPR_RAX] == HYPERCALL_NOTHING ? 0 : (uint64_t)HYPERCALL_UNKNOWN;
    backend->advance(vcpu, exit);
}
