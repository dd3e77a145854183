/*
 * Into the guest and back. vCPU registers are only moved here; what they mean is exit.c's business.
 *
 * VMRUN and #VMEXIT move RAX and RSP themselves. Between CLGI and STGI nothing can interrupt: not even an NMI, which
 * would need the GS base and the task register that VMLOAD has given to the guest.
 *
 * The fast path answers the hottest exits between two VMRUNs, with GIF clear all the while: a kick that comes meanwhile is
 * an NMI that waits for the VMRUN and ends it, and nothing of the fast path kicks its own CPU. What it answers in assembly
 * it answers with the guest's FS, GS and TR still loaded; for C the host's are loaded in between. Its budget, in instructions
 * from the guest's own to the guest's next, which `make bench` checks:
 *     hypercall 0   30      CPUID, cached leaf   41      RDMSR, WRMSR of a constant   44, 37
 *     by way of C (svm/fast_exit.c): UART byte   101 to 130    IOAPIC register   about 290
 *     local APIC model: end of interrupt   138    TSC deadline   156    its interrupt   about 290
 */
#include "offsets.h"

#if VCPU_GPR != 0
#error "the registers are stored from the vCPU's address on"
#endif

#define RAX 0x00
#define RCX 0x08
#define RDX 0x10
#define RBX 0x18
#define RBP 0x28
#define RSI 0x30
#define RDI 0x38
#define R(n) (8 * n)

/* svm_enter's frame */
#define FRAME_VCPU  0(%rsp)
#define FRAME_VMCB  8(%rsp)
#define FRAME_HOST  16(%rsp)            /* VMCBs by their physical addresses: the host's half, the guest's */
#define FRAME_GUEST 24(%rsp)
#define FRAME_SIZE  40                  /* with 8 that keep the stack aligned */

/*
 * The fast path's registers: RAX the vCPU, RDX the VMCB, RCX free; the guest's RCX and RDX are saved, its RAX is in the
 * VMCB. This goes past the instruction as svm_backend_advance does; anything out of the ordinary goes the slow way. A CPU
 * that does not say where the next instruction is leaves 0 there.
 */
.macro ADVANCE_OR slow
    testb $1, (VMCB_RFLAGS + 1)(%rdx)   /* TF: the guest, or the stepping over an IRET, wants a #DB after it */
    jnz \slow
    testb $1, VMCB_INTERRUPT_SHADOW(%rdx)
    jnz \slow
    mov VMCB_NEXT_RIP(%rdx), %rcx
    test %rcx, %rcx
    jz \slow
    mov %rcx, VMCB_RIP(%rdx)
    andl $~(1 << 16), VMCB_RFLAGS(%rdx) /* RF ends with each instruction */
    movl $0, VMCB_EVENT_INJECTION(%rdx)
.endm

.macro SAVE_VOLATILE
    mov %rsi, RSI(%rax)
    mov %rdi, RDI(%rax)
    mov %r8, R(8)(%rax)
    mov %r9, R(9)(%rax)
    mov %r10, R(10)(%rax)
    mov %r11, R(11)(%rax)
.endm
.macro SAVE_REST
    mov %rbx, RBX(%rax)
    mov %rbp, RBP(%rax)
    mov %r12, R(12)(%rax)
    mov %r13, R(13)(%rax)
    mov %r14, R(14)(%rax)
    mov %r15, R(15)(%rax)
.endm
.macro LOAD_REST from
    mov RBX(\from), %rbx
    mov RBP(\from), %rbp
    mov R(12)(\from), %r12
    mov R(13)(\from), %r13
    mov R(14)(\from), %r14
    mov R(15)(\from), %r15
.endm
/* RDI, by which they are found, comes last. */
.macro LOAD_VOLATILE_RDI
    mov RCX(%rdi), %rcx
    mov RDX(%rdi), %rdx
    mov RSI(%rdi), %rsi
    mov R(8)(%rdi), %r8
    mov R(9)(%rdi), %r9
    mov R(10)(%rdi), %r10
    mov R(11)(%rdi), %r11
    mov RDI(%rdi), %rdi
.endm

/* Calls bool function(struct vcpu *) of fast_exit.c, the host's state loaded and the guest's saved. */
.macro CALL_C function
    mov VMCB_RAX(%rdx), %rcx
    mov %rcx, RAX(%rax)
    mov %rax, %rdi
    mov FRAME_GUEST, %rax
    vmsave %rax
    mov FRAME_HOST, %rax
    vmload %rax
    call \function
    test %al, %al
    mov FRAME_VCPU, %rdi
.endm

/* After it: the guest goes on, with what C has left in its RAX. */
.macro BACK_FROM_C
    mov FRAME_VMCB, %rdx
    mov RAX(%rdi), %rcx
    mov %rcx, VMCB_RAX(%rdx)
    mov FRAME_GUEST, %rax
    vmload %rax
    LOAD_VOLATILE_RDI
    jmp again
.endm

    .text
    .balign 16
    .globl svm_enter
/* enum svm_entered svm_enter(struct vcpu *vcpu, uint64_t guest_vmcb, uint64_t host_vmcb, struct vmcb *vmcb) */
svm_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    sub $8, %rsp
    push %rsi
    push %rdx
    push %rcx
    push %rdi
    clgi
    cmpl $0, %gs:PERCPU_KICKED
    jne svm_kicked
    sti                                 /* with V_INTR_MASKING on this flag lets physical interrupts end the guest */
    mov %rsi, %rax
    vmload %rax
    LOAD_REST %rdi
    LOAD_VOLATILE_RDI
