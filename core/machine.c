/*
 * What box this is: look-ups.
 */
#include "core/machine.h"

int machine_find_module(const struct machine *machine, struct slice name)
{
    for (uint32_t i = 0; i < machine->module_count; i++)
        if (slice_equals(name, machine->modules[i].name))
            return (int)i;
    return -1;
}
