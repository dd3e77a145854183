/*
 * The ways a PC guest asks for a reset by port: CF9h, the keyboard controller's command port, and port 92h. Behind the
 * keyboard controller's ports there is nothing else.
 */
#pragma once

#include "core/bus.h"

struct reset_ports {
    bool requested; /* set here, cleared by who carries it out */
    uint8_t cf9;
    uint8_t port_92;
};

void reset_ports_reset(struct reset_ports *ports);

/* bus_handlers for one port each, width 1. */
void reset_ports_cf9_access(void *ports, uint64_t offset, struct bus_access *access);
void reset_ports_64_access(void *ports, uint64_t offset, struct bus_access *access);
void reset_ports_92_access(void *ports, uint64_t offset, struct bus_access *access);