again:
    vmrun %rax
    mov FRAME_VCPU, %rax                /* #VMEXIT has put back our RAX, RSP and flags */
    mov %rcx, RCX(%rax)
    mov %rdx, RDX(%rax)
    mov FRAME_VMCB, %rdx
    mov VMCB_EXIT_CODE(%rdx), %rcx
    cmp $SVM_EXIT_IOIO, %rcx            /* the hottest first */
    je fast_port
    cmp $SVM_EXIT_MSR, %rcx
    je fast_msr
    cmp $SVM_EXIT_VMMCALL, %rcx
    je fast_hypercall
    cmp $SVM_EXIT_CPUID, %rcx
    je fast_cpuid
    cmp $SVM_EXIT_NPF, %rcx
    je fast_memory
    cmp $SVM_EXIT_INTR, %rcx
    jne slow

    SAVE_VOLATILE
    CALL_C svm_fast_interrupt
    jz slow_rest
    incq VCPU_EXITS_INTERRUPT(%rdi)
    BACK_FROM_C

fast_memory:
    SAVE_VOLATILE
    SAVE_REST                           /* the instruction may name any register */
    CALL_C svm_fast_memory
    jz slow_loaded
    LOAD_REST %rdi
    BACK_FROM_C

fast_port:
    SAVE_VOLATILE
    CALL_C svm_fast_port
    jz slow_rest
    incq VCPU_EXITS_PORT(%rdi)
    BACK_FROM_C

fast_hypercall:
    cmpq $0, VMCB_RAX(%rdx)             /* HYPERCALL_NOTHING answers itself */
    jne slow
    ADVANCE_OR slow
    incq VCPU_EXITS_HYPERCALL(%rax)
resume:
    mov RCX(%rax), %rcx
    mov RDX(%rax), %rdx
    mov FRAME_GUEST, %rax
    jmp again

fast_cpuid:
    mov VMCB_RAX(%rdx), %ecx
    cmp $(CPUID_CACHE_LEAVES - 1), %ecx
    ja slow
    bt %ecx, VCPU_CPUID_VALID(%rax)
    jnc slow
    ADVANCE_OR slow
    incq VCPU_EXITS_CPUID(%rax)
    mov VMCB_RAX(%rdx), %ecx
    shl $4, %ecx
    lea VCPU_CPUID_REGS(%rax, %rcx), %rcx
    mov 0(%rcx), %ebx
    mov %rbx, VMCB_RAX(%rdx)
    mov 4(%rcx), %ebx
    mov 12(%rcx), %edx
    mov 8(%rcx), %ecx
    mov FRAME_GUEST, %rax
    jmp again

fast_msr:
    cmpb $0, VMCB_CPL(%rdx)             /* some CPUs look for the intercept before the privilege level */
    jne slow
    mov RCX(%rax), %ecx
    testb $1, VMCB_EXIT_INFO1(%rdx)
    jnz fast_wrmsr
    cmp $(MSR_CACHE_END - 1), %ecx
    ja fast_rdmsr_c
    movzbl VCPU_MSR_SLOTS(%rax, %rcx), %ecx
    bt %ecx, VCPU_MSR_READABLE(%rax)
    jnc fast_rdmsr_c
    ADVANCE_OR slow
    incq VCPU_EXITS_MSR_READ(%rax)
    mov RCX(%rax), %ecx
    movzbl VCPU_MSR_SLOTS(%rax, %rcx), %ecx
    mov VCPU_MSR_VALUES(%rax, %rcx, 8), %rcx
    mov %rcx, RDX(%rax)
    shrq $32, RDX(%rax)
    mov %ecx, %ecx
    mov %rcx, VMCB_RAX(%rdx)
    jmp resume
fast_wrmsr:
    cmp $(MSR_CACHE_END - 1), %ecx
    ja fast_wrmsr_c
    movzbl VCPU_MSR_SLOTS(%rax, %rcx), %ecx
    bt %ecx, VCPU_MSR_WRITABLE(%rax)
    jnc slow
    ADVANCE_OR slow
    incq VCPU_EXITS_MSR_WRITE(%rax)
    jmp resume
fast_wrmsr_c:
    SAVE_VOLATILE
    CALL_C svm_fast_wrmsr
    jz slow_rest
    incq VCPU_EXITS_MSR_WRITE(%rdi)
    BACK_FROM_C
fast_rdmsr_c:
    SAVE_VOLATILE
    CALL_C svm_fast_rdmsr
    jz slow_rest
    incq VCPU_EXITS_MSR_READ(%rdi)
    BACK_FROM_C

/* Everything else: the rest of the registers is saved, and svm_enter returns. Each way in knows what is saved already. */
slow:
    SAVE_VOLATILE
    SAVE_REST
    mov FRAME_GUEST, %rax
    vmsave %rax
    mov FRAME_HOST, %rax
    vmload %rax                         /* GS base and task register are right again */
    jmp slow_loaded
slow_rest:
    mov %rdi, %rax
    SAVE_REST
slow_loaded:
    cli
    stgi                                /* an NMI that ended the guest is taken here, by trap.c */
    xor %eax, %eax                      /* SVM_EXITED */
    jmp svm_leave

svm_kicked:
    stgi
    mov $1, %eax                        /* SVM_KICKED: the vCPU's registers in memory are untouched */
svm_leave:
    add $FRAME_SIZE, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .section .note.GNU-stack, "", @progbits
