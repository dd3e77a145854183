/*
 * The address table, and what a bus makes of an access.
 */
#include "core/bus.h"

const struct bus_slot *bus_find(const struct bus_slot *slots, size_t count, uint64_t address)
{
    size_t low = 0, high = count; /* the slots below `low` begin at or below the address */

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slots[middle].base <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low != 0 && address - slots[low - 1].base < slots[low - 1].size ? &slots[low - 1] : NULL;
}

/* One bus cycle. The device sees, and answers with, only the bits that the access has. */
static void cycle(const struct bus_slot *slot, void *devices, struct bus_access *access)
{
    access->value &= bus_all_ones(access->size);
    if (slot->handle != NULL)
        slot->handle((char *)devices + slot->device, access->address - slot->base, access);
    else
        bus_nothing(access);
    access->value &= bus_all_ones(access->size);
}

/* A narrow device sees a wide access as the chipset would show it: one cycle a piece, ascending. */
static void split(const struct bus_slot *slot, void *devices, struct bus_access *access)
{
    uint64_t answer = 0;

    for (uint32_t at = 0; at < access->size; at += slot->width) {
        struct bus_access part = {
            .address = access->address + at,
            .size = slot->width,
            .write = access->write,
            .value = access->write ? access->value >> (8 * at) : 0,
        };
        cycle(slot, devices, &part);
        answer |= part.value << (8 * at);
    }
    if (!access->write)
        access->value = answer;
}

bool bus_dispatch(const struct bus_slot *slot, void *devices, struct bus_access *access)
{
    uint8_t size = access->size;

    if (slot == NULL || (size != 1 && size != 2 && size != 4 && size != 8))
        return false;
    /* The last byte's distance from the base cannot wrap: the first byte is inside the slot. */
    if (size > slot->size - (access->address - slot->base))
        return false;
    if (slot->width != 0 && size > slot->width)
        split(slot, devices, access);
    else
        cycle(slot, devices, access);
    return true;
}
