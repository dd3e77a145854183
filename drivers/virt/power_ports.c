/*
 *   64h   write F0h-FFh with bit 0 clear ("pulse output port", bit 0 = the CPU's reset line); read FFh: nobody there.
 *         FFh and not an idle status, because drivers take it as "no controller" at once: they do not wait.
 *   92h   bit 0 rising: fast reset; bit 1: A20, always on here
 *   CF9h  bit 1 SYS_RST (kind of reset), bit 2 RST_CPU: rising starts it, bit 3 FULL_RST. All kinds are the same for a
 *         partition. Intel PCH data sheet, "Reset Control Register".
 *
 * ACPI specification, "Sleep Control and Status Registers":
 *
 *   604h  control: SLP_TYP bits 4:2 as the DSDT's \_S5 says, SLP_EN bit 5 (reads 0)
 *   605h  status: WAK_STS bit 7, write 1 to clear; always 0, since nothing ever wakes
 *
 * A sleep type that the tables do not offer is stored and does nothing.
 */
#include "drivers/virt/power_ports.h"

#include "core/acpi_tables.h"

enum {
    KEYBOARD_COMMAND = 0x64,
    KEYBOARD_PULSE = 0xf0,
    KEYBOARD_PULSE_NOT_RESET = 1u << 0,
    PORT_92 = 0x92,
    PORT_92_RESET = 1u << 0,
    PORT_92_A20 = 1u << 1,
    CF9_SYS_RST = 1u << 1,
    CF9_RST_CPU = 1u << 2,
    CF9_FULL_RST = 1u << 3,
    SLEEP_TYPE = 7u << GUEST_SLEEP_TYPE_SHIFT,
};

static uint8_t register_read(const struct power_ports *ports, uint64_t port)
{
    switch (port) {
    case PORT_92:
        return ports->port_92 | PORT_92_A20;
    case GUEST_RESET_PORT:
        return ports->reset_control;
    case GUEST_SLEEP_CONTROL_PORT:
        return ports->sleep_control;
    case GUEST_SLEEP_STATUS_PORT:
        return 0;
    default: /* KEYBOARD_COMMAND */
        return 0xff;
    }
}

static void register_write(struct power_ports *ports, uint64_t port, uint8_t value)
{
    switch (port) {
    case KEYBOARD_COMMAND:
        if ((value & (KEYBOARD_PULSE | KEYBOARD_PULSE_NOT_RESET)) == KEYBOARD_PULSE)
            ports->request = PLATFORM_RESET;
        break;
    case PORT_92:
        if ((value & ~ports->port_92 & PORT_92_RESET) != 0)
            ports->request = PLATFORM_RESET;
        ports->port_92 = value;
        break;
    case GUEST_RESET_PORT:
        if ((value & CF9_RST_CPU) != 0)
            ports->request = PLATFORM_RESET;
        /* RST_CPU is not kept: after a reset that was refused, the next request is a rising bit again. */
        ports->reset_control = value & (CF9_SYS_RST | CF9_FULL_RST);
        break;
    case GUEST_SLEEP_CONTROL_PORT:
        if ((value & (SLEEP_TYPE | GUEST_SLEEP_ENABLE)) == GUEST_SLEEP_S5)
            ports->request = PLATFORM_POWER_OFF;
        ports->sleep_control = value & SLEEP_TYPE;
        break;
    default: /* GUEST_SLEEP_STATUS_PORT */
        break;
    }
}

void power_ports_access(void *device, uint64_t offset, struct bus_access *access)
{
    (void)offset;
    if (access->write)
        register_write(device, access->address, (uint8_t)access->value);
    else
        access->value = register_read(device, access->address);
}
