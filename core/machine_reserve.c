#include "core/machine.h"

static bool region_append(struct machine *machine, uint64_t base, uint64_t end, enum memory_kind kind)
{
    if (base >= end)
        return true;
    if (machine->region_count == MACHINE_MAX_REGIONS)
        return false;
    machine->regions[machine->region_count++] = (struct machine_region){{base, end - base}, kind};
    return true;
}

static void region_sort_last(struct machine *machine)
{
    for (uint32_t i = machine->region_count - 1; i > 0; i--) {
        struct machine_region *a = &machine->regions[i - 1], *b = &machine->regions[i];
        if (a->range.base <= b->range.base)
            return;
        struct machine_region swapped = *a;
        *a = *b;
        *b = swapped;
    }
}

bool machine_reserve(struct machine *machine, struct range range)
{
    for (uint32_t i = 0; i < machine->region_count; i++) {
        struct machine_region whole = machine->regions[i];
        if (whole.kind != MEMORY_USABLE || !range_includes(whole.range, range))
            continue;
        if (machine->region_count + 2 > MACHINE_MAX_REGIONS)
            return false;
        machine->regions[i].range = range;
        machine->regions[i].kind = MEMORY_RESERVED;
        if (!region_append(machine, range_end(range), range_end(whole.range), MEMORY_USABLE))
            return false;
        region_sort_last(machine);
        if (!region_append(machine, whole.range.base, range.base, MEMORY_USABLE))
            return false;
        region_sort_last(machine);
        return true;
    }
    return false;
}

bool machine_find_free(const struct machine *machine, uint64_t size, uint64_t floor, uint64_t ceiling, uint64_t *out)
{
    bool found = false;
    for (uint32_t i = 0; i < machine->region_count; i++) {
        struct range usable = range_intersect(machine->regions[i].range, (struct range){floor, ceiling - floor});
        if (machine->regions[i].kind != MEMORY_USABLE || usable.size < size)
            continue;
        /* From the top downwards, past whatever module or image stands in the way. */
        uint64_t at = align_down(range_end(usable) - size, PAGE_SIZE);
        for (bool moved = true; moved && at >= usable.base;) {
            moved = false;
            for (uint32_t j = 0; j <= machine->module_count; j++) {
                struct range taken = j < machine->module_count ? machine->modules[j].range : machine->hypervisor;
                if (at < usable.base || !range_overlaps((struct range){at, size}, taken))
                    continue;
                if (taken.base < size)
                    return found;
                at = align_down(taken.base - size, PAGE_SIZE);
                moved = true;
            }
        }
        if (at >= usable.base) {
            *out = at;
            found = true; /* the highest region that has it wins: low memory is what guests can use best */
        }
    }
    return found;
}
