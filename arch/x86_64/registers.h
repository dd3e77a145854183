/*
 * For assembly: several registers in one line, and what a trap has to know of the code.
 */
#pragma once

/* Registers that a C function may change; those that it keeps, beside RSP. */
#define VOLATILE  rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
#define PRESERVED rbx, rbp, r12, r13, r14, r15

.macro PUSH_EACH registers:vararg
    .irp register, \registers
    push %\register
    .endr
.endm

/* What PUSH_EACH of the same registers has pushed: the last one first. */
.macro POP_EACH first, rest:vararg
    .ifnb \rest
    POP_EACH \rest
    .endif
    pop %\first
.endm

/* A trap of `vector` at an instruction from `begin` up to `end` goes on at `resume`: struct trap_window of trap.h. */
.macro TRAP_WINDOW vector, begin, end, resume
    .pushsection .rodata.trap_windows, "a", @progbits
    .quad \vector, \begin, \end, \resume
    .popsection
.endm
