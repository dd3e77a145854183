/*
 * Who a destination names. SDM vol. 3A, "Determining IPI Destination", "Logical Destination Mode in x2APIC Mode".
 *
 * Runs on the sender's CPU: mode, LDR and DFR may change beside it, and each is read once.
 */
#include "core/local_apic_registers.h"

/* "Flat Model": any common bit. "Cluster Model": the same cluster and a common bit; FFh is everybody. */
static bool matches_logical_xapic(uint32_t ldr, uint32_t dfr, uint32_t destination)
{
    uint32_t own = ldr >> XAPIC_ID_SHIFT;

    if (destination > XAPIC_BROADCAST)
        return false;
    if (dfr == DFR_FLAT)
        return (own & destination) != 0;
    if (dfr != DFR_CLUSTER)
        return false;
    return destination == XAPIC_BROADCAST || (own >> 4 == destination >> 4 && (own & destination & 0xf) != 0);
}

bool local_apic_matches(const struct local_apic *lapic, const struct interrupt_message *message)
{
    uint64_t mode = __atomic_load_n(&lapic->base, __ATOMIC_RELAXED) & APIC_BASE_MODE;

    if ((mode & APIC_BASE_EN) == 0)
        return false;
    if (mode == APIC_MODE_X2APIC)
        return interrupt_matches(message, lapic->config.id);
    if (message->destination == X2APIC_BROADCAST)
        return true;
    if (message->logical)
        return matches_logical_xapic(__atomic_load_n(&lapic->registers[APIC_LDR / sizeof(uint32_t)], __ATOMIC_RELAXED),
                                     __atomic_load_n(&lapic->registers[APIC_DFR / sizeof(uint32_t)], __ATOMIC_RELAXED),
                                     message->destination);
    return message->destination == (lapic->config.id & XAPIC_BROADCAST);
}
