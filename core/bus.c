/*
 * The address table: kept sorted when slots are added, bisected when an access comes.
 */
#include "core/bus.h"

#include "core/range.h"

/* How many slots begin at or below `address`. */
static uint32_t slots_up_to(const struct bus *bus, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = bus->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bus->slots[middle].base <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct range slot_range(const struct bus_slot *slot) { return (struct range){slot->base, slot->size}; }

static bool slot_fits(const struct bus *bus, const struct bus_slot *slot, uint32_t place)
{
    struct range range = slot_range(slot);

    if (bus->count >= BUS_MAX_SLOTS || slot->handle == NULL || slot->size == 0 || !range_valid(range))
        return false;
    if (place > 0 && range_overlaps(slot_range(&bus->slots[place - 1]), range))
        return false;
    return place == bus->count || !range_overlaps(slot_range(&bus->slots[place]), range);
}

bool bus_add(struct bus *bus, struct bus_slot slot)
{
    uint32_t place = slots_up_to(bus, slot.base);

    if (!slot_fits(bus, &slot, place))
        return false;
    for (uint32_t i = bus->count; i > place; i--)
        bus->slots[i] = bus->slots[i - 1];
    bus->slots[place] = slot;
    bus->count++;
    return true;
}

const struct bus_slot *bus_find(const struct bus *bus, uint64_t address)
{
    uint32_t place = slots_up_to(bus, address);

    if (place == 0 || !range_contains(slot_range(&bus->slots[place - 1]), address))
        return NULL;
    return &bus->slots[place - 1];
}

/* One bus cycle. The device sees, and answers with, only the bits that the access has. */
static void cycle(const struct bus_slot *slot, struct bus_access *access)
{
    access->value &= bus_all_ones(access->size);
    slot->handle(slot->device, access->address - slot->base, access);
    access->value &= bus_all_ones(access->size);
}

/* A narrow device sees a wide access as the chipset would show it: one cycle a piece, ascending. */
static void split(const struct bus_slot *slot, struct bus_access *access)
{
    uint64_t answer = 0;

    for (uint32_t at = 0; at < access->size; at += slot->width) {
        struct bus_access part = {
            .address = access->address + at,
            .size = slot->width,
            .write = access->write,
            .value = access->write ? access->value >> (8 * at) : 0,
        };
        cycle(slot, &part);
        answer |= part.value << (8 * at);
    }
    if (!access->write)
        access->value = answer;
}

bool bus_slot_dispatch(const struct bus_slot *slot, struct bus_access *access)
{
    uint8_t size = access->size;

    if (slot == NULL || (size != 1 && size != 2 && size != 4 && size != 8))
        return false;
    /* The last byte's distance from the base cannot wrap: the first byte is inside the slot, and the slot does not. */
    if (size > slot->size - (access->address - slot->base))
        return false;
    if (slot->width != 0 && size > slot->width)
        split(slot, access);
    else
        cycle(slot, access);
    return true;
}

bool bus_dispatch(const struct bus *bus, struct bus_access *access)
{
    return bus_slot_dispatch(bus_find(bus, access->address), access);
}
