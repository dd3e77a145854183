/*
 * Attacks from outside of 64-bit mode: protected mode with and without paging, virtual-8086 mode, real mode. All of it
 * ends or never comes back, so nothing is kept.
 */
#define CODE16 32
#define CODE32 24
#define DATA 16
#define DATA16 40
#define CODE32_USER 67 /* with RPL 3 */
#define DATA_USER 75
#define TSS32_A 80
#define TSS32_B 88
#define TASK_GATE 96
#define CR0_PE 1
#define CR0_AM 0x40000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define MSR_APIC_BASE 0x1b
#define APIC_BASE_X2APIC 0xc00
#define MSR_ICR 0x830
#define MSR_REFUSED 0x480
#define EFER_LME 0x100
#define EFLAGS_FIXED 2
#define EFLAGS_AC 0x40000
#define EFLAGS_VM 0x20000
#define EFLAGS_IOPL3 0x3000
#define IOAPIC 0xfec00000
#define OUTSIDE 0x20000000
#define UART 0x3f8
#define REAL_PAGE 0x8000
#define CPU_PAGE 0x9000
#define SHARED 0x6000

        .text
        .globl modes_leave, tables_landing, modes_argument
tables_landing:
        ud2
        jmp tables_landing

/* void modes_leave(uint32_t entry) */
modes_leave:
        movl %edi, %ebx
        pushq $CODE32
        pushq $1f
        lretq
        .code32
1:      movl $DATA, %eax
        movl %eax, %ds
        movl %eax, %es
        movl %eax, %ss
        movl %eax, %fs
        movl %eax, %gs
        movl $stack_top, %esp
        movl %cr0, %eax
        andl $~CR0_PG, %eax
        movl %eax, %cr0
        movl $MSR_EFER, %ecx
        rdmsr
        andl $~EFER_LME, %eax
        wrmsr
        jmp *%ebx

        .globl modes_task_jump, modes_task_gate, modes_task_return, modes_outside, modes_pae, modes_v86
        .globl modes_user_alignment, modes_to_real
/* Task switches: by a jump, by a gate, by IRET with the nested-task flag. */
modes_task_jump:
        movl $TSS32_A, %eax
        ltr %ax
        ljmp $TSS32_B, $0
modes_task_gate:
        movl $TSS32_A, %eax
        ltr %ax
        lcall $TASK_GATE, $0
modes_task_return:
        movl $TSS32_A, %eax
        ltr %ax
        pushfl
        orl $0x4000, (%esp)
        popfl
        iretl

/* No paging: the linear address is the guest-physical one. */
modes_outside:
        movl modes_argument, %eax
        movl (%eax), %eax
        ud2

/* PAE tables at an address that is not RAM. */
modes_pae:
        movl modes_argument, %eax
        movl %eax, %cr3
        movl %cr4, %eax
        orl $CR4_PAE, %eax
        movl %eax, %cr4
        movl %cr0, %eax
        orl $CR0_PG, %eax
        movl %eax, %cr0
        ud2

/* Virtual-8086 mode: CS:IP = REAL_PAGE:0, flags in modes_argument. */
modes_v86:
        movl $no_idt, %eax
        lidt (%eax)
        pushl $0
        pushl $0
        pushl $0
        pushl $0
        pushl $0
        pushl $0x7000
        movl modes_argument, %eax
        orl $(EFLAGS_VM | EFLAGS_FIXED), %eax
        pushl %eax
        pushl $(REAL_PAGE >> 4)
        pushl $(v86_code - modes_real_code)
        iretl

/* Alignment checks whose handler runs on the misaligned stack that caused them. */
modes_user_alignment:
        movl $user_handler, %eax
        movw %ax, idt32 + 17 * 8
        shrl $16, %eax
        movw %ax, idt32 + 17 * 8 + 6
        movw $CODE32_USER, idt32 + 17 * 8 + 2
        movw $0xee00, idt32 + 17 * 8 + 4
        movl $idt32_pointer, %eax
        lidt (%eax)
        movl %cr0, %eax
        orl $CR0_AM, %eax
        movl %eax, %cr0
        pushl $DATA_USER
        pushl $(user_stack_top - 1)
        pushl $(EFLAGS_AC | EFLAGS_FIXED)
        pushl $CODE32_USER
        pushl $user_code
        iretl
user_code:
        movl $DATA_USER, %eax
        movl %eax, %ds
        movl user_stack_top - 63, %eax
        jmp user_code
user_handler:
        jmp user_handler

