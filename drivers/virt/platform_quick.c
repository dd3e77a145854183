/*
 * The way past the buses for what guests do most: the serial port's registers, reads of the I/O APIC and the choice of
 * its register.
 */
#include "core/acpi_tables.h"
#include "drivers/virt/platform.h"
#include "drivers/virt/uart16550_quick.h"

bool platform_quick_port(struct platform *platform, uint32_t port, bool in, uint8_t *value)
{
    uint32_t offset = port - (uint32_t)GUEST_UART_PORT;

    if (offset >= UART16550_PORTS || platform->uart.output == NULL)
        return false;
    spin_lock(&platform->lock);
    bool done = uart16550_quick(&platform->uart, offset, in, value);
    spin_unlock(&platform->lock);
    return done;
}

int64_t platform_quick_read(struct platform *platform, uint64_t address)
{
    uint64_t offset = address - GUEST_IOAPIC_BASE;

    if (offset >= IOAPIC_WINDOW_SIZE)
        return -1;
    spin_lock(&platform->lock);
    int64_t value = ioapic_read(&platform->ioapic, offset);
    spin_unlock(&platform->lock);
    return value;
}

bool platform_quick_write(struct platform *platform, uint64_t address, uint32_t value)
{
    uint64_t offset = address - GUEST_IOAPIC_BASE;

    if (offset >= IOAPIC_WINDOW_SIZE)
        return false;
    spin_lock(&platform->lock);
    bool done = ioapic_select(&platform->ioapic, offset, value);
    spin_unlock(&platform->lock);
    return done;
}
