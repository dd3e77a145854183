#include "core/exit_handle.h"

#include "core/console.h"
#include "core/cpu.h"
#include "core/cpuid.h"
#include "core/lifecycle.h"
#include "core/log.h"
#include "core/virtual_interrupts.h"

struct cpuid_guest exit_cpuid_guest(const struct vcpu *vcpu, uint64_t cr4)
{
    const struct partition *p = vcpu->partition;
    return (struct cpuid_guest){
        .tsc_hz = p->machine->tsc_hz,
        .cr4 = cr4,
        .xcr0 = vcpu->xcr0,
        .apic_id = vcpu->apic_id,
        .cpu_index = vcpu->index,
        .cpu_count = p->vcpu_count,
        .apic_ids = p->apic_ids,
        .virtual_apic = vcpu->apic != NULL,
    };
}

static void exit_cpuid(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct vcpu_state_view view;
    backend->view(vcpu, &view);
    struct cpuid_guest guest = exit_cpuid_guest(vcpu, view.cr4);
    struct cpuid_regs r;
    cpuid_answer(&guest, (uint32_t)vcpu->gpr[GPR_RAX], (uint32_t)vcpu->gpr[GPR_RCX], cpu_cpuid, &r);
    vcpu->gpr[GPR_RAX] = r.eax;
    vcpu->gpr[GPR_RBX] = r.ebx;
    vcpu->gpr[GPR_RCX] = r.ecx;
    vcpu->gpr[GPR_RDX] = r.edx;
    backend->advance(vcpu, exit);
}

/*
 * The CPU has checked CPL; which components may be on is the CPU's rule (SDM vol. 1, "Enabling the XSAVE Feature Set"),
 * narrowed to those that CPUID showed the guest.
 */
static void exit_xsetbv(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct cpuid_guest guest = {.xcr0 = vcpu->xcr0, .cpu_count = 1, .apic_ids = &vcpu->apic_id};
    struct cpuid_regs shown;
    cpuid_answer(&guest, 0xd, 0, cpu_cpuid, &shown);
    uint64_t allowed = (uint64_t)shown.edx << 32 | shown.eax;
    if ((uint32_t)vcpu->gpr[GPR_RCX] != 0 || (exit->value & ~allowed) != 0 || !cpu_xcr0_write(exit->value)) {
        backend->inject_exception(vcpu, VECTOR_GP, 0);
        return;
    }
    vcpu->xcr0 = exit->value;
    backend->advance(vcpu, exit);
}

/* With the hardware's whole record in the log. */
static void end_unexplained(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit, const char *what)
{
    struct log_sink out;
    log_sink_init(&out);
    backend->dump(vcpu, &out.sink);
    log_sink_flush(&out);
    lifecycle_fault(vcpu->partition, FAULT_UNKNOWN, "vCPU %u: %s (%s reason %lx, detail %lx)", vcpu->index, what,
                    backend->name, exit->raw_reason, exit->raw_detail);
}

static void end_unknown(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    end_unexplained(vcpu, backend, exit, "an exit that nothing asked for");
}

static void end_by_itself(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct vcpu_state_view view;
    backend->view(vcpu, &view);
    if (exit->kind == EXIT_TRIPLE_FAULT)
        lifecycle_fault(vcpu->partition, FAULT_TRIPLE_FAULT,
                        "vCPU %u: triple fault at rip %lx (cr0 %lx, cr3 %lx, cr4 %lx)", vcpu->index, view.rip, view.cr0,
                        view.cr3, view.cr4);
    else /* The CPU leaves all of it to the hypervisor, and no 64-bit system has used it for decades. */
        lifecycle_fault(vcpu->partition, FAULT_UNKNOWN,
                        "vCPU %u: switches tasks by hardware, to TSS selector %lx, which is not supported (rip %lx)",
                        vcpu->index, exit->address, view.rip);
}

/* MOV to and from CR8, which is the local APIC's task priority; exits with virtual interrupts only. */
static void exit_task_priority(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct vcpu_state_view view;
    backend->view(vcpu, &view); /* makes RSP current, in case it is the operand */
    if (vcpu->apic == NULL || exit->address != 8) {
        end_unknown(vcpu, backend, exit);
    } else if (!virtual_interrupts_cr8(vcpu, exit)) {
        backend->inject_exception(vcpu, VECTOR_GP, 0);
    } else {
        backend->write_back(vcpu, view.rflags);
        backend->advance(vcpu, exit);
    }
}

/* The CPU has done it, and left what it means to the model. */
static void exit_local_apic(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    if (vcpu->apic == NULL)
        end_unknown(vcpu, backend, exit);
    else if (exit->kind == EXIT_INTERRUPT_ENDED)
        virtual_interrupts_ended(vcpu, exit->vector);
    else
        virtual_interrupts_written(vcpu, exit->address);
}

void exit_handle(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    switch (exit->kind) {
    case EXIT_KICK:
    case EXIT_TIMER:
    case EXIT_NMI_WINDOW:       /* lifecycle_obey tries again */
    case EXIT_INTERRUPT_WINDOW: /* virtual_interrupts_prepare does */
        return;
    case EXIT_INTERRUPT: /* the CPU's own timer, or a late message */
        cpu_take_interrupts();
        return;
    case EXIT_INTERRUPT_ENDED:
    case EXIT_APIC_WRITTEN:
        exit_local_apic(vcpu, backend, exit);
        return;
    case EXIT_HALT:
        backend->advance(vcpu, exit);
        vcpu->state = VCPU_HALTED;
        return;
    case EXIT_CONTROL_REGISTER:
        exit_task_priority(vcpu, backend, exit);
        return;
    case EXIT_CPUID:
        exit_cpuid(vcpu, backend, exit);
        return;
    case EXIT_HYPERCALL:
        exit_hypercall(vcpu, backend, exit);
        return;
    case EXIT_MSR_READ:
    case EXIT_MSR_WRITE:
        exit_msr(vcpu, backend, exit);
        return;
    case EXIT_PORT:
        exit_port(vcpu, backend, exit);
        return;
    case EXIT_MEMORY:
        exit_memory(vcpu, backend, exit);
        return;
    case EXIT_XSETBV:
        exit_xsetbv(vcpu, backend, exit);
        return;
    case EXIT_CACHE:
        backend->advance(vcpu, exit);
        return;
    case EXIT_INSTRUCTION:
        backend->inject_exception(vcpu, exit->vector, 0);
        return;
    case EXIT_EXCEPTION:
        if (exit->vector == VECTOR_MC)
            exit_machine_check(vcpu, backend);
        else
            lifecycle_fault(vcpu->partition, FAULT_UNKNOWN, "vCPU %u: exception (vector %u)", vcpu->index,
                            exit->vector);
        return;
    case EXIT_TASK_SWITCH:
    case EXIT_TRIPLE_FAULT:
        end_by_itself(vcpu, backend, exit);
        return;
    case EXIT_ENTRY_FAILED:
        end_unexplained(vcpu, backend, exit, "the CPU refused to enter the guest");
        return;
    case EXIT_UNKNOWN:
    case EXIT_KINDS:
        end_unknown(vcpu, backend, exit);
        return;
    }
}
