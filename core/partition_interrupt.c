/*
 * Interrupts inside one partition: from a vCPU's ICR or from a device model to vCPUs, never beyond.
 */
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"
#include "core/local_apic.h"

static void request(struct vcpu *target, uint32_t what)
{
    __atomic_fetch_or(&target->requests, what, __ATOMIC_SEQ_CST);
    cpu_kick(target->cpu);
}

bool partition_request(struct vcpu *target, const struct interrupt_message *message)
{
    switch (message->delivery) {
    case DELIVERY_NMI:
        request(target, VCPU_REQUEST_NMI);
        return true;
    case DELIVERY_INIT:
        if (message->assert_line) /* the old de-assert message does nothing */
            request(target, VCPU_REQUEST_INIT);
        return true;
    case DELIVERY_STARTUP:
        __atomic_store_n(&target->sipi_vector, message->vector, __ATOMIC_RELEASE);
        request(target, VCPU_REQUEST_SIPI);
        return true;
    default:
        return false;
    }
}

/* NMI, INIT and start-up go the same way in both modes. */
static void deliver_one(struct vcpu *target, const struct interrupt_message *message)
{
    if (partition_request(target, message))
        return;
    if (target->apic != NULL) {
        if (local_apic_post(target->apic, message))
            cpu_kick(target->cpu);
        return;
    }
    /*
     * Fixed or lowest priority: interrupt_judge refuses the rest. A vCPU that waits for its start-up message has its
     * local APIC in the state after INIT: it takes nothing.
     */
    if (__atomic_load_n(&target->state, __ATOMIC_ACQUIRE) == VCPU_RUNNING)
        cpu_send_vector(target->cpu, message->vector);
}

enum interrupt_verdict partition_interrupt(struct partition *p, const struct interrupt_message *message,
                                           uint32_t sender)
{
    bool direct = !p->plan->virtual_interrupts; /* a model has judged it already */
    enum interrupt_verdict verdict = direct ? interrupt_judge(message) : INTERRUPT_DELIVER;
    if (verdict != INTERRUPT_DELIVER)
        return verdict;
    verdict = INTERRUPT_NOTHING;
    for (uint32_t i = 0; i < p->vcpu_count; i++) {
        bool matches =
            direct ? interrupt_matches(message, p->apic_ids[i]) : local_apic_matches(p->vcpus[i].apic, message);
        if (!interrupt_reaches(message, i, sender, matches))
            continue;
        verdict = INTERRUPT_DELIVER;
        deliver_one(&p->vcpus[i], message);
        if (message->delivery == DELIVERY_LOWEST)
            break; /* arbitration by priority is the chip's choice; ours is the lowest match */
    }
    return verdict;
}

void partition_deliver(struct partition *p, const struct platform_outcome *outcome)
{
    for (uint32_t i = 0; i < outcome->message_count; i++)
        if (partition_interrupt(p, &outcome->messages[i], 0) == INTERRUPT_BAD_VECTOR)
            p->dropped_interrupts++; /* a pin programmed with a vector below 16: hardware drops it too */
    if (p->plan->virtual_interrupts && platform_extint(p->platform) && cpu_current() != p->vcpus[0].cpu)
        cpu_kick(p->vcpus[0].cpu); /* it looks at the 8259s before each entry */
    switch (outcome->request) {
    case PLATFORM_NOTHING:
        return;
    case PLATFORM_RESET:
        lifecycle_guest_reset(p);
        return;
    case PLATFORM_POWER_OFF:
        lifecycle_fault(p, FAULT_POWER_OFF, "powered off by the guest");
        return;
    }
}
