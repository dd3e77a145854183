/*
 * For assembly: several registers in one line, and what a trap has to know of the code.
 */
#pragma once

/*
 * Registers that a C function may change, and without the three that exits work with (RDI last: they may be loaded by way
 * of it); those that it keeps, beside RSP.
 */
#define VOLATILE        rax, rcx, rdx, rsi, rdi, r8, r9, r10, r11
#define VOLATILE_OTHERS rsi, r8, r9, r10, r11, rdi
#define PRESERVED       rbx, rbp, r12, r13, r14, r15

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

/* gpr_rax, gpr_rcx...: offsets in vcpu.gpr, whose order is the manuals'. */
.set gpr_next, 0
.irp register, rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
.set gpr_\register, gpr_next
.set gpr_next, gpr_next + 8
.endr

/* Between the CPU and vcpu.gpr, which begins at `offset` from the register `base`. */
.macro SAVE_EACH offset, base, registers:vararg
    .irp register, \registers
    mov %\register, (\offset + gpr_\register)(\base)
    .endr
.endm
.macro LOAD_EACH offset, base, registers:vararg
    .irp register, \registers
    mov (\offset + gpr_\register)(\base), %\register
    .endr
.endm

/* A trap of `vector` at an instruction from `begin` up to `end` goes on at `resume`: struct trap_window of trap.h. */
.macro TRAP_WINDOW vector, begin, end, resume
    .pushsection .rodata.trap_windows, "a", @progbits
    .quad \vector, \begin, \end, \resume
    .popsection
.endm
