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
#define DR6_BREAKPOINTS      0xfull
#define DR6_BD               (1ull << 13)
#define DR6_BS               (1ull << 14)
#define DR7_GD               (1ull << 13)
#define DEBUGCTL_LBR         1ull
enum { VECTOR_DB = 1, VECTOR_UD = 6, VECTOR_GP = 13, VECTOR_AC = 17, VECTOR_MC = 18 };

void vmx_inject(uint8_t vector, unsigned type, bool has_error, uint32_t error)
{
    vmcs_write(VMCS_ENTRY_INTERRUPTION,
               vector | (uint32_t)type << 8 | (has_error ? INTERRUPTION_ERROR_CODE : 0) | INTERRUPTION_VALID);
    if (has_error)
        vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR, error);
}

/* An event whose delivery was cut short by this exit is delivered again: "Information for VM Exits That Occur During Event Delivery". */
static void vectoring_replay(void)
{
    uint32_t info = (uint32_t)vmcs_read(VMCS_IDT_VECTORING);
    if (!(info & INTERRUPTION_VALID))
        return;
    unsigned type = INTERRUPTION_TYPE(info);
    vmx_inject((uint8_t)INTERRUPTION_VECTOR(info), type, info & INTERRUPTION_ERROR_CODE,
               (uint32_t)vmcs_read(VMCS_IDT_VECTORING_ERROR));
    if (type >= INTERRUPTION_SOFTWARE)
        vmcs_write(VMCS_ENTRY_LENGTH, vmcs_read(VMCS_EXIT_LENGTH));
    if (type == INTERRUPTION_NMI) /* entry would refuse an NMI that is still blocked by itself */
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPTIBILITY_NMI);
}

/*
 * Gives a #DB back to the guest, with what its delivery would have done: DR6 gets the causes ("Exit Qualification for Debug
 * Exceptions"), DR7.GD and the last-branch recording are switched off.
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
    if (type == INTERRUPTION_PRIVILEGED_SOFTWARE)
        vmcs_write(VMCS_ENTRY_LENGTH, vmcs_read(VMCS_EXIT_LENGTH));
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
    exit->kind = EXIT_EXCEPTION;
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
    exit->kind = EXIT_PORT;
    exit->size = (uint8_t)((q & 7) + 1);
    exit->write = !(q & (1u << 3));
    exit->string = q & (1u << 4);
    exit->repeat = q & (1u << 5);
    exit->address = (q >> 16) & 0xffff;
    exit->value = vcpu->gpr[GPR_RAX];
}

static void msr_decode(const struct vcpu *vcpu, struct exit *exit, bool write)
{
    exit->kind = write ? EXIT_MSR_WRITE : EXIT_MSR_READ;
    exit->address = (uint32_t)vcpu->gpr[GPR_RCX];
    exit->value = vcpu->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->gpr[GPR_RAX];
}

/* "Exit Qualification for EPT Violations" */
static void memory_decode(struct exit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    exit->kind = EXIT_MEMORY;
    exit->write = q & 2;
    exit->fetch = q & 4;
    exit->own = (q & EPT_FINAL) == EPT_FINAL;
    exit->address = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
    exit->raw_detail = q;
}

static bool control_register_handle(struct vcpu *vcpu, struct exit *exit)
{
    exit->kind = EXIT_CONTROL_REGISTER;
    exit->raw_detail = vmcs_read(VMCS_EXIT_QUALIFICATION);
    exit->address = exit->raw_detail & 15;
    exit->write = (exit->raw_detail & 0x30) == 0;
    exit->gpr = (exit->raw_detail >> 8) & 15;
    if (exit->address == 8) {
        vcpu->gpr[GPR_RSP] = vmcs_read(VMCS_GUEST_RSP);
        return true;
    }
    vcpu->stats.exits[EXIT_CONTROL_REGISTER]++;
    if (vmx_control_register_exit(vcpu, exit->raw_detail))
        vmx_backend_advance(vcpu, exit);
    else
        vmx_inject(VECTOR_GP, INTERRUPTION_HARDWARE, true, 0);
    return false;
}

static bool plain(struct exit *exit, enum exit_kind kind)
{
    exit->kind = kind;
    return true;
}

static bool refused_instruction(struct exit *exit, uint8_t vector)
{
    exit->vector = vector;
    return plain(exit, EXIT_INSTRUCTION);
}

