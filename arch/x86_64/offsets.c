/*
 * Offsets that assembly needs. Compiled to assembly, whose "->" lines the Makefile turns into build/offsets.h.
 */
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/svm/vmcb.h"
#include "arch/x86_64/trap.h"
#include "core/vcpu.h"

#define OFFSET(name, type, member) __asm__ volatile("\n.ascii \"->" #name " %c0\"" : : "i"(offsetof(type, member)))

#define CONSTANT(name, value) __asm__ volatile("\n.ascii \"->" #name " %c0\"" : : "i"(value))

void offsets(void);
void offsets(void)
{
    OFFSET(PERCPU_KICKED, struct percpu, kicked);
    CONSTANT(VECTOR_NMI, VECTOR_NMI);
    CONSTANT(VECTOR_GP, VECTOR_GP);
    CONSTANT(EXCEPTIONS, EXCEPTIONS);
    CONSTANT(EXCEPTIONS_WITH_ERROR, EXCEPTIONS_WITH_ERROR);
    OFFSET(VCPU_GPR, struct vcpu, gpr);
    OFFSET(VCPU_CPUID_VALID, struct vcpu, cpuid.valid);
    OFFSET(VCPU_CPUID_REGS, struct vcpu, cpuid.regs);
    CONSTANT(CPUID_CACHE_LEAVES, CPUID_CACHE_LEAVES);
    OFFSET(VCPU_EXITS_HYPERCALL, struct vcpu, stats.exits[EXIT_HYPERCALL]);
    OFFSET(VCPU_EXITS_CPUID, struct vcpu, stats.exits[EXIT_CPUID]);
    OFFSET(VCPU_MSR_READABLE, struct vcpu, msr.readable);
    OFFSET(VCPU_MSR_WRITABLE, struct vcpu, msr.writable);
    OFFSET(VCPU_MSR_VALUES, struct vcpu, msr.values);
    OFFSET(VCPU_MSR_SLOTS, struct vcpu, msr.slots);
    CONSTANT(MSR_CACHE_END, MSR_CACHE_END);
    OFFSET(VCPU_EXITS_HALT, struct vcpu, stats.exits[EXIT_HALT]);
    OFFSET(VCPU_EXITS_INTERRUPT, struct vcpu, stats.exits[EXIT_INTERRUPT]);
    OFFSET(VCPU_EXITS_PORT, struct vcpu, stats.exits[EXIT_PORT]);
    OFFSET(VCPU_EXITS_MSR_READ, struct vcpu, stats.exits[EXIT_MSR_READ]);
    OFFSET(VCPU_EXITS_MSR_WRITE, struct vcpu, stats.exits[EXIT_MSR_WRITE]);
    OFFSET(VMCB_INTERRUPT_SHADOW, struct vmcb, control.interrupt_shadow);
    OFFSET(VMCB_EXIT_CODE, struct vmcb, control.exit_code);
    OFFSET(VMCB_EXIT_INFO1, struct vmcb, control.exit_info1);
    OFFSET(VMCB_EVENT_INJECTION, struct vmcb, control.event_injection);
    OFFSET(VMCB_NEXT_RIP, struct vmcb, control.next_rip);
    OFFSET(VMCB_CPL, struct vmcb, save.cpl);
    OFFSET(VMCB_RFLAGS, struct vmcb, save.rflags);
    OFFSET(VMCB_RIP, struct vmcb, save.rip);
    OFFSET(VMCB_RAX, struct vmcb, save.rax);
    CONSTANT(SVM_EXIT_CPUID, SVM_EXIT_CPUID);
    CONSTANT(SVM_EXIT_IOIO, SVM_EXIT_IOIO);
    CONSTANT(SVM_EXIT_MSR, SVM_EXIT_MSR);
    CONSTANT(SVM_EXIT_VMMCALL, SVM_EXIT_VMMCALL);
    CONSTANT(SVM_EXIT_NPF, SVM_EXIT_NPF);
    CONSTANT(SVM_EXIT_INTR, SVM_EXIT_INTR);
    OFFSET(VCPU_HOST_RSP, struct vcpu, host_rsp);
    OFFSET(VCPU_FAST_LEFT, struct vcpu, fast_left);
}
