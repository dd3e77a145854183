/*
 * What a PC's bus answers where no card is: the pulled-up data lines.
 */
#include "drivers/virt/nothing.h"

void nothing_access(void *unused, uint64_t offset, struct bus_access *access)
{
    (void)unused;
    (void)offset;
    if (!access->write)
        access->value = bus_all_ones(access->size);
}
