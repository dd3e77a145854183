/*
 * Into the guest and back. vCPU registers are only moved here; what they mean is exit.c's business.
 *
 * HOST_RSP points just past vcpu->gpr, so that the pushes at an exit fill that array and need no free register; NMI,
 * #DF and #MC have stacks of their own and cannot disturb it. The hypervisor's stack is found again in vcpu->host_rsp.
 */
#include "offsets.h"

#if VCPU_GPR != 0
#error "the exit path takes the stack pointer for the vCPU"
#endif

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
vmx_window_begin:
    cmpl $0, %gs:PERCPU_KICKED          /* an NMI from here to the entry lands at vmx_kicked */
    jne vmx_kicked
    test %sil, %sil
    mov 0x00(%rdi), %rax
    mov 0x08(%rdi), %rcx
    mov 0x10(%rdi), %rdx
    mov 0x18(%rdi), %rbx
    mov 0x28(%rdi), %rbp
    mov 0x30(%rdi), %rsi
    mov 0x40(%rdi), %r8
    mov 0x48(%rdi), %r9
    mov 0x50(%rdi), %r10
    mov 0x58(%rdi), %r11
    mov 0x60(%rdi), %r12
    mov 0x68(%rdi), %r13
    mov 0x70(%rdi), %r14
    mov 0x78(%rdi), %r15
    mov 0x38(%rdi), %rdi
    jz 1f
    vmresume
    jmp 2f
1:  vmlaunch
vmx_window_end:
2:  mov $1, %eax                        /* VMX_FAILED: the vCPU's registers in memory are untouched */
    jmp leave

vmx_kicked:
    mov $2, %eax                        /* VMX_KICKED: the same */
leave:
    mov %gs:PERCPU_VCPU, %rdi
    mov VCPU_HOST_RSP(%rdi), %rsp
    jmp restore

    .balign 16
    .globl vmx_exit_landing
vmx_exit_landing:
    push %r15
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
    mov VCPU_HOST_RSP(%rsp), %rsp
    xor %eax, %eax                      /* VMX_EXITED */
restore:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .rodata
    .balign 8
    .globl trap_entry_window
trap_entry_window:
    .quad vmx_window_begin, vmx_window_end, vmx_kicked

    .section .note.GNU-stack, "", @progbits
