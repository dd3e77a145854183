/*
 * 32 stubs of 16 bytes, which make every exception look alike on the way into trap_handle, and one more: interrupts are only
 * acknowledged, and which of them it was does not matter.
 */
#include "arch/x86_64/registers.h"
#include "offsets.h"

    .text
    .globl trap_stubs
    .balign 16
trap_stubs:
    .set vector, 0
    .rept EXCEPTIONS
    .balign 16
    .if ((EXCEPTIONS_WITH_ERROR >> vector) & 1) == 0
    push $0                             /* where the CPU itself pushes an error code for others */
    .endif
    push $vector
    jmp trap_common
    .set vector, vector + 1
    .endr
    .org trap_stubs + EXCEPTIONS * 16           /* trap.c counts on it: a larger stub would have passed it */

/*
 * An interrupt without error code, whatever number it has. The CPU aligns the stack before it pushes its five words; the
 * nine of VOLATILE align it again.
 */
.macro INTERRUPT handler
    cld
    PUSH_EACH VOLATILE
    call \handler
    POP_EACH VOLATILE
    iretq
.endm

trap_interrupt:
    INTERRUPT apic_interrupted

/* While pending interrupts of a guest are drained. */
    .globl trap_drain_stub
    .balign 16
trap_drain_stub:
    INTERRUPT apic_drained_one

/* struct trap_frame, from its end on. */
#define FRAME rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15

    .balign 16
trap_common:
    cld
    PUSH_EACH FRAME
    mov %rsp, %rdi
    mov %rsp, %rbp
    and $-16, %rsp
    call trap_handle
    mov %rbp, %rsp
    POP_EACH FRAME
    add $16, %rsp
    iretq

/* An instruction that may be refused with #GP: the function answers "false" then. */
.macro MAY_FAULT instruction
1:  \instruction
2:  TRAP_WINDOW VECTOR_GP, 1b, 2b, trap_fault
.endm

/* bool cpu_msr_read(uint32_t number, uint64_t *out) */
    .globl cpu_msr_read, cpu_msr_write, trap_xsetbv
cpu_msr_read:
    mov %edi, %ecx
    MAY_FAULT rdmsr
    shl $32, %rdx
    or %rdx, %rax
    mov %rax, (%rsi)
    mov $1, %eax
    ret

/* bool cpu_msr_write(uint32_t number, uint64_t value) */
cpu_msr_write:
    mov %edi, %ecx
    mov %esi, %eax
    mov %rsi, %rdx
    shr $32, %rdx
    MAY_FAULT wrmsr
    mov $1, %eax
    ret

/* bool trap_xsetbv(uint64_t xcr0) */
trap_xsetbv:
    xor %ecx, %ecx
    mov %edi, %eax
    mov %rdi, %rdx
    shr $32, %rdx
    MAY_FAULT xsetbv
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
    .globl trap_idle
trap_idle:
    cmpl $0, %gs:PERCPU_KICKED
    jne 1f
    hlt
1:  ret
    TRAP_WINDOW VECTOR_NMI, trap_idle, 1b, 1b

/* void trap_wait(void): the same with interrupts let in. STI holds them back until the HLT, so none falls in between. */
    .globl trap_wait
trap_wait:
    cmpl $0, %gs:PERCPU_KICKED
    jne 1f
    sti
    hlt
1:  cli
    ret
    TRAP_WINDOW VECTOR_NMI, trap_wait, 1b, 1b

    .section .note.GNU-stack, "", @progbits
