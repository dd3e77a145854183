/*
 * A second CPU's way from its start-up message (real mode, CS:IP = page:0) to secondary_main() on its own stack and on
 * the tables of the first CPU. The code is copied to SECONDARY_PAGE; its addresses are reckoned from there.
 */
#define SECONDARY_PAGE 0x8000
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define AT(label) (label - secondary_code + SECONDARY_PAGE)

        .section .rodata
        .balign 16
        .globl secondary_code, secondary_code_end
secondary_code:
        .code16
        cli
        cld
        xorl %eax, %eax
        movw %ax, %ds
        lgdtl AT(gdt_pointer)
        movl $CR4_PAE, %eax
        movl %eax, %cr4
        movl AT(tables), %eax
        movl %eax, %cr3
        movl $MSR_EFER, %ecx
        rdmsr
        orl $EFER_LME, %eax
        wrmsr
        movl %cr0, %eax
        orl $(CR0_PG | CR0_PE), %eax
        movl %eax, %cr0
        ljmpl $8, $AT(long_mode)

        .code64
long_mode:
        movl $16, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movl AT(stack), %esp
        movl AT(start), %eax
        call *%rax
1:      cli
        hlt
        jmp 1b

        .balign 8
gdt:    .quad 0
        .quad 0x00af9b000000ffff /* 64-bit code */
        .quad 0x00cf93000000ffff /* data */
gdt_pointer:
        .word gdt_pointer - gdt - 1
        .long AT(gdt)
        .balign 4
        /* struct secondary_arguments of smp.c, the last thing in the copy. */
        .globl secondary_arguments
secondary_arguments:
tables: .long 0
stack:  .long 0
start:  .long 0
secondary_code_end:

        .section .note.GNU-stack, "", @progbits
