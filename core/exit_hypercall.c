#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/hypercall.h"
#include "core/lifecycle.h"

/* The watch begins, goes on for another while, or ends. */
static uint64_t heartbeat(struct partition *p, uint64_t milliseconds)
{
    if (milliseconds == 0) {
        __atomic_store_n(&p->heartbeat_due, 0, __ATOMIC_RELEASE);
        return 0;
    }
    if (milliseconds < HYPERCALL_HEARTBEAT_MIN || milliseconds > HYPERCALL_HEARTBEAT_MAX)
        return (uint64_t)HYPERCALL_BAD_ARGUMENT;
    uint64_t ticks = p->machine->tsc_hz / 1000 * milliseconds;
    __atomic_store_n(&p->heartbeat_ticks, ticks, __ATOMIC_RELAXED);
    __atomic_store_n(&p->heartbeat_due, cpu_clock() + ticks, __ATOMIC_RELEASE);
    return 0;
}

/* Those that change the partition's life; not for a program that the guest's kernel does not trust. */
static uint64_t answer_to_kernel(struct vcpu *vcpu, const struct backend *backend, uint64_t number)
{
    struct vcpu_state_view view;
    backend->view(vcpu, &view);
    if (view.cpl != 0)
        return (uint64_t)HYPERCALL_REFUSED;
    switch (number) {
    case HYPERCALL_RESTART:
        lifecycle_guest_reset(vcpu->partition);
        return 0;
    case HYPERCALL_STOP:
        lifecycle_fault(vcpu->partition, FAULT_POWER_OFF, "stopped at the guest's request");
        return 0;
    default:
        return heartbeat(vcpu->partition, vcpu->gpr[GPR_RBX]);
    }
}

static uint64_t answer(struct vcpu *vcpu, const struct backend *backend, uint64_t number)
{
    switch (number) {
    case HYPERCALL_NOTHING:
        return 0;
    case HYPERCALL_STARTS:
        return vcpu->partition->starts;
    case HYPERCALL_RESTART:
    case HYPERCALL_STOP:
    case HYPERCALL_HEARTBEAT:
        return answer_to_kernel(vcpu, backend, number);
    default:
        return (uint64_t)HYPERCALL_UNKNOWN;
    }
}

void exit_hypercall(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    vcpu->gpr[GPR_RAX] = answer(vcpu, backend, vcpu->gpr[GPR_RAX]);
    backend->advance(vcpu, exit);
}
