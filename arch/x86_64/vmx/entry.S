/*
 * Into the guest and back.
 *
 * HOST_RSP points just past vcpu->gpr: at an exit RSP is the vCPU's address + 128, every register of it within reach, and
 * no register has to be free to find it. NMI, #DF and #MC have stacks of their own and cannot disturb it. The
 * hypervisor's own stack is found again in vcpu->host_rsp.
 *
 * The fast path answers the hottest exits before anything general is touched: the registers that it does not use stay the guest's.
 * Its budget, in instructions from the guest's own to the guest's next, which `make bench` checks:
 *     hypercall 0   31      CPUID, cached leaf   39      RDMSR, WRMSR of a constant   about 60 (vmx/fast_msr.c)
 */
#include "offsets.h"
#include "arch/x86_64/vmx/exit_reason.h"
#include "arch/x86_64/vmx/fields.h"

#if VCPU_GPR != 0
#error "the exit path takes the stack pointer for the vCPU"
#endif

#define GPR(i) (8 * (i) - 128)(%rsp)
#define RAX 0
#define RCX 1
#define RDX 2
#define RBX 3
#define RBP 5
#define RSI 6
#define RDI 7
#define FIELD(offset) (offset - 128)(%rsp)

    .text
    .balign 16
    .globl vmx_enter
/* enum vmx_entered vmx_enter(struct vcpu *vcpu, bool launched) */
vmx_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, VCPU_HOST_RSP(%rdi)
window_full:
    cmpl $0, %gs:PERCPU_KICKED          /* an NMI from here to the entry lands at kicked_full */
    jne kicked_full
    test %sil, %sil
    mov 8 * RAX(%rdi), %rax
    mov 8 * RCX(%rdi), %rcx
    mov 8 * RDX(%rdi), %rdx
    mov 8 * RBX(%rdi), %rbx
    mov 8 * RBP(%rdi), %rbp
    mov 8 * RSI(%rdi), %rsi
    mov 8 * 8(%rdi), %r8
    mov 8 * 9(%rdi), %r9
    mov 8 * 10(%rdi), %r10
    mov 8 * 11(%rdi), %r11
    mov 8 * 12(%rdi), %r12
    mov 8 * 13(%rdi), %r13
    mov 8 * 14(%rdi), %r14
    mov 8 * 15(%rdi), %r15
    mov 8 * RDI(%rdi), %rdi
    jz 1f
    vmresume
    jmp window_full_end
1:  vmlaunch
window_full_end:
    mov $1, %eax                        /* VMX_FAILED: the vCPU's registers in memory are untouched */
    jmp leave_full
kicked_full:
    mov $2, %eax                        /* VMX_KICKED: the same */
leave_full:
    mov %gs:PERCPU_VCPU, %rdi
    mov VCPU_HOST_RSP(%rdi), %rsp
    jmp return

    .balign 16
    .globl vmx_exit_landing
vmx_exit_landing:
    mov %rax, GPR(RAX)
    mov %rcx, GPR(RCX)
    mov %rdx, GPR(RDX)
    mov $VMCS_EXIT_REASON, %eax
    vmread %rax, %rax
    cmp $VMX_REASON_VMCALL, %eax
    je fast_hypercall
    cmp $VMX_REASON_CPUID, %eax
    je fast_cpuid
    lea -VMX_REASON_RDMSR(%rax), %ecx
    cmp $(VMX_REASON_WRMSR - VMX_REASON_RDMSR), %ecx
    jbe fast_msr
    jmp slow

/* Moves the guest past its instruction: what vmx_backend_advance does. Anything out of the ordinary goes the slow way. */
.macro ADVANCE_OR slow
    mov $VMCS_GUEST_RFLAGS, %eax
    vmread %rax, %rax
    test $(1 << 8), %eax                /* TF: the guest wants a #DB after this instruction */
    jnz \slow
    mov $VMCS_GUEST_INTERRUPTIBILITY, %eax
    vmread %rax, %rax
    test $3, %al                        /* shadow of STI or MOV SS: ends with this instruction */
    jnz \slow
    mov $VMCS_EXIT_LENGTH, %eax
    vmread %rax, %rax
    mov $VMCS_GUEST_RIP, %ecx
    vmread %rcx, %rdx
    add %rax, %rdx
    vmwrite %rdx, %rcx
.endm

fast_hypercall:
    cmpq $0, GPR(RAX)                   /* HYPERCALL_NOTHING answers itself */
    jne slow
    ADVANCE_OR slow
    incq FIELD(VCPU_EXITS_HYPERCALL)
    xor %eax, %eax
    mov GPR(RCX), %rcx
    mov GPR(RDX), %rdx
    jmp resume

fast_cpuid:
    mov GPR(RAX), %eax
    cmp $(CPUID_CACHE_LEAVES - 1), %eax
    ja slow
    bt %eax, FIELD(VCPU_CPUID_VALID)
    jnc slow
    ADVANCE_OR slow
    incq FIELD(VCPU_EXITS_CPUID)
    mov GPR(RAX), %edx
    shl $4, %edx
    lea FIELD(VCPU_CPUID_REGS), %rcx
    add %rcx, %rdx
    mov 0(%rdx), %eax
    mov 4(%rdx), %ebx
    mov 8(%rdx), %ecx
    mov 12(%rdx), %edx
/* All of the guest's registers are in the CPU. An NMI from here to the entry lands at kicked_fast. */
resume:
    cmpl $0, %gs:PERCPU_KICKED
    jne kicked_fast
    vmresume
resume_end:
    jmp slow_failed

/* RDMSR, WRMSR: a leaf function that keeps every register but RAX decides; 0: the slow way. */
fast_msr:
    mov %rdi, GPR(RDI)
    mov %rsi, GPR(RSI)
    mov %eax, %esi
    lea -128(%rsp), %rdi
    mov VCPU_HOST_RSP(%rdi), %rsp
    call vmx_fast_msr
    lea 128(%rdi), %rsp
    mov GPR(RDI), %rdi
    mov GPR(RSI), %rsi
    test %al, %al
    jz slow
    ADVANCE_OR slow
    mov GPR(RAX), %rax
    mov GPR(RCX), %rcx
    mov GPR(RDX), %rdx
    jmp resume

/* Everything else: all registers are saved, and vmx_enter returns. */
slow:
    mov GPR(RAX), %rax
    mov GPR(RCX), %rcx
    mov GPR(RDX), %rdx
    push %r15
    xor %r15d, %r15d                    /* VMX_EXITED */
    jmp save
kicked_fast:
    push %r15
    mov $2, %r15d                       /* VMX_KICKED */
    jmp save
slow_failed:
    push %r15
    mov $1, %r15d                       /* VMX_FAILED */
save:
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push %rdi
    push %rsi
    push %rbp
    push %rax                           /* the slot of RSP, which is in the VMCS */
    push %rbx
    push %rdx
    push %rcx
    push %rax
    mov %r15d, %eax
    mov VCPU_HOST_RSP(%rsp), %rsp
return:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .rodata
    .balign 8
    .globl trap_entry_windows, trap_entry_windows_end
trap_entry_windows:
    .quad window_full, window_full_end, kicked_full
    .quad resume, resume_end, kicked_fast
trap_entry_windows_end:

    .section .note.GNU-stack, "", @progbits
