/* Taking memory out of the map before the plan is made: for the hypervisor itself. */
#include "core/machine.h"

/* Puts a usable region in its place, if it has any byte; the caller has made sure that the table has room. */
static void region_insert(struct machine *machine, uint64_t base, uint64_t end)
{
    if (base >= end)
        return;
    uint32_t i = machine->region_count++;
    for (; i > 0 && machine->regions[i - 1].range.base > base; i--)
        machine->regions[i] = machine->regions[i - 1];
    machine->regions[i] = (struct machine_region){{base, end - base}, MEMORY_USABLE};
}

bool machine_reserve(struct machine *machine, struct range range)
{
    const struct machine_region *region = machine_find_region(machine, range);
    if (region == NULL || region->kind != MEMORY_USABLE || range.size == 0)
        return false;
    struct range whole = region->range;
    uint32_t rests = range.base > whole.base ? 1 : 0;
    rests += range_end(range) < range_end(whole) ? 1 : 0;
    if (rests > MACHINE_MAX_REGIONS - machine->region_count)
        return false;
    machine->regions[region - machine->regions] = (struct machine_region){range, MEMORY_RESERVED};
    region_insert(machine, range_end(range), range_end(whole));
    region_insert(machine, whole.base, range.base);
    return true;
}

/* The lowest taken byte that stands in the way of `wanted`, a module's or the hypervisor's; false: nothing does. */
static bool is_taken(const struct machine *machine, struct range wanted, uint64_t *lowest)
{
    bool taken = false;
    for (uint32_t i = 0; i <= machine->module_count; i++) {
        struct range r = i < machine->module_count ? machine->modules[i].range : machine->hypervisor;
        if (!range_overlaps(r, wanted) || (taken && r.base >= *lowest))
            continue;
        taken = true;
        *lowest = r.base;
    }
    return taken;
}

/* From the top downwards, past whatever stands in the way. */
static bool find_in(const struct machine *machine, struct range usable, uint64_t size, uint64_t *out)
{
    uint64_t end = range_end(usable);
    while (end >= size) {
        uint64_t at = align_down(end - size, PAGE_SIZE);
        if (at < usable.base)
            return false;
        if (!is_taken(machine, (struct range){at, size}, &end)) {
            *out = at;
            return true;
        }
    }
    return false;
}

bool machine_find_free(const struct machine *machine, uint64_t size, uint64_t floor, uint64_t ceiling, uint64_t *out)
{
    bool found = false;
    struct range window = {floor, ceiling > floor ? ceiling - floor : 0};
    for (uint32_t i = 0; i < machine->region_count; i++) {
        struct range usable = range_intersect(machine->regions[i].range, window);
        uint64_t at;
        if (machine->regions[i].kind != MEMORY_USABLE || usable.size < size || !find_in(machine, usable, size, &at))
            continue;
        if (!found || at > *out)
            *out = at; /* the highest place wins: low memory is what guests can use best */
        found = true;
    }
    return found;
}

uint64_t machine_usable(const struct machine *machine)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < machine->region_count; i++)
        if (machine->regions[i].kind == MEMORY_USABLE)
            sum += machine->regions[i].range.size;
    return sum;
}
