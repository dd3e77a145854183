#include "drivers/hw/legacy_interrupts.h"

#include "arch/x86_64/cpu_instructions.h"

/* Intel 82093AA data sheet, "Register Description": two memory-mapped registers reach all others. */
enum { IOREGSEL = 0x00, IOWIN = 0x10, IOAPICVER = 0x01, IOREDTBL = 0x10 };
#define IOREDTBL_MASKED (1u << 16)

void pic8259_mask_all(void)
{
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
}

static uint32_t ioapic_read(volatile uint8_t *page, uint32_t index)
{
    *(volatile uint32_t *)(page + IOREGSEL) = index;
    return *(volatile uint32_t *)(page + IOWIN);
}

static void ioapic_write(volatile uint8_t *page, uint32_t index, uint32_t value)
{
    *(volatile uint32_t *)(page + IOREGSEL) = index;
    *(volatile uint32_t *)(page + IOWIN) = value;
}

void ioapic_mask_all(const struct machine *machine, void *(*map)(hpa_t page))
{
    for (uint32_t i = 0; i < machine->ioapic_count; i++) {
        uint32_t address = machine->ioapics[i].address;
        volatile uint8_t *page = map(hpa(address & ~(uint32_t)(PAGE_SIZE - 1)));
        if (page == NULL)
            continue;
        page += address & (PAGE_SIZE - 1);
        uint32_t last = (ioapic_read(page, IOAPICVER) >> 16) & 0xff;
        for (uint32_t pin = 0; pin <= last; pin++)
            ioapic_write(page, IOREDTBL + 2 * pin, IOREDTBL_MASKED);
    }
}
