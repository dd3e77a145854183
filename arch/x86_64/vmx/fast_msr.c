/*
 * The part of the fast path that is C: MSR accesses whose answer is a constant, and an IPI to one vCPU. Everything else goes the
 * slow way, which decides the same by the same table. The function keeps all registers but RAX, since the
 * guest's are still in the CPU.
 */
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/vmx/exit_reason.h"
#include "arch/x86_64/vmx/vmx.h"
#include "core/msr.h"
#include "core/partition.h"

#define MSR_X2APIC_ICR 0x830u
/* Fixed delivery, physical destination, edge, no shorthand; the level bit and the vector may be what they are. */
#define ICR_PLAIN_MASK  0xffffbf00u
#define ICR_FIRST_VECTOR 16u

/* A plain fixed interrupt to one running vCPU of the same partition: what interrupt_resolve would allow. */
static inline bool icr_write_plain(const struct vcpu *vcpu)
{
    const struct partition *p = vcpu->partition;
    uint32_t low = (uint32_t)vcpu->gpr[GPR_RAX], destination = (uint32_t)vcpu->gpr[GPR_RDX];
    if ((low & ICR_PLAIN_MASK) != 0 || (low & 0xff) < ICR_FIRST_VECTOR || vcpu->apic != NULL)
        return false;
    for (uint32_t i = 0; i < p->vcpu_count; i++) {
        if (p->apic_ids[i] != destination)
            continue;
        if (__atomic_load_n(&p->vcpus[i].state, __ATOMIC_ACQUIRE) != VCPU_RUNNING)
            return false;
        /* What the guest stored before must be seen by who is interrupted: its own fence is the guest's business. */
        msr_write(MSR_X2APIC_ICR, (uint64_t)destination << 32 | low);
        return true;
    }
    return false;
}

__attribute__((no_caller_saved_registers)) bool vmx_fast_msr(struct vcpu *vcpu, uint32_t reason);
bool vmx_fast_msr(struct vcpu *vcpu, uint32_t reason)
{
    uint32_t number = (uint32_t)vcpu->gpr[GPR_RCX];
    if (reason == VMX_REASON_WRMSR && number == MSR_X2APIC_ICR) {
        if (!icr_write_plain(vcpu))
            return false;
        vcpu->stats.exits[EXIT_MSR_WRITE]++;
        return true;
    }
    const struct msr_rule *rule = msr_find_constant(number);
    if (rule == NULL)
        return false;
    if (reason == VMX_REASON_WRMSR) {
        if (rule->write != MSR_IGNORE)
            return false;
        vcpu->stats.exits[EXIT_MSR_WRITE]++;
        return true;
    }
    vcpu->gpr[GPR_RAX] = (uint32_t)rule->value;
    vcpu->gpr[GPR_RDX] = rule->value >> 32;
    vcpu->stats.exits[EXIT_MSR_READ]++;
    return true;
}
