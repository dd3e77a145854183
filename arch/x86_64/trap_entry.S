/*
 * 32 stubs of 16 bytes, which make every exception look alike on the way into trap_handle, and one more: interrupts are only
 * acknowledged, and which of them it was does not matter.
 */
    .text
    .globl trap_stubs
    .balign 16
trap_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    /* The CPU itself pushes an error code for 8, 10-14, 17, 21, 29 and 30. */
    .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
    .else
    push $0
    .endif
    push $vector
    jmp trap_common
    .set vector, vector + 1
    .endr
    .org trap_stubs + 32 * 16           /* trap.c counts on it: a larger stub would have passed it */

/* The CPU aligns the stack before it pushes its five words; these nine align it again. */
trap_interrupt:
    cld
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    call apic_interrupted
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    iretq

    .balign 16
trap_common:
    cld
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call trap_handle
    mov %rbp, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp
    iretq

/*
 * While pending interrupts of a guest are drained: any vector is an interrupt without error code, whatever number it has.
 */
    .globl trap_drain_stub
    .balign 16
trap_drain_stub:
    cld
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    call apic_drained_one           /* RSP is a multiple of 16: the CPU aligned it, 5 + 9 words ago */
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    iretq

/*
 * Instructions that may be refused with #GP: trap_handle continues at the _fault label, where the answer is "false".
 * bool trap_msr_read(uint32_t number, uint64_t *out)
 */
    .globl trap_msr_read, trap_msr_read_try, trap_msr_write, trap_msr_write_try, trap_xsetbv, trap_xsetbv_try, trap_fault
trap_msr_read:
    mov %edi, %ecx
trap_msr_read_try:
    rdmsr
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, (%rsi)
    mov $1, %eax
    ret

/* bool trap_msr_write(uint32_t number, uint64_t value) */
trap_msr_write:
    mov %edi, %ecx
    mov %esi, %eax
    mov %rsi, %rdx
    shr $32, %rdx
trap_msr_write_try:
    wrmsr
    mov $1, %eax
    ret

/* bool trap_xsetbv(uint64_t xcr0) */
trap_xsetbv:
    xor %ecx, %ecx
    mov %edi, %eax
    mov %rdi, %rdx
    shr $32, %rdx
trap_xsetbv_try:
    xsetbv
    mov $1, %eax
    ret

trap_fault:
    xor %eax, %eax
    ret

/* void trap_nmi_unblock(void): an IRET to the next instruction ends the blocking of NMIs. */
    .globl trap_nmi_unblock
trap_nmi_unblock:
    mov %rsp, %rax
    mov %ss, %ecx
    push %rcx
    push %rax
    pushfq
    mov %cs, %ecx
    push %rcx
    lea 1f(%rip), %rcx
    push %rcx
    iretq
1:  ret

/*
 * void trap_idle(void): HLT until an NMI, unless one has been announced in percpu.kicked.
 * RFLAGS.IF is 0: nothing but an NMI (or INIT, SMI) ends the HLT.
 */
    .globl trap_idle, trap_idle_begin, trap_idle_end
#include "offsets.h"
trap_idle:
trap_idle_begin:
    cmpl $0, %gs:PERCPU_KICKED
    jne trap_idle_end
    hlt
trap_idle_end:
    ret

/* void trap_wait(void): the same with interrupts let in. STI holds them back until the HLT, so none falls in between. */
    .globl trap_wait, trap_wait_begin, trap_wait_end
trap_wait:
trap_wait_begin:
    cmpl $0, %gs:PERCPU_KICKED
    jne trap_wait_end
    sti
    hlt
trap_wait_end:
    cli
    ret

    .section .note.GNU-stack, "", @progbits
