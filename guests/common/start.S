/*
 * From the multiboot1 entry state (32-bit protected mode, paging off) to guest_main() in long mode, with the lowest
 * 4 GiB mapped one to one; and one entry stub for each of the 256 vectors. Everything else is in C.
 */
#define MULTIBOOT1_HEADER_MAGIC 0x1badb002
#define MULTIBOOT1_LOADER_MAGIC 0x2badb002
#define MULTIBOOT1_ALIGN_MODULES 1
#define MULTIBOOT1_MEMORY_INFO 2
#define HEADER_FLAGS (MULTIBOOT1_ALIGN_MODULES | MULTIBOOT1_MEMORY_INFO)

#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define PTE_TABLE 0x03 /* present, writable */
#define PTE_LARGE 0x83 /* present, writable, 2 MiB */
#define CODE_SELECTOR 8
#define DATA_SELECTOR 16

        .section .multiboot1, "a"
        .balign 4
        .long MULTIBOOT1_HEADER_MAGIC
        .long HEADER_FLAGS
        .long -(MULTIBOOT1_HEADER_MAGIC + HEADER_FLAGS)

        .section .text.start, "ax"
        .code32
        .globl guest_start
guest_start:
        cli
        cld
        cmpl $MULTIBOOT1_LOADER_MAGIC, %eax
        jne 9f
        movl $stack_top, %esp
        movl %ebx, %esi

        /* Four page directories of 512 pages of 2 MiB each, one after another: 4 GiB. */
        movl $directories, %edi
        movl $PTE_LARGE, %eax
        movl $2048, %ecx
1:      movl %eax, (%edi)
        movl $0, 4(%edi)
        addl $0x200000, %eax
        addl $8, %edi
        loop 1b
        movl $(directories + PTE_TABLE), %eax
        movl $guest_pdpt, %edi
        movl $4, %ecx
2:      movl %eax, (%edi)
        addl $0x1000, %eax
        addl $8, %edi
        loop 2b
        movl $(guest_pdpt + PTE_TABLE), %eax
        movl %eax, pml4

        movl %cr4, %eax
        orl $CR4_PAE, %eax
        movl %eax, %cr4
        movl $pml4, %eax
        movl %eax, %cr3
        movl $MSR_EFER, %ecx
        rdmsr
        orl $EFER_LME, %eax
        wrmsr
        movl %cr0, %eax
        orl $CR0_PG, %eax
        movl %eax, %cr0
        lgdt gdt_pointer
        ljmp $CODE_SELECTOR, $3f
9:      hlt
        jmp 9b

        .code64
3:      movl $DATA_SELECTOR, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        xorl %eax, %eax
        movl %eax, %fs
        movl %eax, %gs
        movl $stack_top, %esp
        movl %esi, %edi
        call guest_enter
4:      cli
        hlt
        jmp 4b

/* Vectors whose error code the CPU pushes itself; the others push 0 so that all frames look alike. */
        .macro stub vector
        .balign 16
        .if (\vector != 8) && ((\vector < 10) || (\vector > 14)) && (\vector != 17) && (\vector != 21)
        .if (\vector != 29) && (\vector != 30)
        pushq $0
        .endif
        .endif
        pushq $\vector
        jmp trap_common
        .endm

        .text
        .balign 16
        .globl trap_stubs
trap_stubs:
        .set current, 0
        .rept 256
        .altmacro
        stub %current
        .noaltmacro
        .set current, current + 1
        .endr

trap_common:
        pushq %rax
        pushq %rcx
        pushq %rdx
        pushq %rbx
        pushq %rbp
        pushq %rsi
        pushq %rdi
        pushq %r8
        pushq %r9
        pushq %r10
        pushq %r11
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, %rdi
        cld
        call trap_dispatch
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %r11
        popq %r10
        popq %r9
        popq %r8
        popq %rdi
        popq %rsi
        popq %rbp
        popq %rbx
        popq %rdx
        popq %rcx
        popq %rax
        addq $16, %rsp
        iretq

        .section .rodata
        .balign 8
gdt:
        .quad 0
        .quad 0x00af9b000000ffff /* 64-bit code */
        .quad 0x00cf93000000ffff /* data */
gdt_pointer:
        .word gdt_pointer - gdt - 1
        .long gdt

        .bss
        .balign 4096
pml4:   .skip 4096
        .globl guest_pdpt
guest_pdpt:
        .skip 4096
directories:
        .skip 4 * 4096
        .balign 16
        .skip 16384
stack_top:

        .section .note.GNU-stack, "", @progbits
