/*
 * The hardware's exit record into the neutral one. SDM vol. 3, appendix "VMX Basic Exit Reasons" and
 * "Information for VM Exits".
 */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/vmx/exit_reason.h"
#include "arch/x86_64/vmx/vmx.h"
#include "core/bytes.h"

void trap_nmi_unblock(void); /* trap_entry.S */

#define REASON_ENTRY_FAILURE (1u << 31)
#define REASON_NONE          35u /* the manual has none of this number */
#define DR6_BREAKPOINTS      0xfull
#define DR6_BD               (1ull << 13)
#define DR6_BS               (1ull << 14)
#define DR7_GD               (1ull << 13)
#define DEBUGCTL_LBR         1ull

void vmx_inject(uint8_t vector, unsigned type, bool has_error, uint32_t error)
{
    vmcs_write(VMCS_ENTRY_INTERRUPTION,
               vector | (uint32_t)type << 8 | (has_error ? INTERRUPTION_ERROR_CODE : 0) | INTERRUPTION_VALID);
    if (has_error)
        vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR, error);
    if (type >= INTERRUPTION_SOFTWARE) /* given back: its instruction, which has exited, is stepped over */
        vmcs_write(VMCS_ENTRY_LENGTH, vmcs_read(VMCS_EXIT_LENGTH));
}

/*
 * An event whose delivery was cut short by this exit is delivered again: "Information for VM Exits That Occur During
 * Event Delivery".
 */
static void vectoring_replay(void)
{
    uint32_t info = (uint32_t)vmcs_read(VMCS_IDT_VECTORING);
    if (!(info & INTERRUPTION_VALID))
        return;
    unsigned type = INTERRUPTION_TYPE(info);
    vmx_inject((uint8_t)INTERRUPTION_VECTOR(info), type, info & INTERRUPTION_ERROR_CODE,
               (uint32_t)vmcs_read(VMCS_IDT_VECTORING_ERROR));
    if (type == INTERRUPTION_NMI) /* entry would refuse an NMI that is still blocked by itself */
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPTIBILITY_NMI);
}

/*
 * Gives a #DB back to the guest, with what its delivery would have done: DR6 gets the causes ("Exit Qualification for
 * Debug Exceptions"), DR7.GD and the last-branch recording are switched off.
 */
static void debug_exception_return(unsigned type)
{
    uint64_t causes = vmcs_read(VMCS_EXIT_QUALIFICATION), dr6;
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    dr6 = (dr6 & ~DR6_BREAKPOINTS) | (causes & (DR6_BREAKPOINTS | DR6_BD | DR6_BS));
    __asm__ volatile("mov %0, %%dr6" : : "r"(dr6));
    vmcs_write(VMCS_GUEST_DR7, vmcs_read(VMCS_GUEST_DR7) & ~DR7_GD);
    vmcs_write(VMCS_GUEST_DEBUGCTL, vmcs_read(VMCS_GUEST_DEBUGCTL) & ~DEBUGCTL_LBR);
    /* INT1 is delivered as what it was, else the instruction would run again for ever. */
    vmx_inject(VECTOR_DB, type, false, 0);
}

static bool exception_decode(struct exit *exit)
{
    uint32_t info = (uint32_t)vmcs_read(VMCS_EXIT_INTERRUPTION);
    if (INTERRUPTION_TYPE(info) == INTERRUPTION_NMI) {
        trap_nmi_unblock();
        cpu_nmi_taken();
        exit->kind = EXIT_KICK;
        return true;
    }
    exit->vector = (uint8_t)INTERRUPTION_VECTOR(info);
    if (exit->vector == VECTOR_DB) {
        debug_exception_return(INTERRUPTION_TYPE(info));
        return false;
    }
    if (exit->vector == VECTOR_AC) {
        vmx_inject(VECTOR_AC, INTERRUPTION_HARDWARE, true, 0);
        return false;
    }
    return true;
}

/* "Exit Qualification for I/O Instructions" */
static void io_decode(const struct vcpu *vcpu, struct exit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    exit->size = (uint8_t)((q & 7) + 1);
    exit->write = !(q & (1u << 3));
    exit->string = q & (1u << 4);
    exit->repeat = q & (1u << 5);
    exit->address = (q >> 16) & 0xffff;
    exit->value = vcpu->gpr[GPR_RAX];
}

/* "Exit Qualification for EPT Violations" */
static void memory_decode(struct exit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    exit->write = q & 2;
    exit->fetch = q & 4;
    exit->own = (q & EPT_FINAL) == EPT_FINAL;
    exit->address = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
    exit->raw_detail = q;
}

