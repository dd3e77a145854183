/*
 * ACPI specification, "Sleep Control and Status Registers":
 *
 *   +0  control: SLP_TYP bits 4:2 as the DSDT's \_S5 says, SLP_EN bit 5 (reads 0)
 *   +1  status: WAK_STS bit 7, write 1 to clear; always 0, since nothing ever wakes
 *
 * A sleep type that the tables do not offer is stored and does nothing.
 */
#include "drivers/virt/acpi_sleep.h"

#include "core/acpi_tables.h"

enum { CONTROL = 0, CONTROL_TYPE = 7u << GUEST_SLEEP_TYPE_SHIFT };

_Static_assert(GUEST_SLEEP_STATUS_PORT == GUEST_SLEEP_CONTROL_PORT + 1, "one slot holds both registers");

void acpi_sleep_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct acpi_sleep *sleep = device;
    uint8_t value = (uint8_t)access->value;

    if (!access->write) {
        access->value = offset == CONTROL ? sleep->control : 0;
    } else if (offset == CONTROL) {
        if ((value & (CONTROL_TYPE | GUEST_SLEEP_ENABLE)) == GUEST_SLEEP_S5)
            sleep->power_off_requested = true;
        sleep->control = value & CONTROL_TYPE;
    }
}

void acpi_sleep_reset(struct acpi_sleep *sleep) { *sleep = (struct acpi_sleep){0}; }
