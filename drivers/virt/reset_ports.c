/*
 *   64h   write F0h-FFh with bit 0 clear ("pulse output port", bit 0 = the CPU's reset line); read FFh: nobody there.
 *         FFh and not an idle status, because drivers take it as "no controller" at once instead of waiting for
 * answers. 92h   bit 0 rising: fast reset; bit 1: A20, always on here CF9h  bit 1 SYS_RST (kind of reset), bit 2
 * RST_CPU: rising starts it, bit 3 FULL_RST (Intel PCH data sheet, "Reset Control Register"). All kinds are the same
 * for a partition.
 */
#include "drivers/virt/reset_ports.h"

enum {
    KBC_PULSE = 0xf0,
    KBC_PULSE_NOT_RESET = 1u << 0,
    PORT_92_RESET = 1u << 0,
    PORT_92_A20 = 1u << 1,
    CF9_SYS_RST = 1u << 1,
    CF9_RST_CPU = 1u << 2,
    CF9_FULL_RST = 1u << 3,
};

void reset_ports_cf9_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct reset_ports *ports = device;

    (void)offset;
    if (!access->write) {
        access->value = ports->cf9;
        return;
    }
    if ((access->value & CF9_RST_CPU) != 0)
        ports->requested = true;
    /* RST_CPU is not kept: after a reset that was refused, the next request is a rising bit again. */
    ports->cf9 = (uint8_t)access->value & (CF9_SYS_RST | CF9_FULL_RST);
}

void reset_ports_64_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct reset_ports *ports = device;

    (void)offset;
    if (!access->write)
        access->value = 0xff;
    else if ((access->value & KBC_PULSE) == KBC_PULSE && (access->value & KBC_PULSE_NOT_RESET) == 0)
        ports->requested = true;
}

void reset_ports_92_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct reset_ports *ports = device;

    (void)offset;
    if (!access->write) {
        access->value = ports->port_92 | PORT_92_A20;
        return;
    }
    if ((access->value & PORT_92_RESET) != 0 && (ports->port_92 & PORT_92_RESET) == 0)
        ports->requested = true;
    ports->port_92 = (uint8_t)access->value;
}

void reset_ports_reset(struct reset_ports *ports) { *ports = (struct reset_ports){0}; }
