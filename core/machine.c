/*
 * What box this is: look-ups.
 */
#include "core/machine.h"

#include "core/bytes.h"

int machine_find_module(const struct machine *machine, const char *name)
{
    for (uint32_t i = 0; i < machine->module_count; i++)
        if (strcmp(machine->modules[i].name, name) == 0)
            return (int)i;
    return -1;
}