modes_to_real:
        ljmp $CODE16, $REAL_PAGE

/* Copied to REAL_PAGE. Only addresses relative to its start, plus REAL_PAGE, may be used. */
        .globl modes_real_code, modes_real_end
        .code16
modes_real_code:
        movw $DATA, %ax                 /* a limit of 4 GiB that stays when PE goes */
        movw %ax, %fs
        movw $DATA16, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        movw $0x7000, %sp
        movl %cr0, %eax
        andl $~CR0_PE, %eax
        movl %eax, %cr0
        ljmp $0, $(1f - modes_real_code + REAL_PAGE)
1:      xorw %ax, %ax
        movw %ax, %ds
        movw %ax, %es
        movw %ax, %ss
        lidtw real_idt - modes_real_code + REAL_PAGE
        movw SHARED, %ax
        cmpw $0, %ax
        je real_wander
        cmpw $1, %ax
        je real_triple_fault
        cmpw $2, %ax
        je real_device
        cmpw $3, %ax
        je real_outside
        cmpw $4, %ax
        je real_refused_msr
real_spin:
        cli
1:      jmp 1b

/* The vector table is all zeros: execution goes on at 0 and walks through whatever lies there. */
real_wander:
        sti
        int $0x13
        jmp real_wander
real_triple_fault:
        lidtw no_real_idt - modes_real_code + REAL_PAGE
        int3
real_device:
        movl $IOAPIC, %esi
        movl $1, %fs:(%esi)
        movl %fs:(%esi), %eax
        cmpl $1, %eax
        jne real_spin
        jmp say_pass
real_outside:
        movl $OUTSIDE, %esi
        movl %fs:(%esi), %eax
        jmp say_pass
real_refused_msr:
        movw $(say_pass - modes_real_code + REAL_PAGE), 13 * 4
        movw $0, 13 * 4 + 2
        movl $MSR_REFUSED, %ecx
        rdmsr
        jmp real_spin

say_pass:
        xorw %ax, %ax
        movw %ax, %ds
        movw $(text - modes_real_code + REAL_PAGE), %si
        movw $UART, %dx
        cld
1:      lodsb
        testb %al, %al
        jz 2f
        outb %al, %dx
        jmp 1b
2:      cli
        hlt
        jmp 2b
text:   .asciz "hostile: PASS in real mode\r\n"

v86_code:
        movw $UART, %dx
        inb %dx, %al
        cli
1:      jmp 1b
        .balign 4
real_idt:
        .word 0x3ff
        .long 0
no_real_idt:
        .word 0
        .long 0
modes_real_end:

/* Copied to CPU_PAGE: where a start-up message lets another CPU begin. Offsets of struct modes_shared. */
        .globl modes_cpu_code, modes_cpu_end
modes_cpu_code:
        cli
        xorw %ax, %ax
        movw %ax, %ds
        movw SHARED, %ax
        cmpw $1, %ax
        je cpu_triple_fault
        cmpw $2, %ax
        je cpu_send
        cmpw $3, %ax
        je cpu_flip
        cmpw $4, %ax
        je cpu_halt
1:      incl SHARED + 4
        jmp 1b
cpu_triple_fault:
        incl SHARED + 4
        movw $0, 0x7000
        movl $0, 0x7002
        lidtw 0x7000
        int3
cpu_send:                               /* real mode does not reach the registers in memory */
        movl $MSR_APIC_BASE, %ecx
        rdmsr
        orl $APIC_BASE_X2APIC, %eax
        wrmsr
3:      movl $MSR_ICR, %ecx
        movl SHARED + 8, %eax
        movl SHARED + 12, %edx
        wrmsr
        incl SHARED + 4
        jmp 3b
cpu_flip:
        movl SHARED + 16, %ebx
1:      movl SHARED + 20, %eax
        movl %eax, (%ebx)
        movl SHARED + 24, %eax
        movl %eax, (%ebx)
        incl SHARED + 4
        jmp 1b
cpu_halt:
        incl SHARED + 4
1:      hlt
        jmp 1b
modes_cpu_end:

        .section .rodata
        .balign 4
no_idt: .word 0
        .long 0
idt32_pointer:
        .word 32 * 8 - 1
        .long idt32

        .bss
        .balign 8
idt32:  .skip 32 * 8
modes_argument:
        .skip 4
        .balign 16
        .skip 4096
user_stack_top:
        .skip 64
        .balign 16
        .skip 4096
stack_top:

        .section .note.GNU-stack, "", @progbits
