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
 *     by way of C (svm/fast_exit.c): UART byte   101 to 130    IOAPIC register   282
 *     local APIC model: end of interrupt   139    TSC deadline   141
 */
#include "arch/x86_64/registers.h"
#include "offsets.h"

#define GPR(register, base) (VCPU_GPR + gpr_##register)(base)

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

/* Calls bool function(struct vcpu *) of fast_exit.c, the host's state loaded and the guest's saved. */
.macro CALL_C function
    mov VMCB_RAX(%rdx), %rcx
    mov %rcx, GPR(rax, %rax)
    mov %rax, %rdi
    mov FRAME_GUEST, %rax
    vmsave %rax
    mov FRAME_HOST, %rax
    vmload %rax
    call \function
    test %al, %al
    mov FRAME_VCPU, %rdi
.endm

/* The same for what needs no other registers, and on with the guest. */
.macro ANSWER_IN_C function, counter
    SAVE_EACH VCPU_GPR, %rax, VOLATILE_OTHERS
    CALL_C \function
    jz slow_rest
    incq \counter(%rdi)
    jmp back_from_c
.endm

    .text
    .balign 16
    .globl svm_enter
/* enum svm_entered svm_enter(struct vcpu *vcpu, uint64_t guest_vmcb, uint64_t host_vmcb, struct vmcb *vmcb) */
svm_enter:
    PUSH_EACH PRESERVED
    sub $8, %rsp
    PUSH_EACH rsi, rdx, rcx, rdi
    clgi
    cmpl $0, %gs:PERCPU_KICKED
    jne svm_kicked
    sti                                 /* with V_INTR_MASKING on this flag lets physical interrupts end the guest */
back_with_all:
    LOAD_EACH VCPU_GPR, %rdi, PRESERVED
back_from_c:                            /* with what C has left in the guest's RAX */
    mov FRAME_VMCB, %rdx
    mov GPR(rax, %rdi), %rcx
    mov %rcx, VMCB_RAX(%rdx)
    mov FRAME_GUEST, %rax
    vmload %rax
    LOAD_EACH VCPU_GPR, %rdi, rcx, rdx, VOLATILE_OTHERS
again:
    vmrun %rax
    mov FRAME_VCPU, %rax                /* #VMEXIT has put back our RAX, RSP and flags */
    mov %rcx, GPR(rcx, %rax)
    mov %rdx, GPR(rdx, %rax)
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

    ANSWER_IN_C svm_fast_interrupt, VCPU_EXITS_INTERRUPT

fast_memory:
    SAVE_EACH VCPU_GPR, %rax, VOLATILE_OTHERS
    SAVE_EACH VCPU_GPR, %rax, PRESERVED /* the instruction may name any register */
    CALL_C svm_fast_memory
    jz slow_loaded
    jmp back_with_all

fast_port:
    ANSWER_IN_C svm_fast_port, VCPU_EXITS_PORT

fast_hypercall:
    cmpq $0, VMCB_RAX(%rdx)             /* HYPERCALL_NOTHING answers itself */
    jne slow
    ADVANCE_OR slow
    incq VCPU_EXITS_HYPERCALL(%rax)
resume:
    mov GPR(rcx, %rax), %rcx
    mov GPR(rdx, %rax), %rdx
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
    mov GPR(rcx, %rax), %ecx
    testb $1, VMCB_EXIT_INFO1(%rdx)
    jnz fast_wrmsr
    cmp $(MSR_CACHE_END - 1), %ecx
    ja fast_rdmsr_c
    movzbl VCPU_MSR_SLOTS(%rax, %rcx), %ecx
    bt %ecx, VCPU_MSR_READABLE(%rax)
    jnc fast_rdmsr_c
    ADVANCE_OR slow
    incq VCPU_EXITS_MSR_READ(%rax)
    mov GPR(rcx, %rax), %ecx
    movzbl VCPU_MSR_SLOTS(%rax, %rcx), %ecx
    mov VCPU_MSR_VALUES(%rax, %rcx, 8), %rcx
    mov %rcx, GPR(rdx, %rax)
    shrq $32, GPR(rdx, %rax)
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
    ANSWER_IN_C svm_fast_wrmsr, VCPU_EXITS_MSR_WRITE
fast_rdmsr_c:
    ANSWER_IN_C svm_fast_rdmsr, VCPU_EXITS_MSR_READ

/* Everything else: the rest of the registers is saved, and svm_enter returns. Each way in knows what is saved already. */
slow:
    SAVE_EACH VCPU_GPR, %rax, VOLATILE_OTHERS
    SAVE_EACH VCPU_GPR, %rax, PRESERVED
    mov FRAME_GUEST, %rax
    vmsave %rax
    mov FRAME_HOST, %rax
    vmload %rax                         /* GS base and task register are right again */
    jmp slow_loaded
slow_rest:
    mov %rdi, %rax
    SAVE_EACH VCPU_GPR, %rax, PRESERVED
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
    POP_EACH PRESERVED
    ret

    .section .note.GNU-stack, "", @progbits
