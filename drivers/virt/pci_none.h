/*
 * PCI configuration mechanism 1 (ports CF8h-CFFh) of a machine without any PCI device.
 */
#pragma once

#include "core/bus.h"

enum { PCI_NONE_PORTS = 8 };

struct pci_none {
    uint32_t address; /* CONFIG_ADDRESS; 0 after a reset */
};

/* A bus_handler for a slot of PCI_NONE_PORTS ports and any width. */
void pci_none_access(void *pci, uint64_t offset, struct bus_access *access);
