/*
 * An IPI on its way past the general path: a plain fixed interrupt from a guest that has the CPU's own x2APIC to one
 * running vCPU of its own partition. It is what interrupt_resolve would allow; everything else is left to it.
 */
#pragma once

#include "arch/x86_64/cpu_instructions.h"
#include "core/partition.h"

#define MSR_X2APIC_ICR 0x830u
/* Fixed delivery, physical destination, edge, no shorthand; the level bit and the vector may be what they are. */
#define ICR_PLAIN_MASK   0xffffbf00u
#define ICR_FIRST_VECTOR 16u

/* WRMSR of the ICR with the guest's registers. False, with nothing done: not such an interrupt. */
static inline bool fast_icr_write(struct vcpu *vcpu)
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
