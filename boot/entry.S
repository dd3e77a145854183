/*
 * From GRUB's jump (Multiboot2 specification, "I386 machine state") to boot_main in 64-bit mode.
 *
 * The tables built here map the image alone, read-write-execute, for the few instructions until
 * paging_init gives each section its rights; and an empty window (arch/x86_64/phys.c).
 */
#include "arch/x86_64/layout.h"

    .section .text.boot, "ax"
    .code32
    .globl boot_entry32
boot_entry32:
    cli
    cld
    mov $(boot_stack_top), %esp
    mov %eax, %edi                      /* magic and info pointer: boot_main's arguments */
    mov %ebx, %esi

    /* Long mode and NX must be there; without them say so on COM1, the only thing that can be assumed. */
    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    and $((1 << 29) | (1 << 20)), %edx
    cmp $((1 << 29) | (1 << 20)), %edx
    jne no_long_mode

    movl $(paging_pdpt_image + 0x3), paging_pml4
    movl $(paging_pdpt_window + 0x3), paging_pml4 + 8 * PML4_WINDOW
    movl $(paging_pd_image + 0x3), paging_pdpt_image
    movl $(paging_pd_window + 0x3), paging_pdpt_window
    movl $(0x200000 + 0x83), paging_pd_image + 8

    mov $(1 << 5), %eax                 /* CR4.PAE */
    mov %eax, %cr4
    mov $paging_pml4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx               /* EFER: LME, NXE */
    rdmsr
    or $((1 << 8) | (1 << 11)), %eax
    wrmsr
    mov %cr0, %eax
    and $~((1 << 30) | (1 << 29) | (1 << 2) | (1 << 3)), %eax
    or $((1 << 31) | (1 << 16) | (1 << 5) | (1 << 1) | 1), %eax   /* PG, WP, NE, MP, PE */
    mov %eax, %cr0
    lgdt boot_gdt_pointer
    ljmp $0x08, $boot_entry64

no_long_mode:
    mov $boot_uart_setup, %esi          /* the port has any number of data bits until it is told */
4:  movzwl (%esi), %edx
    test %edx, %edx
    jz 5f
    mov 2(%esi), %al
    out %al, %dx
    add $3, %esi
    jmp 4b
5:  mov $boot_no_long_mode, %esi
1:  mov (%esi), %al
    test %al, %al
    jz 3f
    mov %al, %bl
    mov $0x3fd, %dx
    mov $0x10000, %ecx                  /* a port that is not there must not hold us for ever */
2:  in %dx, %al
    test $0x20, %al
    loopz 2b
    mov $0x3f8, %dx
    mov %bl, %al
    out %al, %dx
    inc %esi
    jmp 1b
3:  hlt
    jmp 3b

    .code64
boot_entry64:
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov $boot_stack_top, %rsp
    mov %edi, %edi                      /* clear the upper halves */
    mov %esi, %esi
    xor %ebp, %ebp
    call boot_main
1:  hlt
    jmp 1b

    .section .rodata
boot_uart_setup:                        /* port, value: 115200 baud, 8 data bits, no parity, 1 stop bit; FIFOs off */
    .short 0x3f9; .byte 0x00
    .short 0x3fb; .byte 0x80
    .short 0x3f8; .byte 0x01
    .short 0x3f9; .byte 0x00
    .short 0x3fb; .byte 0x03
    .short 0x3fa; .byte 0x00
    .short 0
boot_no_long_mode:
    .asciz "\r\nRingfence: this CPU has no 64-bit mode with NX. Nothing can run here.\r\n"
    .balign 8
    .globl boot_gdt
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff            /* 08: 64-bit code, accessed */
    .quad 0x00cf93000000ffff            /* 10: data, accessed */
boot_gdt_end:
    .globl boot_gdt_pointer
boot_gdt_pointer:
    .short boot_gdt_end - boot_gdt - 1
    .quad boot_gdt

    .section .bss
    .balign 4096
    .globl paging_pml4, paging_pdpt_image, paging_pd_image, paging_pt_image, paging_pdpt_window, paging_pd_window
paging_pml4:        .skip 4096
paging_pdpt_image:  .skip 4096
paging_pd_image:    .skip 4096
paging_pt_image:    .skip 4096
paging_pdpt_window: .skip 4096
paging_pd_window:   .skip 4096
    /* The page below the stack is made a guard page by paging_init. */
    .globl boot_stack_guard, boot_stack_top
boot_stack_guard:   .skip 4096
    .skip 16384
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
