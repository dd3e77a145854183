/*
 * The ACPI power-management timer: 3.579545 MHz, 32 bits, from the TSC. It raises no interrupt, and has no state.
 */
#pragma once

#include "core/bus.h"
#include "core/virt_clock.h"

enum { ACPI_PM_TIMER_PORTS = 4, ACPI_PM_TIMER_HZ = 3579545 };

/* A bus_handler for a slot of ACPI_PM_TIMER_PORTS ports and any width; `clock` is a struct virt_clock. */
void acpi_pm_timer_access(void *clock, uint64_t offset, struct bus_access *access);
