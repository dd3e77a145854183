/*
 * bool try_call(void (*code)(uint64_t), uint64_t argument): true when the code was left by an exception. The handler
 * continues at try_recover with RSP = try_stack.
 */
        .text
        .globl try_call
try_call:
        pushq %rbx
        pushq %rbp
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        pushfq
        movq %rsp, try_stack(%rip)
        movq %rdi, %rax
        movq %rsi, %rdi
        call *%rax
        xorl %eax, %eax
        jmp 1f
        .globl try_recover
try_recover:
        movl $1, %eax
1:      movq try_stack(%rip), %rsp
        movq $0, try_stack(%rip)
        movl $16, %ecx                  /* the data selector of start.S: the code may have loaded anything */
        movl %ecx, %ds
        movl %ecx, %es
        movl %ecx, %ss
        popfq
        cld
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbp
        popq %rbx
        ret

        .bss
        .balign 8
        .globl try_stack
try_stack:
        .skip 8

        .section .note.GNU-stack, "", @progbits
