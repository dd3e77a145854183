#include "core/fast_apic.h"

#include "core/cpu.h"
#include "core/local_apic_fast.h"
#include "core/partition.h"

enum { MSR_TSC_DEADLINE = 0x6e0, MSR_X2APIC_EOI = 0x80b, MSR_X2APIC_ICR = 0x830 };

bool fast_apic_read(struct vcpu *vcpu)
{
    uint64_t value;

    if (vcpu->apic == NULL || !local_apic_fast_read(vcpu->apic, (uint32_t)vcpu->gpr[GPR_RCX], &value))
        return false;
    vcpu->gpr[GPR_RAX] = (uint32_t)value;
    vcpu->gpr[GPR_RDX] = value >> 32;
    return true;
}

/*
 * The run loop's own reasons to come back stay in force. In this mode nothing but the deadline counts; one that is
 * masked brings the guest out once for nothing.
 */
static bool write_deadline(struct vcpu *vcpu, uint64_t value)
{
    if (!local_apic_fast_deadline(vcpu->apic, value, cpu_clock()))
        return false;
    cpu_timer_set(value != 0 && value < vcpu->loop_due ? value : vcpu->loop_due);
    return true;
}

/*
 * A plain interrupt to another vCPU, whose number is its local APIC's id; one to itself is the run loop's to deliver.
 * Kept out of its caller, where an EOI would have to save the registers that this needs.
 */
static __attribute__((noinline)) bool send(struct vcpu *vcpu, uint64_t value)
{
    const struct partition *p = vcpu->partition;
    uint32_t to = (uint32_t)(value >> 32);
    struct interrupt_message message = {.destination = to, .delivery = DELIVERY_FIXED, .vector = (uint8_t)value};

    if (to >= p->vcpu_count || to == vcpu->index || !local_apic_matches(p->vcpus[to].apic, &message) ||
        !local_apic_fast_icr(vcpu->apic, value))
        return false;
    if (local_apic_post(p->vcpus[to].apic, &message))
        cpu_kick(p->vcpus[to].cpu);
    return true;
}

bool fast_apic_write(struct vcpu *vcpu)
{
    uint64_t value = vcpu->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->gpr[GPR_RAX];
    uint32_t number = (uint32_t)vcpu->gpr[GPR_RCX];

    if (vcpu->apic == NULL)
        return false;
    if (number == MSR_X2APIC_EOI)
        return value == 0 && local_apic_fast_eoi(vcpu->apic);
    if (number == MSR_X2APIC_ICR)
        return send(vcpu, value);
    return number == MSR_TSC_DEADLINE && write_deadline(vcpu, value);
}

/* The 8259s interrupt the first vCPU before its local APIC does; the run loop looks at their output. */
static bool is_quiet(const struct vcpu *vcpu)
{
    return vcpu->index != 0 || !platform_extint(vcpu->partition->platform);
}

int fast_apic_timer(struct vcpu *vcpu, bool by_itself)
{
    uint64_t now = cpu_clock();

    if (vcpu->apic == NULL || now >= vcpu->loop_due || !is_quiet(vcpu))
        return -1;
    int vector = by_itself ? local_apic_fast_request(vcpu->apic, now) : local_apic_fast_timer(vcpu->apic, now);
    if (vector >= 0)
        cpu_timer_set(vcpu->loop_due); /* the guest's deadline is gone */
    return vector;
}
