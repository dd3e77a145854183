/*
 * ACPI specification, "Power Management Timer". All 32 bits count; a guest told of a 24-bit timer masks the rest.
 */
#include "drivers/virt/acpi_pm_timer.h"

void acpi_pm_timer_access(void *device, uint64_t offset, struct bus_access *access)
{
    const struct acpi_pm_timer *timer = device;

    if (access->write)
        return;
    uint32_t count = (uint32_t)virt_clock_count(timer->clock, ACPI_PM_TIMER_HZ);
    access->value = count >> (8 * offset);
}

void acpi_pm_timer_reset(struct acpi_pm_timer *timer, const struct virt_clock *clock) { timer->clock = clock; }
