/*
 * uint64_t canary_registers(uint64_t pattern): fills the registers from the pattern, keeps them for some thousand
 * instructions without a memory access, and returns a bit for each that then has another value.
 */
#define ROUNDS 4000

        .text
        .globl canary_registers
canary_registers:
        pushq %rbx
        pushq %rbp
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        .set number, 0
        .irp register, rbx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        leaq number(%rdi), %\register
        .set number, number + 1
        .endr
        .set number, 0
        .irp register, xmm0, xmm1, xmm2, xmm3, xmm7, xmm8, xmm14, xmm15
        leaq 64 + number(%rdi), %rax
        movq %rax, %\register
        .set number, number + 1
        .endr
        movl $ROUNDS, %ecx
1:      decl %ecx
        jnz 1b
        xorl %eax, %eax
        .set number, 0
        .irp register, rbx, rdx, rsi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
        leaq number(%rdi), %rcx
        cmpq %rcx, %\register
        je 2f
        orq $(1 << number), %rax
2:
        .set number, number + 1
        .endr
        .set number, 0
        .irp register, xmm0, xmm1, xmm2, xmm3, xmm7, xmm8, xmm14, xmm15
        leaq 64 + number(%rdi), %rcx
        movq %\register, %rdx
        cmpq %rcx, %rdx
        je 2f
        orq $(1 << (16 + number)), %rax
2:
        .set number, number + 1
        .endr
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbp
        popq %rbx
        ret

        .section .note.GNU-stack, "", @progbits
