/*
 * Interrupt messages: any ICR value, any set of ids. What the filter decides is compared with the manual's rules asked
 * the other way round: for each vCPU, "must this one hear it?".
 */
#include "core/config.h"
#include "core/interrupt.h"

#include "tests/fuzz/input.h"

static bool hears(uint64_t icr, uint32_t id, uint32_t index, uint32_t sender)
{
    unsigned shorthand = icr >> 18 & 3;
    uint32_t destination = (uint32_t)(icr >> 32);
    if (shorthand != 0)
        return shorthand == 2 || (shorthand == 1) == (index == sender);
    if (destination == UINT32_MAX)
        return true;
    if ((icr & 1u << 11) == 0)
        return destination == id;
    /* The logical x2APIC id: cluster in the high half, one bit of sixteen in the low half. */
    uint32_t logical = (id & 0xffff0) << 12 | 1u << (id & 15);
    return logical >> 16 == destination >> 16 && (logical & destination & 0xffff) != 0;
}

static enum interrupt_verdict judge(uint64_t icr)
{
    unsigned delivery = icr >> 8 & 7;
    if (delivery == 2 || delivery == 3 || delivery == 7)
        return INTERRUPT_BAD_MODE;
    if (delivery <= 1 && (icr & 0xff) < 16)
        return INTERRUPT_BAD_VECTOR;
    if (delivery == 5 && (icr & 1u << 14) == 0)
        return INTERRUPT_NOTHING;
    return INTERRUPT_DELIVER;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint64_t icr = input_64(&in);
    uint32_t count = input_8(&in) % CONFIG_MAX_CPUS + 1;
    uint32_t sender = input_8(&in) % count;
    bool wide = (input_8(&in) & 1) != 0; /* ids beyond one byte */
    uint32_t *ids = malloc(count * sizeof *ids);
    require(ids != NULL);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = in.left == 0 ? i : wide ? input_32(&in) : input_8(&in);

    struct interrupt_message message = interrupt_from_x2apic_icr(icr);
    require(interrupt_judge(&message) == judge(icr));
    for (uint32_t i = 0; i < count; i++)
        require(interrupt_reaches(&message, i, sender, interrupt_matches(&message, ids[i])) ==
                hears(icr, ids[i], i, sender));
    require(message.vector == (icr & 0xff));
    free(ids);
    return 0;
}
