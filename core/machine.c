/*
 * What box this is: look-ups.
 */
#include "core/machine.h"

const struct machine_region *machine_find_region(const struct machine *machine, struct range range)
{
    for (uint32_t i = 0; i < machine->region_count; i++)
        if (range_includes(machine->regions[i].range, range))
            return &machine->regions[i];
    return NULL;
}

int machine_find_module(const struct machine *machine, struct slice name)
{
    for (uint32_t i = 0; i < machine->module_count; i++)
        if (slice_equals(name, machine->modules[i].name))
            return (int)i;
    return -1;
}
