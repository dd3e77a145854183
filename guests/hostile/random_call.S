/*
 * void random_call(uint64_t code): all registers but RSP from random_registers, then the code. It is left by its RET or
 * by an exception; try_call keeps what the caller needs.
 */
        .text
        .globl random_call
random_call:
        pushq %rdi
        leaq random_registers(%rip), %rax
        movq 0x08(%rax), %rcx
        movq 0x10(%rax), %rdx
        movq 0x18(%rax), %rbx
        movq 0x28(%rax), %rbp
        movq 0x30(%rax), %rsi
        movq 0x38(%rax), %rdi
        movq 0x40(%rax), %r8
        movq 0x48(%rax), %r9
        movq 0x50(%rax), %r10
        movq 0x58(%rax), %r11
        movq 0x60(%rax), %r12
        movq 0x68(%rax), %r13
        movq 0x70(%rax), %r14
        movq 0x78(%rax), %r15
        movq 0x00(%rax), %rax
        ret                             /* into the code, whose own RET returns to the caller */

        .section .note.GNU-stack, "", @progbits
