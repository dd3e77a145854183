/*
 * A machine check while a guest was running. One that damaged only what ran here is the partition's own: a guest that
 * has switched machine checks on gets it, as on its own PC. All others are for the partition's policy.
 */
#include "core/console.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"
#include "core/machine_check.h"
#include "core/register_bits.h"

void exit_machine_check(struct vcpu *vcpu, const struct backend *backend)
{
    struct partition *p = vcpu->partition;
    struct machine_check check;
    struct vcpu_state_view view;
    machine_check_take(&check);
    if (check.kind == MACHINE_CHECK_ELSEWHERE) {
        log_partition(p, "vCPU %u: a machine check that is another CPU's: it goes on", vcpu->index);
        return;
    }
    backend->view(vcpu, &view);
    bool contained = check.kind == MACHINE_CHECK_CONTAINED;
    bool takes_it = contained && (view.cr4 & CR4_MCE);
    if (takes_it || fault_rule_find(p->plan->config, FAULT_MACHINE_CHECK).action == FAULT_INJECT) {
        log_partition(p, "vCPU %u: machine check, bank %u status %lx address %lx: the guest gets it", vcpu->index,
                      check.bank, check.status, check.address);
        backend->inject_exception(vcpu, VECTOR_MC, 0);
        return;
    }
    lifecycle_fault(p, FAULT_MACHINE_CHECK, "vCPU %u: machine check, %s (bank %u status %lx address %lx, global %lx)",
                    vcpu->index, contained ? "contained" : "the CPU's context is lost", check.bank, check.status,
                    check.address, check.global);
}
