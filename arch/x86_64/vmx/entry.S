/*
 * Into the guest and back.
 *
 * HOST_RSP points just past vcpu->gpr: at an exit RSP is the vCPU's address + 128, every register of it within reach, and
 * no register has to be free to find it. NMI, #DF and #MC have stacks of their own and cannot disturb it. The
 * hypervisor's own stack is found again in vcpu->host_rsp.
 *
 * The fast path answers the hottest exits before anything general is touched: the registers that it does not use stay the guest's.
 * Its budget, in instructions from the guest's own to the guest's next, which `make bench` checks:
 *     hypercall 0   40      CPUID, cached leaf   48      RDMSR, WRMSR of a constant   51, 42
 *     by way of C (vmx/fast_exit.c): UART byte   92 to 120    IPI   90    IOAPIC register   290
 *     local APIC model: end of interrupt   123    TSC deadline   125
 *     where the CPU takes vectors by itself (vmx/virtual_apic.c): end of interrupt   no exit    HLT   95
 */
#include "offsets.h"
#include "arch/x86_64/registers.h"
#include "arch/x86_64/vmx/exit_reason.h"
#include "arch/x86_64/vmx/fields.h"

#if VCPU_GPR != 0
#error "the exit path takes the stack pointer for the vCPU"
#endif

#define GPR(register) (gpr_##register - 128)(%rsp)
#define FIELD(offset) (offset - 128)(%rsp)
#define FIELD_AT(offset, index, scale) (offset - 128)(%rsp, index, scale)

    .text
    .balign 16
    .globl vmx_enter
/* enum vmx_entered vmx_enter(struct vcpu *vcpu, bool launched) */
vmx_enter:
    PUSH_EACH PRESERVED
    lea 128(%rdi), %rax
    push %rax                           /* what RSP is on the fast path: see CALL_C */
    mov %rsp, VCPU_HOST_RSP(%rdi)
window_full:
    cmpl $0, %gs:PERCPU_KICKED          /* an NMI from here to the entry lands at kicked_full */
    jne kicked_full
    test %sil, %sil
    LOAD_EACH 0, %rdi, rax, rcx, rdx, rbx, rbp, rsi, r8, r9, r10, r11, r12, r13, r14, r15, rdi
    jz 1f
    vmresume
    jmp window_full_end
1:  vmlaunch
window_full_end:
    mov $1, %eax                        /* VMX_FAILED: the vCPU's registers in memory and RSP are untouched */
    jmp return
kicked_full:
    mov $2, %eax                        /* VMX_KICKED: the same */
    jmp return

/* Moves the guest past its instruction: what vmx_backend_advance does. Anything out of the ordinary goes the slow way. */
.macro ADVANCE_OR slow
    mov $VMCS_GUEST_RFLAGS, %eax
    vmread %rax, %rax
    test $(1 << 8), %eax                /* TF: the guest wants a #DB after this instruction */
    jnz \slow
    mov $VMCS_GUEST_INTERRUPTIBILITY, %eax
    vmread %rax, %rax
    test $3, %al                        /* shadow of STI or MOV SS: ends with this instruction */
    jnz \slow
    mov $VMCS_EXIT_LENGTH, %eax
    vmread %rax, %rax
    mov $VMCS_GUEST_RIP, %ecx
    vmread %rcx, %rdx
    cmp $-16, %edx                      /* might pass 4 GiB: where that is, depends on the mode */
    jae \slow
    add %rax, %rdx
    vmwrite %rdx, %rcx
.endm

/* Calls bool function(struct vcpu *) of fast_exit.c with all saved that it may change; false: the slow way. */
.macro CALL_C function
    SAVE_EACH -128, %rsp, VOLATILE_OTHERS
    lea -128(%rsp), %rdi
    mov VCPU_HOST_RSP(%rdi), %rsp
    call \function
    pop %rsp                            /* vmx_enter has left there where it was */
    test %al, %al
    jz slow_saved
.endm
/* The same for an instruction, past which the guest goes on. */
.macro CALL_C_AND_ADVANCE function, counter
    CALL_C \function
    incq FIELD(\counter)
    jmp advance
.endm

    .balign 16
    .globl vmx_exit_landing
vmx_exit_landing:
    mov %rax, GPR(rax)
    mov %rcx, GPR(rcx)
    mov %rdx, GPR(rdx)
    mov $VMCS_EXIT_REASON, %eax
    vmread %rax, %rax
    cmp $VMX_REASON_IO, %eax            /* the hottest first */
    je fast_port
    cmp $VMX_REASON_WRMSR, %eax
    je fast_wrmsr
    cmp $VMX_REASON_VMCALL, %eax
    je fast_hypercall
    cmp $VMX_REASON_CPUID, %eax
    je fast_cpuid
    cmp $VMX_REASON_RDMSR, %eax
    jne not_rdmsr

fast_rdmsr:
    mov GPR(rcx), %eax
    cmp $(MSR_CACHE_END - 1), %eax
    ja fast_rdmsr_c
    movzbl FIELD_AT(VCPU_MSR_SLOTS, %rax, 1), %eax
    bt %eax, FIELD(VCPU_MSR_READABLE)
    jnc fast_rdmsr_c
    ADVANCE_OR slow
    incq FIELD(VCPU_EXITS_MSR_READ)
    mov GPR(rcx), %rcx
    mov %ecx, %edx
    movzbl FIELD_AT(VCPU_MSR_SLOTS, %rdx, 1), %edx
    mov FIELD_AT(VCPU_MSR_VALUES, %rdx, 8), %rdx
    mov %edx, %eax
    shr $32, %rdx
    jmp resume