bool vmx_exit_decode(struct vcpu *vcpu, struct exit *exit)
{
    uint32_t reason = (uint32_t)vmcs_read(VMCS_EXIT_REASON);
    memset(exit, 0, sizeof *exit);
    exit->raw_reason = reason;
    if ((reason & 0xffff) == VMX_REASON_MACHINE_CHECK_AT_ENTRY) {
        exit->vector = VECTOR_MC;
        return plain(exit, EXIT_EXCEPTION);
    }
    if (reason & REASON_ENTRY_FAILURE) {
        exit->raw_detail = vmcs_read(VMCS_EXIT_QUALIFICATION);
        return plain(exit, EXIT_ENTRY_FAILED);
    }
    exit->length = (uint8_t)vmcs_read(VMCS_EXIT_LENGTH);
    vectoring_replay();

    switch (reason & 0xffff) {
    case VMX_REASON_EXCEPTION_OR_NMI:
        return exception_decode(exit);
    case VMX_REASON_EXTERNAL_INTERRUPT:
        if (vmcs_read(VMCS_EXIT_INTERRUPTION) & INTERRUPTION_VALID)
            apic_interrupted(); /* the exit has acknowledged it */
        return plain(exit, EXIT_INTERRUPT);
    case VMX_REASON_TRIPLE_FAULT:
        return plain(exit, EXIT_TRIPLE_FAULT);
    case VMX_REASON_TASK_SWITCH: /* "Exit Qualification for Task Switches" */
        exit->address = vmcs_read(VMCS_EXIT_QUALIFICATION) & 0xffff;
        return plain(exit, EXIT_TASK_SWITCH);
    case VMX_REASON_INTERRUPT_WINDOW:
    case VMX_REASON_TPR_BELOW_THRESHOLD:
        return plain(exit, EXIT_INTERRUPT_WINDOW);
    case VMX_REASON_VIRTUAL_EOI:
        exit->vector = (uint8_t)vmcs_read(VMCS_EXIT_QUALIFICATION);
        return plain(exit, EXIT_INTERRUPT_ENDED);
    case VMX_REASON_APIC_WRITE:
        exit->address = vmcs_read(VMCS_EXIT_QUALIFICATION) & (PAGE_SIZE - 1);
        return plain(exit, EXIT_APIC_WRITTEN);
    case VMX_REASON_NMI_WINDOW:
        return plain(exit, EXIT_NMI_WINDOW);
    case VMX_REASON_CPUID:
        return plain(exit, EXIT_CPUID);
    case VMX_REASON_HLT:
        return plain(exit, EXIT_HALT);
    case VMX_REASON_INVD:
    case VMX_REASON_WBINVD:
        return plain(exit, EXIT_CACHE);
    case VMX_REASON_VMCALL:
        return plain(exit, EXIT_HYPERCALL);
    case VMX_REASON_CONTROL_REGISTER:
        return control_register_handle(vcpu, exit);
    case VMX_REASON_IO:
        io_decode(vcpu, exit);
        return true;
    case VMX_REASON_RDMSR:
    case VMX_REASON_WRMSR:
        msr_decode(vcpu, exit, (reason & 0xffff) == VMX_REASON_WRMSR);
        return true;
    case VMX_REASON_EPT_VIOLATION:
        memory_decode(exit);
        return true;
    case VMX_REASON_PREEMPTION_TIMER:
        return plain(exit, EXIT_TIMER);
    case VMX_REASON_XSETBV:
        exit->value = vcpu->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->gpr[GPR_RAX];
        return plain(exit, EXIT_XSETBV);
    case VMX_REASON_RDPMC:
        return refused_instruction(exit, VECTOR_GP);
    case VMX_REASON_GETSEC:
    case VMX_REASON_RSM:
    case VMX_REASON_VMCLEAR ... VMX_REASON_VMXON:
    case VMX_REASON_MWAIT:
    case VMX_REASON_MONITOR:
    case VMX_REASON_INVEPT:
    case VMX_REASON_INVVPID:
    case VMX_REASON_ENCLS:
        return refused_instruction(exit, VECTOR_UD);
    default:
        exit->raw_detail = vmcs_read(VMCS_EXIT_QUALIFICATION);
        return plain(exit, EXIT_UNKNOWN);
    }
}
