/*
 * The ACPI tables a partition sees: RSDP, XSDT, FADT (hardware-reduced off or on, see acpi_tables.c), MADT, DSDT.
 */
#pragma once

#include "core/types.h"

/* Where things are in every partition's virtual PC. */
#define GUEST_ACPI_BASE 0xe0000u   /* tables; reserved in E820 up to 1 MiB */
#define GUEST_ACPI_SIZE 0x20000u
#define GUEST_LAPIC_BASE 0xfee00000u
#define GUEST_IOAPIC_BASE 0xfec00000u
enum {
    GUEST_IOAPIC_PINS = 24,
    GUEST_IOAPIC_ID = 0,
    GUEST_UART_PORT = 0x3f8,
    GUEST_UART_IRQ = 4,
    GUEST_RESET_PORT = 0xcf9, /* FADT reset register: writing GUEST_RESET_VALUE restarts */
    GUEST_RESET_VALUE = 0x06,
    GUEST_SLEEP_CONTROL_PORT = 0x604, /* PM1a control block or sleep control: S5 powers off */
    GUEST_SLEEP_TYPE_S5 = 5,
};

struct acpi_guest {
    uint32_t cpu_count;
    const uint32_t *apic_ids; /* any set of x2APIC ids */
    bool has_uart;
};

/*
 * Writes the tables, as they are to lie at `at`, into `buffer` (zeroed here). Returns the bytes used, 0 when `size` is
 * too small. *rsdp is the RSDP's guest-physical address. Every checksum is right.
 */
size_t must_check acpi_tables_build(const struct acpi_guest *guest, gpa_t at, void *buffer, size_t size, gpa_t *rsdp);
