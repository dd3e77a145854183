/*
 * Decoding of interrupt messages, and which vCPUs of one partition they reach.
 * Intel SDM vol. 3A, "Issuing interprocessor interrupts" and "Extended XAPIC (x2APIC)".
 */
#include "core/interrupt.h"

struct interrupt_message interrupt_from_x2apic_icr(uint64_t icr)
{
    uint32_t low = (uint32_t)icr;
    return (struct interrupt_message){
        .destination = (uint32_t)(icr >> ICR_DESTINATION_SHIFT),
        .logical = (low & ICR_LOGICAL) != 0,
        .level = (low & ICR_LEVEL) != 0,
        .assert_line = (low & ICR_ASSERT) != 0,
        .shorthand = (enum shorthand)((low >> ICR_SHORTHAND_SHIFT) & ICR_SHORTHAND_MASK),
        .delivery = (uint8_t)((low >> ICR_DELIVERY_SHIFT) & ICR_DELIVERY_MASK),
        .vector = (uint8_t)(low & ICR_VECTOR),
    };
}

enum interrupt_verdict interrupt_judge(const struct interrupt_message *message)
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

bool interrupt_matches(const struct interrupt_message *message, uint32_t apic_id)
{
    if (message->destination == X2APIC_BROADCAST)
        return true;
    if (!message->logical)
        return message->destination == apic_id;
    uint32_t cluster = (apic_id >> 4) & 0xffff;
    uint32_t bit = 1u << (apic_id & 15);
    return message->destination >> 16 == cluster && (message->destination & bit) != 0;
}

bool interrupt_reaches(const struct interrupt_message *message, uint32_t index, uint32_t sender, bool matches)
{
    switch (message->shorthand) {
    case SHORTHAND_SELF:
        return index == sender;
    case SHORTHAND_ALL:
        return true;
    case SHORTHAND_OTHERS:
        return index != sender;
    case SHORTHAND_NONE:
        return matches;
    }
    return false;
}
