/*
 * Decoding of interrupt messages, and which vCPUs of one partition they reach.
 * Intel SDM vol. 3A, "Issuing interprocessor interrupts" and "Extended XAPIC (x2APIC)".
 */
#include "core/interrupt.h"

/* Fields of the interrupt command register, "ICR operation in x2APIC mode". */
#define ICR_VECTOR_MASK       0xffu
#define ICR_DELIVERY_SHIFT    8
#define ICR_DELIVERY_MASK     7u
#define ICR_LOGICAL           (1u << 11)
#define ICR_LEVEL_ASSERT      (1u << 14)
#define ICR_TRIGGER_LEVEL     (1u << 15)
#define ICR_SHORTHAND_SHIFT   18
#define ICR_SHORTHAND_MASK    3u
#define ICR_DESTINATION_SHIFT 32

#define DESTINATION_BROADCAST 0xffffffffu /* in physical and in logical mode */

enum { VECTOR_FIRST_LEGAL = 16 };

struct interrupt_message interrupt_from_x2apic_icr(uint64_t icr)
{
    uint32_t low = (uint32_t)icr;
    return (struct interrupt_message){
        .destination = (uint32_t)(icr >> ICR_DESTINATION_SHIFT),
        .logical = (low & ICR_LOGICAL) != 0,
        .level = (low & ICR_TRIGGER_LEVEL) != 0,
        .assert_line = (low & ICR_LEVEL_ASSERT) != 0,
        .shorthand = (enum shorthand)((low >> ICR_SHORTHAND_SHIFT) & ICR_SHORTHAND_MASK),
        .delivery = (uint8_t)((low >> ICR_DELIVERY_SHIFT) & ICR_DELIVERY_MASK),
        .vector = (uint8_t)(low & ICR_VECTOR_MASK),
    };
}

/* Whether the message may be sent at all. */
static enum interrupt_verdict judge(const struct interrupt_message *message)
{
    switch (message->delivery) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST:
        return message->vector < VECTOR_FIRST_LEGAL ? INTERRUPT_BAD_VECTOR : INTERRUPT_DELIVER;
    case DELIVERY_INIT:
        return message->assert_line ? INTERRUPT_DELIVER : INTERRUPT_NOTHING;
    case DELIVERY_NMI:
    case DELIVERY_STARTUP:
        return INTERRUPT_DELIVER;
    default:
        /* An SMI would enter the firmware, ExtINT would ask the 8259s, which belong to the machine. */
        return INTERRUPT_BAD_MODE;
    }
}

/* Whether an x2APIC id answers to the message's destination field. */
static bool destination_matches(const struct interrupt_message *message, uint32_t apic_id)
{
    if (message->destination == DESTINATION_BROADCAST)
        return true;
    if (!message->logical)
        return message->destination == apic_id;
    uint32_t cluster = (apic_id >> 4) & 0xffff;
    uint32_t bit = 1u << (apic_id & 15);
    return message->destination >> 16 == cluster && (message->destination & bit) != 0;
}

/* Broadcasts and shorthands mean everybody in the partition: the sender knows of nobody else. */
static bool reaches(const struct interrupt_message *message, uint32_t apic_id, uint32_t index, uint32_t sender)
{
    switch (message->shorthand) {
    case SHORTHAND_SELF:
        return index == sender;
    case SHORTHAND_ALL:
        return true;
    case SHORTHAND_OTHERS:
        return index != sender;
    case SHORTHAND_NONE:
        return destination_matches(message, apic_id);
    }
    return false;
}

enum interrupt_verdict interrupt_resolve(const struct interrupt_message *message, const uint32_t *apic_ids,
                                         uint32_t count, uint32_t sender, struct vcpu_set *targets)
{
    targets->bits = 0;
    enum interrupt_verdict verdict = judge(message);
    if (verdict != INTERRUPT_DELIVER)
        return verdict;

    if (count > CONFIG_MAX_CPUS)
        count = CONFIG_MAX_CPUS;
    for (uint32_t i = 0; i < count; i++)
        if (reaches(message, apic_ids[i], i, sender))
            targets->bits |= (uint64_t)1 << i;

    /* Arbitration by priority is the chip's choice; ours is the lowest match, which keeps only the lowest bit. */
    if (message->delivery == DELIVERY_LOWEST)
        targets->bits &= ~targets->bits + 1;
    return targets->bits != 0 ? INTERRUPT_DELIVER : INTERRUPT_NOTHING;
}
