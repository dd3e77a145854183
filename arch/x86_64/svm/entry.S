/*
 * Into the guest and back. vCPU registers are only moved here; what they mean is exit.c's business.
 *
 * VMRUN and #VMEXIT move RAX and RSP themselves. Between CLGI and STGI nothing can interrupt: not even an NMI, which
 * would need the GS base and the task register that VMLOAD has given to the guest.
 */
#include "offsets.h"

#if VCPU_GPR != 0
#error "the registers are stored from the vCPU's address on"
#endif

    .text
    .balign 16
    .globl svm_enter
/* enum svm_entered svm_enter(struct vcpu *vcpu, uint64_t guest_vmcb, uint64_t host_vmcb) */
svm_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdx
    push %rdi
    clgi
    cmpl $0, %gs:PERCPU_KICKED
    jne svm_kicked
    sti                                 /* with V_INTR_MASKING on this flag lets physical interrupts end the guest */
    mov %rsi, %rax
    vmload %rax
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
    vmrun %rax
    cli
    vmsave %rax                         /* the guest's; #VMEXIT has put back our RAX, RSP and flags */
    mov 8(%rsp), %rax
    vmload %rax                         /* the host's: GS base and task register are right again */
    mov (%rsp), %rax
    mov %rcx, 0x08(%rax)
    mov %rdx, 0x10(%rax)
    mov %rbx, 0x18(%rax)
    mov %rbp, 0x28(%rax)
    mov %rsi, 0x30(%rax)
    mov %rdi, 0x38(%rax)
    mov %r8, 0x40(%rax)
    mov %r9, 0x48(%rax)
    mov %r10, 0x50(%rax)
    mov %r11, 0x58(%rax)
    mov %r12, 0x60(%rax)
    mov %r13, 0x68(%rax)
    mov %r14, 0x70(%rax)
    mov %r15, 0x78(%rax)
    stgi                                /* an NMI that ended the guest is taken here, by trap.c */
    xor %eax, %eax                      /* SVM_EXITED */
    jmp svm_leave

svm_kicked:
    stgi
    mov $1, %eax                        /* SVM_KICKED: the vCPU's registers in memory are untouched */
svm_leave:
    add $16, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .note.GNU-stack, "", @progbits
