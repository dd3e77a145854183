/*
 * Port E9h of emulators: a byte written is a byte of console output.
 */
#pragma once

#include "core/bus.h"
#include "core/ring.h"

struct debug_port {
    struct ring *output;
};

void debug_port_reset(struct debug_port *port, struct ring *output);

/* A bus_handler for one port, width 1. Reads E9h, by which a guest knows that somebody listens. */
void debug_port_access(void *port, uint64_t offset, struct bus_access *access);
