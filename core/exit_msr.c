/*
 * RDMSR and WRMSR that the permission bitmap does not let through: the table of core/msr.c decides.
 */
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/kvm_clock.h"
#include "core/msr.h"
#include "core/virtual_interrupts.h"

enum { VECTOR_GP = 13 };

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
    switch (number) {
    case MSR_APIC_BASE:
        return value == msr_apic_base(vcpu->index == 0); /* it stays where it is */
    case MSR_X2APIC_ICR:
        message = interrupt_from_x2apic_icr(value);
        switch (partition_interrupt(vcpu->partition, &message, vcpu->index)) {
        case INTERRUPT_DELIVER:
        case INTERRUPT_NOTHING:
            return true;
        case INTERRUPT_BAD_MODE:
        case INTERRUPT_BAD_VECTOR:
            return false;
        }
        return false;
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
    switch (rule->read) {
    case MSR_CONSTANT:
        *value = rule->value;
        return true;
    case MSR_HANDLER:
        return handler_read(vcpu, number, value);
    case MSR_DIRECT: /* exits only where a backend cannot give it away */
    case MSR_APIC:
        return cpu_msr_read((uint32_t)number, value);
    case MSR_REFUSE:
    case MSR_IGNORE:
        return false;
    }
    return false;
}

static bool msr_set(struct vcpu *vcpu, const struct msr_rule *rule, uint64_t number, uint64_t value)
{
    if (is_model(vcpu, rule, number))
        return virtual_interrupts_msr_write(vcpu, (uint32_t)number, value);
    switch (rule->write) {
    case MSR_IGNORE:
        return true;
    case MSR_HANDLER:
        return handler_write(vcpu, number, value);
    case MSR_DIRECT:
    case MSR_APIC:
    case MSR_REFUSE:
    case MSR_CONSTANT:
        return false;
    }
    return false;
}

void exit_msr(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    const struct msr_rule *rule = msr_find((uint32_t)exit->address);
    uint64_t value = exit->value;
    bool write = exit->kind == EXIT_MSR_WRITE;
    bool done = write ? msr_set(vcpu, rule, exit->address, value) : msr_get(vcpu, rule, exit->address, &value);
    /* A register of the table that refuses a value has its reasons; only what is not listed is policy's business. */
    if (!done && rule->read == MSR_REFUSE && rule->write == MSR_REFUSE) {
        if (!exit_refuse_msr(vcpu, backend, exit))
            return;
        value = 0;
        done = true;
    }
    if (!done) {
        backend->inject_exception(vcpu, VECTOR_GP, 0);
        return;
    }
    if (!write) {
        vcpu->gpr[GPR_RAX] = (uint32_t)value;
        vcpu->gpr[GPR_RDX] = value >> 32;
    }
    backend->advance(vcpu, exit);
}
