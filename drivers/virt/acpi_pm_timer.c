/*
 * ACPI specification, "Power Management Timer". All 32 bits count; a guest told of a 24-bit timer masks the rest.
 */
#include "drivers/virt/acpi_pm_timer.h"

void acpi_pm_timer_access(void *clock, uint64_t offset, struct bus_access *access)
{
    if (!access->write)
        access->value = (uint32_t)virt_clock_count(clock, ACPI_PM_TIMER_HZ) >> (8 * offset);
}
