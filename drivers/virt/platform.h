/*
 * The virtual PC: all models of one partition, their clock, and the tables that say who owns which address.
 */
#pragma once

#include "core/platform.h"
#include "drivers/virt/fw_cfg.h"
#include "drivers/virt/ioapic.h"
#include "drivers/virt/pci_none.h"
#include "drivers/virt/pic8259.h"
#include "drivers/virt/pit8254.h"
#include "drivers/virt/power_ports.h"
#include "drivers/virt/rtc.h"
#include "drivers/virt/uart16550.h"
#include "drivers/virt/watchdog.h"

/* Who owns which port, and which memory: what every platform has in common. */
enum { PLATFORM_PORT_SLOTS = 29, PLATFORM_MEMORY_SLOTS = 1 };
extern const struct bus_slot platform_ports[PLATFORM_PORT_SLOTS];
extern const struct bus_slot platform_memories[PLATFORM_MEMORY_SLOTS];

struct platform {
    struct spinlock lock; /* held by every function of core/platform.h; covers everything below */
    struct virt_clock clock;
    const struct bus_slot *last_port; /* where the last access to a port went */
    bool virtual_interrupts;          /* 8259s and timers interrupt; else only the IOAPIC's pins with a device do */
    bool extint;                      /* output of the 8259s; read without the lock */
    uint64_t due;                     /* TSC at which a timer next does; read without the lock */
    struct fw_cfg fw_cfg;
    struct ioapic ioapic;
    struct pci_none pci;
    struct pic8259_pair pic;
    struct pit8254 pit;
    struct power_ports power;
    struct rtc rtc;
    struct uart16550 uart; /* without a console its output is NULL */
    struct watchdog watchdog;
};
