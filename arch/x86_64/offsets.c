/*
 * Offsets that assembly needs. Compiled to assembly, whose "->" lines the Makefile turns into build/offsets.h.
 */
#include "arch/x86_64/percpu.h"
#include "core/vcpu.h"

#define OFFSET(name, type, member) __asm__ volatile("\n->" #name " %c0" : : "i"(offsetof(type, member)))

void offsets(void);
void offsets(void)
{
    OFFSET(PERCPU_KICKED, struct percpu, kicked);
    OFFSET(PERCPU_VCPU, struct percpu, vcpu);
    OFFSET(VCPU_GPR, struct vcpu, gpr);
    OFFSET(VCPU_HOST_RSP, struct vcpu, host_rsp);
}
