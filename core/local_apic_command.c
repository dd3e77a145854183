/*
 * From the interrupt command register to a message. SDM vol. 3A, "Issuing Interprocessor Interrupts".
 */
#include "core/local_apic_registers.h"

static struct interrupt_message message_of(const struct local_apic *lapic)
{
    struct interrupt_message message = interrupt_from_x2apic_icr((uint64_t)local_apic_get(lapic, APIC_ICR_HIGH) << 32 |
                                                                 local_apic_get(lapic, APIC_ICR_LOW));

    if (local_apic_mode(lapic) == APIC_MODE_XAPIC) {
        message.destination >>= ICR_HIGH_SHIFT;
        if (!message.logical && message.destination == XAPIC_BROADCAST)
            message.destination = X2APIC_BROADCAST;
    }
    /* Table "Valid Combinations": only INIT keeps the trigger mode (for its old de-assert); the rest are edges. */
    message.level = message.level && message.delivery == DELIVERY_INIT;
    return message;
}

/* What the manual calls invalid has no defined effect; dropping it is ours. Only fixed ones may include the sender. */
static bool is_valid(const struct interrupt_message *message)
{
    switch (message->delivery) {
    case DELIVERY_FIXED:
        return true;
    case DELIVERY_LOWEST:
    case DELIVERY_SMI:
    case DELIVERY_NMI:
    case DELIVERY_INIT:
    case DELIVERY_STARTUP:
        return message->shorthand == SHORTHAND_NONE || message->shorthand == SHORTHAND_OTHERS;
    default:
        return false;
    }
}

static bool has_vector(const struct interrupt_message *message)
{
    return message->delivery == DELIVERY_FIXED || message->delivery == DELIVERY_LOWEST;
}

/* "Error Status Register": an illegal vector is an error of the sender, and to itself of the receiver too. */
void local_apic_send_self(struct local_apic *lapic, uint8_t vector)
{
    if (vector < VECTOR_FIRST_LEGAL)
        local_apic_error(lapic, ESR_SEND_VECTOR);
    if (vector < VECTOR_FIRST_LEGAL || local_apic_software_enabled(lapic))
        local_apic_request(lapic, vector, false);
}

void local_apic_send(struct local_apic *lapic, struct local_apic_outcome *outcome)
{
    struct interrupt_message message = message_of(lapic);

    if (!is_valid(&message))
        return;
    if (message.shorthand == SHORTHAND_SELF) {
        local_apic_send_self(lapic, message.vector);
        return;
    }
    if (has_vector(&message) && message.vector < VECTOR_FIRST_LEGAL) {
        local_apic_error(lapic, ESR_SEND_VECTOR);
        return;
    }
    outcome->send = true;
    outcome->message = message;
}
