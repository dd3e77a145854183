/*
 * The loops of wide.c, once for each width of register: blocks of 32 registers, stored past the caches. The registers that
 * are used, whole, are kept on the stack meanwhile, since they hold a guest's values.
 *
 * void wide_zero_WIDTH(void *to, const void *ignored, size_t blocks)
 * void wide_copy_WIDTH(void *to, const void *from, size_t blocks)
 */
    .text

/* The name of a width's register, its loads and stores, and the XOR that clears it. */
.macro LOOPS width, bytes, reg, load, load_any, store, stream, clear:vararg
    .globl wide_zero_\width, wide_copy_\width
    .balign 16
wide_zero_\width:
    push %rbp
    mov %rsp, %rbp
    sub $\bytes, %rsp
    and $-64, %rsp
    \store %\reg\()0, (%rsp)
    \clear
1:  .set at, 0
    .rept 32
    \stream %\reg\()0, at(%rdi)
    .set at, at + \bytes
    .endr
    add $(32 * \bytes), %rdi
    dec %rdx
    jnz 1b
    sfence
    \load (%rsp), %\reg\()0
    leave
    ret

    .balign 16
wide_copy_\width:
    push %rbp
    mov %rsp, %rbp
    sub $(4 * \bytes), %rsp
    and $-64, %rsp
    \store %\reg\()0, (%rsp)
    \store %\reg\()1, \bytes(%rsp)
    \store %\reg\()2, (2 * \bytes)(%rsp)
    \store %\reg\()3, (3 * \bytes)(%rsp)
1:  mov $4, %ecx                        /* quarters of a block */
2:  .set at, 0
    .rept 2
    \load_any at(%rsi), %\reg\()0
    \load_any (at + \bytes)(%rsi), %\reg\()1
    \load_any (at + 2 * \bytes)(%rsi), %\reg\()2
    \load_any (at + 3 * \bytes)(%rsi), %\reg\()3
    \stream %\reg\()0, at(%rdi)
    \stream %\reg\()1, (at + \bytes)(%rdi)
    \stream %\reg\()2, (at + 2 * \bytes)(%rdi)
    \stream %\reg\()3, (at + 3 * \bytes)(%rdi)
    .set at, at + 4 * \bytes
    .endr
    add $(8 * \bytes), %rsi
    add $(8 * \bytes), %rdi
    dec %ecx
    jnz 2b
    dec %rdx
    jnz 1b
    sfence
    \load (%rsp), %\reg\()0
    \load \bytes(%rsp), %\reg\()1
    \load (2 * \bytes)(%rsp), %\reg\()2
    \load (3 * \bytes)(%rsp), %\reg\()3
    leave
    ret
.endm

    LOOPS 512, 64, zmm, vmovdqa64, vmovdqu64, vmovdqa64, vmovntdq, vpxorq %zmm0, %zmm0, %zmm0
    LOOPS 256, 32, ymm, vmovdqa, vmovdqu, vmovdqa, vmovntdq, vxorps %ymm0, %ymm0, %ymm0
    LOOPS 128, 16, xmm, movdqa, movdqu, movdqa, movntdq, pxor %xmm0, %xmm0

    .section .note.GNU-stack, "", @progbits
