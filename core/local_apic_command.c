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

/*
 * "Valid Combinations": only fixed ones may include the sender, ExtINT is not for sending. What the manual calls
 * invalid has no defined effect; dropping it is ours.
 */
static bool is_valid(const struct interrupt_message *message)
{
    bool sendable = message->delivery != DELIVERY_RESERVED && message->delivery != DELIVERY_EXTINT;
    bool to_others = message->shorthand == SHORTHAND_NONE || message->shorthand == SHORTHAND_OTHERS;

    return message->delivery == DELIVERY_FIXED || (sendable && to_others);
}

/* "Error Status Register": an illegal vector is an error of the sender, and to itself of the receiver too. */
void local_apic_send_self(struct local_apic *lapic, uint8_t vector)
{
    if (vector < VECTOR_FIRST_LEGAL)
        local_apic_error(lapic, ESR_SEND_VECTOR);
    if (vector < VECTOR_FIRST_LEGAL || local_apic_software_enabled(lapic))
        local_apic_request(lapic, vector, false);
}

void local_apic_send(struct local_apic *lapic)
{
    struct interrupt_message message = message_of(lapic);

    if (!is_valid(&message))
        return;
    if (message.shorthand == SHORTHAND_SELF) {
        local_apic_send_self(lapic, message.vector);
        return;
    }
    if (interrupt_judge(&message) == INTERRUPT_BAD_VECTOR) {
        local_apic_error(lapic, ESR_SEND_VECTOR);
        return;
    }
    lapic->outcome.send = true;
    lapic->outcome.message = message;
}
