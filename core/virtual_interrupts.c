#include "core/virtual_interrupts.h"

#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/local_apic.h"

void virtual_interrupts_reset(struct vcpu *vcpu)
{
    struct cpuid_guest guest = exit_cpuid_guest(vcpu, 0);
    struct cpuid_regs clock; /* of the timer: the one that CPUID tells the guest about */
    cpuid_answer(&guest, 0x15, 0, cpu_cpuid, &clock);
    struct local_apic_config config = {
        .id = vcpu->apic_id, .bootstrap = vcpu->index == 0, .bus_hz = clock.ecx, .tsc_hz = guest.tsc_hz};
    local_apic_power_on(vcpu->apic, &config);
    if (config.bootstrap)
        local_apic_virtual_wire(vcpu->apic);
}

/* What an access has led to. */
static void carry_out(struct vcpu *vcpu)
{
    struct partition *p = vcpu->partition;
    struct local_apic_outcome outcome = vcpu->apic->outcome;
    vcpu->apic->outcome = (struct local_apic_outcome){0};
    if (outcome.send)
        (void)!partition_interrupt(p, &outcome.message, vcpu->index); /* to nobody: as on a bus */
    if (outcome.eoi) {
        struct platform_outcome after;
        platform_eoi(p->platform, outcome.eoi_vector, cpu_clock(), &after);
        partition_deliver(p, &after);
    }
}

bool virtual_interrupts_msr_read(struct vcpu *vcpu, uint32_t number, uint64_t *value)
{
    return local_apic_msr_read(vcpu->apic, number, cpu_clock(), value);
}

bool virtual_interrupts_msr_write(struct vcpu *vcpu, uint32_t number, uint64_t value)
{
    if (!local_apic_msr_write(vcpu->apic, number, value, cpu_clock()))
        return false;
    msr_cache_set_apic_base(&vcpu->msr, vcpu->apic->base); /* if it was that one */
    carry_out(vcpu);
    return true;
}

bool virtual_interrupts_owns_memory(const struct vcpu *vcpu, uint64_t address)
{
    return vcpu->apic != NULL && local_apic_page(vcpu->apic, address);
}

bool virtual_interrupts_memory(struct vcpu *vcpu, struct bus_access *access)
{
    if (vcpu->apic == NULL || !local_apic_memory(vcpu->apic, access, cpu_clock()))
        return false;
    carry_out(vcpu);
    return true;
}

bool virtual_interrupts_cr8(struct vcpu *vcpu, const struct exit *exit)
{
    if (exit->write)
        return local_apic_set_cr8(vcpu->apic, vcpu->gpr[exit->gpr]);
    vcpu->gpr[exit->gpr] = local_apic_cr8(vcpu->apic);
    return true;
}

void virtual_interrupts_ended(struct vcpu *vcpu, uint8_t vector)
{
    local_apic_ended(vcpu->apic, vector);
    carry_out(vcpu);
}

void virtual_interrupts_written(struct vcpu *vcpu, uint64_t offset)
{
    local_apic_written(vcpu->apic, offset, cpu_clock());
    carry_out(vcpu);
}

/* An entry of the local vector table that is set to NMI. */
static void take_nmi(struct vcpu *vcpu)
{
    if (!vcpu->apic->nmi)
        return;
    vcpu->apic->nmi = false;
    __atomic_fetch_or(&vcpu->requests, VCPU_REQUEST_NMI, __ATOMIC_ACQ_REL);
    cpu_kick(vcpu->cpu); /* the requests have been looked at already: once more */
}

/* Injects the one interrupt that is next, if the guest can take it now. True: that ends its HLT. */
static bool inject_next(struct vcpu *vcpu, const struct backend *backend)
{
    struct local_apic *apic = vcpu->apic;
    bool extint = local_apic_extint(apic);
    bool by_itself = backend->interrupt_offer(vcpu) && !extint;
    int vector = extint ? 0 : by_itself && vcpu->state == VCPU_RUNNING ? -1 : local_apic_pending(apic);
    if (vector < 0) {
        backend->interrupt_quiet(vcpu);
        return false;
    }
    if (!backend->interrupt_ready(vcpu))
        return false;
    if (by_itself)
        return true;
    if (extint) {
        struct platform_outcome outcome;
        local_apic_take_extint(apic);
        vector = platform_acknowledge(vcpu->partition->platform, cpu_clock(), &outcome);
        partition_deliver(vcpu->partition, &outcome);
    } else {
        local_apic_take(apic, (uint8_t)vector);
    }
    backend->inject_interrupt(vcpu, (uint8_t)vector);
    return true;
}

static void lower(uint64_t *due, uint64_t to)
{
    if (to < *due)
        *due = to;
}

bool virtual_interrupts_prepare(struct vcpu *vcpu, const struct backend *backend, uint64_t *due)
{
    struct partition *p = vcpu->partition;
    uint64_t now = cpu_clock();
    if (vcpu->index == 0) {
        if (now >= platform_due(p->platform)) {
            struct platform_outcome outcome;
            platform_tick(p->platform, now, &outcome);
            partition_deliver(p, &outcome);
        }
        /* The 8259s' output is looked at, not sent: two CPUs that change it cannot be overtaken by each other's news.
         */
        local_apic_set_lint0(vcpu->apic, platform_extint(p->platform));
    }
    local_apic_absorb(vcpu->apic);
    local_apic_tick(vcpu->apic, now);
    take_nmi(vcpu);
    if (inject_next(vcpu, backend))
        vcpu->state = VCPU_RUNNING;
    if (vcpu->index == 0)
        lower(due, platform_due(p->platform));
    vcpu->loop_due = *due;
    lower(due, local_apic_next_deadline(vcpu->apic));
    return vcpu->state == VCPU_RUNNING;
}