/* What a reason is in neutral words; the vector of what an instruction that a guest may not have raises. */
static const struct {
    uint8_t kind, vector;
} decoded[] = {
    [VMX_REASON_EXCEPTION_OR_NMI] = {EXIT_EXCEPTION, 0},
    [VMX_REASON_EXTERNAL_INTERRUPT] = {EXIT_INTERRUPT, 0},
    [VMX_REASON_TRIPLE_FAULT] = {EXIT_TRIPLE_FAULT, 0},
    [VMX_REASON_INTERRUPT_WINDOW] = {EXIT_INTERRUPT_WINDOW, 0},
    [VMX_REASON_NMI_WINDOW] = {EXIT_NMI_WINDOW, 0},
    [VMX_REASON_TASK_SWITCH] = {EXIT_TASK_SWITCH, 0},
    [VMX_REASON_CPUID] = {EXIT_CPUID, 0},
    [VMX_REASON_GETSEC] = {EXIT_INSTRUCTION, VECTOR_UD},
    [VMX_REASON_HLT] = {EXIT_HALT, 0},
    [VMX_REASON_INVD] = {EXIT_CACHE, 0},
    [VMX_REASON_RDPMC] = {EXIT_INSTRUCTION, VECTOR_GP},
    [VMX_REASON_RSM] = {EXIT_INSTRUCTION, VECTOR_UD},
    [VMX_REASON_VMCALL] = {EXIT_HYPERCALL, 0},
    [VMX_REASON_VMCLEAR... VMX_REASON_VMXON] = {EXIT_INSTRUCTION, VECTOR_UD},
    [VMX_REASON_CONTROL_REGISTER] = {EXIT_CONTROL_REGISTER, 0},
    [VMX_REASON_IO] = {EXIT_PORT, 0},
    [VMX_REASON_RDMSR] = {EXIT_MSR_READ, 0},
    [VMX_REASON_WRMSR] = {EXIT_MSR_WRITE, 0},
    [VMX_REASON_MWAIT] = {EXIT_INSTRUCTION, VECTOR_UD},
    [VMX_REASON_MONITOR] = {EXIT_INSTRUCTION, VECTOR_UD},
    [VMX_REASON_TPR_BELOW_THRESHOLD] = {EXIT_INTERRUPT_WINDOW, 0},
    [VMX_REASON_VIRTUAL_EOI] = {EXIT_INTERRUPT_ENDED, 0},
    [VMX_REASON_EPT_VIOLATION] = {EXIT_MEMORY, 0},
    [VMX_REASON_INVEPT] = {EXIT_INSTRUCTION, VECTOR_UD},
    [VMX_REASON_PREEMPTION_TIMER] = {EXIT_TIMER, 0},
    [VMX_REASON_INVVPID] = {EXIT_INSTRUCTION, VECTOR_UD},
    [VMX_REASON_WBINVD] = {EXIT_CACHE, 0},
    [VMX_REASON_XSETBV] = {EXIT_XSETBV, 0},
    [VMX_REASON_APIC_WRITE] = {EXIT_APIC_WRITTEN, 0},
    [VMX_REASON_ENCLS] = {EXIT_INSTRUCTION, VECTOR_UD},
};
_Static_assert(EXIT_KICK == 0, "the kind of a reason that the table leaves out");

/* What an exit of a kind comes with. False: dealt with. */
static bool details_decode(struct vcpu *vcpu, struct exit *exit, unsigned kind)
{
    switch (kind) {
    case EXIT_EXCEPTION:
        return exception_decode(exit);
    case EXIT_CONTROL_REGISTER:
        return vmx_control_register_exit(vcpu, exit);
    case EXIT_INTERRUPT:
        if (vmcs_read(VMCS_EXIT_INTERRUPTION) & INTERRUPTION_VALID)
            apic_interrupted(); /* the exit has acknowledged it */
        break;
    case EXIT_TASK_SWITCH: /* "Exit Qualification for Task Switches" */
        exit->address = vmcs_read(VMCS_EXIT_QUALIFICATION) & 0xffff;
        break;
    case EXIT_INTERRUPT_ENDED:
        exit->vector = (uint8_t)vmcs_read(VMCS_EXIT_QUALIFICATION);
        break;
    case EXIT_APIC_WRITTEN:
        exit->address = vmcs_read(VMCS_EXIT_QUALIFICATION) & (PAGE_SIZE - 1);
        break;
    case EXIT_PORT:
        io_decode(vcpu, exit);
        break;
    case EXIT_MSR_READ:
    case EXIT_MSR_WRITE:
        exit->address = (uint32_t)vcpu->gpr[GPR_RCX];
        exit->value = vcpu->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->gpr[GPR_RAX];
        break;
    case EXIT_XSETBV:
        exit->value = vcpu->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->gpr[GPR_RAX];
        break;
    case EXIT_MEMORY:
        memory_decode(exit);
        break;
    case EXIT_KICK: /* a reason that the table does not have */
        exit->kind = EXIT_UNKNOWN;
        exit->raw_detail = vmcs_read(VMCS_EXIT_QUALIFICATION);
        break;
    }
    return true;
}

bool vmx_exit_decode(struct vcpu *vcpu, struct exit *exit)
{
    uint32_t reason = (uint32_t)vmcs_read(VMCS_EXIT_REASON);
    memset(exit, 0, sizeof *exit);
    exit->raw_reason = reason;
    if (reason & REASON_ENTRY_FAILURE) {
        bool machine_check = (reason & 0xffff) == VMX_REASON_MACHINE_CHECK_AT_ENTRY;
        exit->kind = machine_check ? EXIT_EXCEPTION : EXIT_ENTRY_FAILED;
        exit->vector = machine_check ? VECTOR_MC : 0;
        exit->raw_detail = vmcs_read(VMCS_EXIT_QUALIFICATION);
        return true;
    }
    exit->length = (uint8_t)vmcs_read(VMCS_EXIT_LENGTH);
    vectoring_replay();
    reason &= 0xffff;
    if (reason >= array_size(decoded))
        reason = REASON_NONE;
    exit->kind = decoded[reason].kind;
    exit->vector = decoded[reason].vector;
    return details_decode(vcpu, exit, exit->kind);
}
