/*
 * The sleep control and status registers of a hardware-reduced ACPI machine. S5, power off, is the only sleep.
 */
#pragma once

#include "core/bus.h"

enum { ACPI_SLEEP_PORTS = 2 };

struct acpi_sleep {
    bool power_off_requested; /* set here, cleared by who carries it out */
    uint8_t control;
};

void acpi_sleep_reset(struct acpi_sleep *sleep);

/* A bus_handler for a slot of ACPI_SLEEP_PORTS ports from GUEST_SLEEP_CONTROL_PORT on, width 1. */
void acpi_sleep_access(void *sleep, uint64_t offset, struct bus_access *access);
