/*
 * The virtual PC: all models of one partition, their clock, and the tables that say who owns which address.
 */
#pragma once

#include "core/platform.h"
#include "drivers/virt/acpi_pm_timer.h"
#include "drivers/virt/acpi_sleep.h"
#include "drivers/virt/debug_port.h"
#include "drivers/virt/fw_cfg.h"
#include "drivers/virt/ioapic.h"
#include "drivers/virt/pci_none.h"
#include "drivers/virt/pic8259.h"
#include "drivers/virt/pit8254.h"
#include "drivers/virt/reset_ports.h"
#include "drivers/virt/rtc.h"
#include "drivers/virt/uart16550.h"
#include "drivers/virt/watchdog.h"

struct platform {
    struct spinlock lock; /* held by every function of core/platform.h; covers everything below */
    struct virt_clock clock;
    struct bus ports;
    struct bus memory;
    const struct bus_slot *last_port; /* of `ports`: where the last access went */
    bool uart_line;          /* the UART's interrupt line as its wire has it */
    bool virtual_interrupts; /* 8259s and timers interrupt; else only the IOAPIC's pins with a device do */
    uint64_t due;            /* TSC at which a timer next does; read without the lock */
    bool extint;             /* output of the 8259s; read without the lock */
    uint32_t slots_refused; /* entries of the map that did not fit: a mistake in it */
    struct acpi_pm_timer acpi_pm_timer;
    struct acpi_sleep acpi_sleep;
    struct debug_port debug_port;
    struct fw_cfg fw_cfg;
    struct ioapic ioapic;
    struct pci_none pci;
    struct pic8259_pair pic;
    struct pit8254 pit;
    struct reset_ports reset_ports;
    struct rtc rtc;
    struct uart16550 uart;
    struct watchdog watchdog;
};
