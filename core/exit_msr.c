/*
 * RDMSR and WRMSR that the permission bitmap does not let through: the table of core/msr.c decides.
 */
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/kvm_clock.h"
#include "core/msr.h"
#include "core/virtual_interrupts.h"

enum {
    MSR_KVM_WALL_CLOCK = 0x11,
    MSR_KVM_SYSTEM_TIME = 0x12,
    MSR_X2APIC_ICR = 0x830,
    MSR_KVM_WALL_CLOCK_NEW = 0x4b564d00,
    MSR_KVM_SYSTEM_TIME_NEW = 0x4b564d01,
};

static bool handler_read(struct vcpu *vcpu, uint64_t number, uint64_t *value)
{
    switch (number) {
    case MSR_APIC_BASE:
        *value = msr_apic_base(vcpu->index == 0);
        return true;
    case MSR_KVM_SYSTEM_TIME:
    case MSR_KVM_SYSTEM_TIME_NEW:
        *value = vcpu->kvm_clock.raw;
        return true;
    case MSR_KVM_WALL_CLOCK:
    case MSR_KVM_WALL_CLOCK_NEW:
        *value = 0;
        return true;
    default:
        return false;
    }
}

static bool handler_write(struct vcpu *vcpu, uint64_t number, uint64_t value)
{
    struct interrupt_message message;
    enum interrupt_verdict verdict;
    switch (number) {
    case MSR_APIC_BASE:
        return value == msr_apic_base(vcpu->index == 0); /* it stays where it is */
    case MSR_X2APIC_ICR:
        message = interrupt_from_x2apic_icr(value);
        verdict = partition_interrupt(vcpu->partition, &message, vcpu->index);
        return verdict == INTERRUPT_DELIVER || verdict == INTERRUPT_NOTHING;
    case MSR_KVM_SYSTEM_TIME:
    case MSR_KVM_SYSTEM_TIME_NEW:
        return kvm_clock_place(vcpu, gpa(value));
    case MSR_KVM_WALL_CLOCK:
    case MSR_KVM_WALL_CLOCK_NEW:
        return kvm_clock_write_wall(vcpu, gpa(value));
    default:
        return false;
    }
}

static bool is_model(const struct vcpu *vcpu, const struct msr_rule *rule, uint64_t number)
{
    return vcpu->apic != NULL && (rule->read == MSR_APIC || number == MSR_APIC_BASE);
}

static bool msr_get(struct vcpu *vcpu, const struct msr_rule *rule, uint64_t number, uint64_t *value)
{
    if (is_model(vcpu, rule, number))
        return virtual_interrupts_msr_read(vcpu, (uint32_t)number, value);
    if (rule->read == MSR_HANDLER)
        return handler_read(vcpu, number, value);
    if (rule->read == MSR_DIRECT || rule->read == MSR_APIC) /* exits only where a backend cannot give it away */
        return cpu_msr_read((uint32_t)number, value);
    *value = rule->value;
    return rule->read == MSR_CONSTANT;
}

static bool msr_set(struct vcpu *vcpu, const struct msr_rule *rule, uint64_t number, uint64_t value)
{
    if (is_model(vcpu, rule, number))
        return virtual_interrupts_msr_write(vcpu, (uint32_t)number, value);
    return rule->write == MSR_IGNORE || (rule->write == MSR_HANDLER && handler_write(vcpu, number, value));
}

void exit_msr(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    const struct msr_rule *rule = msr_find((uint32_t)exit->address);
    uint64_t value = exit->value;
    bool write = exit->kind == EXIT_MSR_WRITE;
    bool done = write ? msr_set(vcpu, rule, exit->address, value) : msr_get(vcpu, rule, exit->address, &value);
    /* A register of the table that refuses a value has its reasons; only what is not listed is policy's business. */
    if (!done && (rule->read != MSR_REFUSE || rule->write != MSR_REFUSE)) {
        backend->inject_exception(vcpu, VECTOR_GP, 0);
        return;
    }
    if (!done) {
        if (!exit_refuse(vcpu, backend, exit))
            return;
        value = 0;
    }
    if (!write) {
        vcpu->gpr[GPR_RAX] = (uint32_t)value;
        vcpu->gpr[GPR_RDX] = value >> 32;
    }
    backend->advance(vcpu, exit);
}
