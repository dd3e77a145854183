/*
 * Where another CPU begins: real mode, CS:IP = page:0000. Copied to a page below 1 MiB, so every address is relative to
 * that page, whose base is kept in EBX. The parameters at its end are struct trampoline_parameters of smp.c.
 */
#define PARAMETERS        (4096 - 32)
#define PARAMETER_CR3      PARAMETERS
#define PARAMETER_STACK    (PARAMETERS + 8)
#define PARAMETER_ENTRY    (PARAMETERS + 16)
#define PARAMETER_ARGUMENT (PARAMETERS + 24)

    .section .rodata
    .code16
    .balign 16
    .globl smp_trampoline, smp_trampoline_end
smp_trampoline:
    cli
    cld
    xor %ebx, %ebx
    mov %cs, %bx
    mov %bx, %ds
    shl $4, %ebx                                          /* EBX: linear address of this page */

    lea (gdt - smp_trampoline)(%ebx), %eax                /* pointers that need the real address */
    mov %eax, (gdt_pointer + 2 - smp_trampoline)
    lea (start64 - smp_trampoline)(%ebx), %eax
    mov %eax, (far_pointer - smp_trampoline)
    lgdtl (gdt_pointer - smp_trampoline)

    mov $(1 << 5), %eax                                   /* CR4.PAE */
    mov %eax, %cr4
    mov PARAMETER_CR3, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx                                 /* EFER: LME, NXE */
    rdmsr
    or $((1 << 8) | (1 << 11)), %eax
    wrmsr
    mov %cr0, %eax
    and $~((1 << 30) | (1 << 29) | (1 << 2) | (1 << 3)), %eax
    or $((1 << 31) | (1 << 16) | (1 << 5) | (1 << 1) | 1), %eax   /* straight into long mode */
    mov %eax, %cr0
    ljmpl *(far_pointer - smp_trampoline)

    .code64
start64:
    xor %eax, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    mov PARAMETER_STACK(%rbx), %rsp
    mov PARAMETER_ARGUMENT(%rbx), %rdi
    xor %ebp, %ebp
    call *PARAMETER_ENTRY(%rbx)
1:  hlt
    jmp 1b

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff                              /* 08: 64-bit code, accessed */
    .quad 0x00cf93000000ffff                              /* 10: data, accessed */
gdt_end:
gdt_pointer:
    .short gdt_end - gdt - 1
    .long 0
far_pointer:
    .long 0
    .short 0x08
smp_trampoline_end:

    .section .note.GNU-stack, "", @progbits
