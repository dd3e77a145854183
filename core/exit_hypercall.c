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

static uint64_t answer(struct vcpu *vcpu, const struct backend *backend, uint64_t number)
{
    struct partition *p = vcpu->partition;
    struct vcpu_state_view view;
    if (number == HYPERCALL_NOTHING)
        return 0;
    if (number == HYPERCALL_STARTS)
        return p->starts;
    if (number > HYPERCALL_HEARTBEAT)
        return (uint64_t)HYPERCALL_UNKNOWN;
    /* The others change the partition's life; not for a program that the guest's kernel does not trust. */
    backend->view(vcpu, &view);
    if (view.cpl != 0)
        return (uint64_t)HYPERCALL_REFUSED;
    if (number == HYPERCALL_HEARTBEAT)
        return heartbeat(p, vcpu->gpr[GPR_RBX]);
    if (number == HYPERCALL_RESTART)
        lifecycle_guest_reset(p);
    else
        lifecycle_fault(p, FAULT_POWER_OFF, "stopped at the guest's request");
    return 0;
}

void exit_hypercall(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    vcpu->gpr[GPR_RAX] = answer(vcpu, backend, vcpu->gpr[GPR_RAX]);
    backend->advance(vcpu, exit);
}
