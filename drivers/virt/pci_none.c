/*
 * Names from the PCI Local Bus Specification, "Configuration Mechanism":
 *
 *   CF8h  CONFIG_ADDRESS: 32-bit accesses only; narrower ones pass it by
 *   CFCh  CONFIG_DATA: all ones, which is what a master abort reads as
 */
#include "drivers/virt/pci_none.h"

enum { CONFIG_ADDRESS = 0 };

/* Bits 30:24 and 1:0 are reserved and read 0. */
#define CONFIG_ADDRESS_MASK 0x80fffffcu

void pci_none_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct pci_none *pci = device;
    bool is_address = offset == CONFIG_ADDRESS && access->size == 4;

    if (is_address && access->write)
        pci->address = (uint32_t)access->value & CONFIG_ADDRESS_MASK;
    else if (is_address)
        access->value = pci->address;
    else
        bus_nothing(access);
}
