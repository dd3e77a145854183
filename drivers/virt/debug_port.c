/*
 * The debug port keeps nothing: what is written goes to the output ring.
 */
#include "drivers/virt/debug_port.h"

enum { DEBUG_PORT_PRESENT = 0xe9 };

void debug_port_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct debug_port *port = device;

    (void)offset;
    if (access->write)
        ring_put(port->output, (char)(uint8_t)access->value);
    else
        access->value = DEBUG_PORT_PRESENT;
}

void debug_port_reset(struct debug_port *port, struct ring *output) { port->output = output; }
