/*
 * The ways a PC guest asks for a reset by port, CF9h, the keyboard controller's command port and port 92h, and the
 * sleep control and status registers of a hardware-reduced ACPI machine, where S5, power off, is the only sleep. Behind
 * the keyboard controller's ports there is nothing else.
 */
#pragma once

#include "core/bus.h"
#include "core/platform.h"

struct power_ports {
    enum platform_request request; /* set here, cleared by who carries it out */
    uint8_t reset_control;
    uint8_t port_92;
    uint8_t sleep_control;
};

/* A bus_handler for a slot of any of these ports, width 1. All zero is the state after power-on. */
void power_ports_access(void *ports, uint64_t offset, struct bus_access *access);