fast_wrmsr:
    mov GPR(rcx), %eax
    cmp $(MSR_CACHE_END - 1), %eax
    ja fast_wrmsr_c
    movzbl FIELD_AT(VCPU_MSR_SLOTS, %rax, 1), %eax
    bt %eax, FIELD(VCPU_MSR_WRITABLE)
    jnc slow
    ADVANCE_OR slow
    incq FIELD(VCPU_EXITS_MSR_WRITE)
    mov GPR(rax), %rax
    mov GPR(rcx), %rcx
    mov GPR(rdx), %rdx
    jmp resume

fast_wrmsr_c:
    CALL_C_AND_ADVANCE vmx_fast_wrmsr, VCPU_EXITS_MSR_WRITE
fast_rdmsr_c:
    CALL_C_AND_ADVANCE vmx_fast_rdmsr, VCPU_EXITS_MSR_READ
fast_port:
    CALL_C_AND_ADVANCE vmx_fast_port, VCPU_EXITS_PORT

fast_hypercall:
    cmpq $0, GPR(rax)                   /* HYPERCALL_NOTHING answers itself */
    jne slow
    ADVANCE_OR slow
    incq FIELD(VCPU_EXITS_HYPERCALL)
    xor %eax, %eax
    mov GPR(rcx), %rcx
    mov GPR(rdx), %rdx
    jmp resume

fast_cpuid:
    mov GPR(rax), %eax
    cmp $(CPUID_CACHE_LEAVES - 1), %eax
    ja slow
    bt %eax, FIELD(VCPU_CPUID_VALID)
    jnc slow
    ADVANCE_OR slow
    incq FIELD(VCPU_EXITS_CPUID)
    mov GPR(rax), %edx
    shl $4, %edx
    mov FIELD_AT(VCPU_CPUID_REGS, %rdx, 1), %eax
    mov FIELD_AT(VCPU_CPUID_REGS + 4, %rdx, 1), %ebx
    mov FIELD_AT(VCPU_CPUID_REGS + 8, %rdx, 1), %ecx
    mov FIELD_AT(VCPU_CPUID_REGS + 12, %rdx, 1), %edx
    jmp resume

/* The ends of what C has answered: the guest goes past its instruction; it gets back what C may have changed. */
advance:
    mov $VMCS_EXIT_LENGTH, %eax
    vmread %rax, %rax
    mov $VMCS_GUEST_RIP, %ecx
    vmread %rcx, %rdx
    add %rax, %rdx
    vmwrite %rdx, %rcx
load_volatile:
    LOAD_EACH -128, %rsp, VOLATILE
/* All of the guest's registers are in the CPU. An NMI from here to the entry lands at kicked_fast. */
resume:
    cmpl $0, %gs:PERCPU_KICKED
    jne kicked_fast
    decl FIELD(VCPU_FAST_LEFT)          /* exits in a row keep the run loop, and with it the console, away only so long */
    js kicked_fast
    vmresume
resume_end:
    jmp slow_failed

not_rdmsr:
    cmp $VMX_REASON_EPT_VIOLATION, %eax
    je fast_memory
    cmp $VMX_REASON_HLT, %eax
    je fast_halt
    cmp $VMX_REASON_EXTERNAL_INTERRUPT, %eax
    jne slow
    CALL_C vmx_fast_interrupt
    incq FIELD(VCPU_EXITS_INTERRUPT)
    jmp load_volatile

fast_halt:
    CALL_C vmx_fast_halt
    incq FIELD(VCPU_EXITS_HALT)
    jmp load_volatile

fast_memory:
    SAVE_EACH -128, %rsp, PRESERVED      /* the instruction may name any register */
    CALL_C vmx_fast_memory
    LOAD_EACH -128, %rsp, PRESERVED
    jmp load_volatile

/* Everything else: the rest of the registers is saved, and vmx_enter returns. Each way in knows what is saved already. */
slow:
    xor %eax, %eax                      /* VMX_EXITED; RAX, RCX, RDX are saved */
    jmp save_volatile
slow_saved:
    xor %eax, %eax                      /* all that C may change is saved */
    jmp save_rest
kicked_fast:
    mov %rax, GPR(rax)
    mov $2, %eax                        /* VMX_KICKED */
    jmp save_all
slow_failed:
    mov %rax, GPR(rax)
    mov $1, %eax                        /* VMX_FAILED */
save_all:
    mov %rcx, GPR(rcx)
    mov %rdx, GPR(rdx)
save_volatile:
    SAVE_EACH -128, %rsp, VOLATILE_OTHERS
save_rest:
    SAVE_EACH -128, %rsp, PRESERVED
    mov FIELD(VCPU_HOST_RSP), %rsp
return:
    add $8, %rsp
    POP_EACH PRESERVED
    ret

    TRAP_WINDOW VECTOR_NMI, window_full, window_full_end, kicked_full
    TRAP_WINDOW VECTOR_NMI, resume, resume_end, kicked_fast

    .section .note.GNU-stack, "", @progbits
