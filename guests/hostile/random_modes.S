/*
 * Random code outside of 64-bit mode: one handler behind every vector, which goes on at the next random place. What
 * the code does to the handler, its stack and its tables is not repaired: the partition is restarted often enough.
 * Offsets are those of struct random_modes.
 */
#define CODE16 32
#define DATA16 40
#define CODE32 24
#define DATA 16
#define TSS32 80
#define CR0_PE 1
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_X2APIC_EOI 0x80b
#define FLAGS_IF 0x202
#define FLAGS_V86 0x23202               /* VM, IOPL 3, IF */
#define FACTOR 1664525                  /* a generator of 32 bits: Numerical Recipes, "Quick and Dirty Generators" */
#define SUMMAND 1013904223
#define REAL_PAGE 0x8000
#define SHARED 0x5000
#define KIND SHARED
#define SEED (SHARED + 4)
#define COUNTER (SHARED + 8)
#define PDPT (SHARED + 12)
#define REGISTERS (SHARED + 16)
#define CODE 0x10000                    /* 64 KiB of it */
#define KIND_V86 3
#define KIND_PROTECTED_16 4
#define KIND_PAE 2

        /* The next place in EAX; in ESI the address of seven registers' values. */
        .macro next
        movl $MSR_X2APIC_EOI, %ecx
        xorl %eax, %eax
        xorl %edx, %edx
        wrmsr
        incl COUNTER
        imull $FACTOR, SEED, %eax
        addl $SUMMAND, %eax
        movl %eax, SEED
        movl %eax, %esi
        shrl $16, %eax
        andl $0x7c, %esi
        addl $REGISTERS, %esi
        .endm

        .macro load_registers
        movl 0(%esi), %eax
        movl 4(%esi), %ebx
        movl 8(%esi), %ecx
        movl 12(%esi), %edx
        movl 16(%esi), %ebp
        movl 20(%esi), %edi
        movl 24(%esi), %esi
        .endm

        .text
        .globl random_modes_protected, random_modes_handler, random_modes_real
        .code32
random_modes_protected:
        movl $random_modes_idt_pointer, %eax
        lidt (%eax)
        movl $TSS32, %eax
        ltr %ax
        cmpl $KIND_PAE, KIND
        jne random_modes_handler
        movl PDPT, %eax
        movl %eax, %cr3
        movl %cr4, %eax
        orl $CR4_PAE, %eax
        movl %eax, %cr4
        movl %cr0, %eax
        orl $CR0_PG, %eax
        movl %eax, %cr0
random_modes_handler:
        cli
        cld
        movl $DATA, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movl $random_modes_stack_top, %esp
        next
        cmpl $KIND_V86, KIND
        je 2f
        pushl $FLAGS_IF
        cmpl $KIND_PROTECTED_16, KIND
        je 1f
        addl $CODE, %eax
        pushl $CODE32
        pushl %eax
        load_registers
        iretl
1:      pushl $CODE16
        pushl %eax
        load_registers
        iretl
2:      pushl $0                        /* GS, FS, DS, ES, SS, ESP */
        pushl $0
        pushl $0
        pushl $0
        pushl $0
        pushl $0x7000
        pushl $FLAGS_V86
        pushl $(CODE >> 4)
        pushl %eax
        load_registers
        iretl

random_modes_real:
        ljmp $CODE16, $REAL_PAGE

/* Copied to REAL_PAGE. */
        .globl random_modes_real_code, random_modes_real_handler, random_modes_real_end
        .code16
random_modes_real_code:
        movw $DATA16, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movl %cr0, %eax
        andl $~CR0_PE, %eax
        movl %eax, %cr0
        ljmp $0, $(1f - random_modes_real_code + REAL_PAGE)
1:      xorw %ax, %ax
        movw %ax, %ds
        lidtw 2f - random_modes_real_code + REAL_PAGE
random_modes_real_handler:
        cli
        cld
        xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movw $0x7000, %sp
        next
        pushw $FLAGS_IF
        pushw $(CODE >> 4)
        pushw %ax
        load_registers
        iretw
2:      .word 0x3ff
        .long 0
random_modes_real_end:

        .section .rodata
        .balign 4
random_modes_idt_pointer:
        .word 256 * 8 - 1
        .long random_modes_idt

        .bss
        .balign 16
        .globl random_modes_idt
random_modes_idt:
        .skip 256 * 8
        .skip 4096
random_modes_stack_top:

        .section .note.GNU-stack, "", @progbits
