/*
 * Offsets that assembly needs. Compiled to assembly, whose "->" lines the Makefile turns into build/offsets.h.
 */
#include "arch/x86_64/percpu.h"
#include "core/vcpu.h"

#define OFFSET(name, type, member) __asm__ volatile("\n.ascii \"->" #name " %c0\"" : : "i"(offsetof(type, member)))

#define CONSTANT(name, value) __asm__ volatile("\n.ascii \"->" #name " %c0\"" : : "i"(value))

void offsets(void);
void offsets(void)
{
    OFFSET(PERCPU_KICKED, struct percpu, kicked);
    OFFSET(PERCPU_VCPU, struct percpu, vcpu);
    OFFSET(VCPU_GPR, struct vcpu, gpr);
    OFFSET(VCPU_CPUID_VALID, struct vcpu, cpuid.valid);
    OFFSET(VCPU_CPUID_REGS, struct vcpu, cpuid.regs);
    CONSTANT(CPUID_CACHE_LEAVES, CPUID_CACHE_LEAVES);
    OFFSET(VCPU_EXITS_HYPERCALL, struct vcpu, stats.exits[EXIT_HYPERCALL]);
    OFFSET(VCPU_EXITS_CPUID, struct vcpu, stats.exits[EXIT_CPUID]);
    OFFSET(VCPU_HOST_RSP, struct vcpu, host_rsp);
}
