#include "core/fast_apic.h"

#include "core/cpu.h"
#include "core/local_apic_registers.h"
#include "core/partition.h"

#define MSR_X2APIC(offset) (MSR_X2APIC_FIRST + (offset) / APIC_STRIDE)

enum { CLASS_SHIFT = 4 };

static inline bool has_any(const struct local_apic *lapic, uint32_t map)
{
    const uint32_t *at = &lapic->registers[map / sizeof(uint32_t)];

    return (at[0] | at[4] | at[8] | at[12] | at[16] | at[20] | at[24] | at[28]) != 0;
}

bool fast_apic_read(struct vcpu *vcpu)
{
    uint32_t number = (uint32_t)vcpu->gpr[GPR_RCX];

    if (vcpu->apic == NULL || local_apic_mode(vcpu->apic) != APIC_MODE_X2APIC)
        return false;
    switch (number) {
    case MSR_X2APIC(APIC_ID):
    case MSR_X2APIC(APIC_TPR):
    case MSR_X2APIC(APIC_SVR):
        vcpu->gpr[GPR_RAX] = local_apic_get(vcpu->apic, (number - MSR_X2APIC_FIRST) * APIC_STRIDE);
        vcpu->gpr[GPR_RDX] = 0;
        return true;
    default:
        return false;
    }
}

/*
 * Nothing is requested, so nothing becomes deliverable; an edge-triggered interrupt tells nobody that it has ended.
 * What is posted, or comes from the 8259s, does not wait for an EOI: it comes with a kick.
 */
static bool end(struct local_apic *lapic)
{
    uint8_t vector = local_apic_highest(lapic, APIC_ISR);

    if (local_apic_mode(lapic) != APIC_MODE_X2APIC || has_any(lapic, APIC_IRR))
        return false;
    if (vector == 0)
        return true;
    uint32_t at = local_apic_map_at(APIC_ISR, vector), bit = local_apic_map_bit(vector);
    if ((local_apic_get(lapic, at + APIC_TMR - APIC_ISR) & bit) != 0)
        return false;
    local_apic_put(lapic, at, local_apic_get(lapic, at) & ~bit);
    lapic->changes |= LOCAL_APIC_CHANGED_VECTORS;
    return true;
}

/*
 * A plain interrupt to another vCPU, whose number is its local APIC's id: fixed delivery, physical destination, edge,
 * no shorthand, no reserved bit. One to itself is the run loop's to deliver. This and write_deadline are kept out of
 * their caller, where an EOI would have to save the registers that they need.
 */
static __attribute__((noinline)) bool send(struct vcpu *vcpu, uint64_t value)
{
    const struct partition *p = vcpu->partition;
    uint32_t to = (uint32_t)(value >> 32), low = (uint32_t)value;
    struct interrupt_message message = {.destination = to, .delivery = DELIVERY_FIXED, .vector = (uint8_t)low};

    if (to >= p->vcpu_count || to == vcpu->index || !local_apic_matches(p->vcpus[to].apic, &message) ||
        (low & ~(ICR_ASSERT | ICR_VECTOR)) != 0 || message.vector < VECTOR_FIRST_LEGAL ||
        local_apic_mode(vcpu->apic) != APIC_MODE_X2APIC)
        return false;
    local_apic_put(vcpu->apic, APIC_ICR_LOW, low);
    local_apic_put(vcpu->apic, APIC_ICR_HIGH, to);
    if (local_apic_post(p->vcpus[to].apic, &message))
        cpu_kick(p->vcpus[to].cpu);
    return true;
}

/*
 * The run loop's own reasons to come back stay in force. In this mode nothing but the deadline counts; one that is
 * masked brings the guest out once for nothing.
 */
static __attribute__((noinline)) bool write_deadline(struct vcpu *vcpu, uint64_t value)
{
    struct local_apic *lapic = vcpu->apic;
    uint64_t now = cpu_clock();
    bool pends = lapic->timer.deadline != 0 && lapic->timer.deadline <= now;

    if (pends || (value != 0 && value <= now) || !local_apic_in_deadline_mode(lapic))
        return false;
    lapic->timer.deadline = value;
    cpu_timer_set(value != 0 && value < vcpu->loop_due ? value : vcpu->loop_due);
    return true;
}

bool fast_apic_write(struct vcpu *vcpu)
{
    uint64_t value = vcpu->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->gpr[GPR_RAX];
    uint32_t number = (uint32_t)vcpu->gpr[GPR_RCX];

    if (vcpu->apic == NULL)
        return false;
    if (number == MSR_X2APIC(APIC_EOI))
        return value == 0 && end(vcpu->apic);
    if (number == MSR_X2APIC(APIC_ICR_LOW))
        return send(vcpu, value);
    return number == MSR_IA32_TSC_DEADLINE && write_deadline(vcpu, value);
}

/* The 8259s interrupt the first vCPU before its local APIC does; the run loop looks at their output. */
static bool is_quiet(const struct vcpu *vcpu)
{
    return vcpu->index != 0 || !platform_extint(vcpu->partition->platform);
}

/* The vector that the deadline raises by now; -1: none, or there is more to look at. */
static int due(const struct local_apic *lapic, uint64_t now)
{
    uint32_t entry = local_apic_get(lapic, APIC_LVT_TIMER);

    if (lapic->timer.deadline == 0 || now < lapic->timer.deadline || (entry & LVT_MASKED) != 0 ||
        (entry & LVT_VECTOR) < VECTOR_FIRST_LEGAL || !local_apic_in_deadline_mode(lapic) || lapic->nmi ||
        lapic->extint_message || local_apic_has_posts(lapic))
        return -1;
    return (int)(entry & LVT_VECTOR);
}

/* Whether a vector can be put into service with nothing more to look at. */
static bool is_next(const struct local_apic *lapic, int vector)
{
    return !has_any(lapic, APIC_IRR) && !has_any(lapic, APIC_ISR) &&
           vector >> CLASS_SHIFT > (uint8_t)local_apic_get(lapic, APIC_TPR) >> CLASS_SHIFT;
}

int fast_apic_timer(struct vcpu *vcpu, bool by_itself)
{
    struct local_apic *lapic = vcpu->apic;
    uint64_t now = cpu_clock();

    if (lapic == NULL || now >= vcpu->loop_due || !is_quiet(vcpu))
        return -1;
    int vector = due(lapic, now);
    if (vector < 0)
        return -1;
    uint32_t level_at = local_apic_map_at(APIC_TMR, (uint8_t)vector), bit = local_apic_map_bit((uint8_t)vector);
    uint32_t levels = local_apic_get(lapic, level_at);
    if (by_itself ? (levels & bit) != 0 : !is_next(lapic, vector))
        return -1;
    uint32_t at = local_apic_map_at(by_itself ? APIC_IRR : APIC_ISR, (uint8_t)vector);
    local_apic_put(lapic, level_at, levels & ~bit);
    local_apic_put(lapic, at, local_apic_get(lapic, at) | bit);
    lapic->timer.deadline = 0;
    cpu_timer_set(vcpu->loop_due); /* the guest's deadline is gone */
    return vector;
}
