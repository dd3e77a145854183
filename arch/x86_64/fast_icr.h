/*
 * An IPI on its way past the general path: a plain fixed interrupt from a guest that has the CPU's own x2APIC to one
 * running vCPU of its own partition. It is what partition_interrupt would allow; everything else is left to it.
 */
#pragma once

#include "core/partition.h"

#define MSR_X2APIC_ICR 0x830u
/* Fixed delivery, physical destination, edge, no shorthand; the level bit and the vector may be what they are. */
#define ICR_PLAIN_MASK   0xffffbf00u
#define ICR_FIRST_VECTOR 16u

/* Sends, if `target` runs. The two halves stay apart: joining them only for WRMSR to part them again costs
 * instructions. */
static inline bool fast_icr_send(const struct vcpu *target, uint32_t low, uint32_t destination)
{
    if (__atomic_load_n(&target->state, __ATOMIC_ACQUIRE) != VCPU_RUNNING)
        return false;
    /* What the guest stored before must be seen by who is interrupted: its own fence is the guest's business. */
    __asm__ volatile("wrmsr" : : "c"(MSR_X2APIC_ICR), "a"(low), "d"(destination) : "memory");
    return true;
}

/* WRMSR with the guest's registers. False, with nothing done: not of the ICR, or no such interrupt. */
static inline bool fast_icr_write(struct vcpu *vcpu)
{
    const struct partition *p = vcpu->partition;
    uint32_t low = (uint32_t)vcpu->gpr[GPR_RAX], destination = (uint32_t)vcpu->gpr[GPR_RDX];
    if ((uint32_t)vcpu->gpr[GPR_RCX] != MSR_X2APIC_ICR || (low & ICR_PLAIN_MASK) != 0 ||
        (low & 0xff) < ICR_FIRST_VECTOR)
        return false;
    /* On most machines the ids of a partition's CPUs follow one another. */
    uint32_t likely = destination - p->apic_ids[0];
    if (likely < p->vcpu_count && p->apic_ids[likely] == destination)
        return fast_icr_send(&p->vcpus[likely], low, destination);
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        if (p->apic_ids[i] == destination)
            return fast_icr_send(&p->vcpus[i], low, destination);
    return false;
}
