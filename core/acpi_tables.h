/*
 * The ACPI tables a partition sees: RSDP, XSDT, FADT (hardware-reduced, see acpi_tables.c), MADT, WDAT, DSDT.
 */
#pragma once

#include "core/types.h"

/* Where things are in every partition's virtual PC. */
#define GUEST_ACPI_BASE   0xe0000u /* tables; reserved in E820 up to 1 MiB */
#define GUEST_ACPI_SIZE   0x20000u
#define GUEST_LAPIC_BASE  0xfee00000u
#define GUEST_IOAPIC_BASE 0xfec00000u
enum {
    GUEST_IOAPIC_PINS = 24,
    GUEST_IOAPIC_ID = 0,
    GUEST_UART_PORT = 0x3f8,
    GUEST_UART_IRQ = 4,
    GUEST_RESET_PORT = 0xcf9, /* FADT reset register: writing GUEST_RESET_VALUE restarts */
    GUEST_RESET_VALUE = 0x06,
    GUEST_RTC_PORT = 0x70, /* index; data at the next port; no interrupt */

    /*
     * Sleep control and status registers (ACPI, "Sleep Control and Status Registers"), one byte each. Before it sleeps
     * a guest writes the wake bit to the status register; then GUEST_SLEEP_S5 to the control register powers off.
     */
    GUEST_SLEEP_CONTROL_PORT = 0x604,
    GUEST_SLEEP_STATUS_PORT = 0x605, /* reads 0: nothing ever wakes */
    GUEST_SLEEP_TYPE_SHIFT = 2,      /* SLP_TYP is 3 bits from here */
    GUEST_SLEEP_TYPE_S5 = 5,
    GUEST_SLEEP_ENABLE = 1u << 5, /* SLP_EN */
    GUEST_SLEEP_S5 = GUEST_SLEEP_TYPE_S5 << GUEST_SLEEP_TYPE_SHIFT | GUEST_SLEEP_ENABLE,

    /* The watchdog's registers, as offsets from its first port (drivers/virt/watchdog.h). */
    GUEST_WATCHDOG_PORT = 0x610,
    GUEST_WATCHDOG_PORTS = 12,
    GUEST_WATCHDOG_COUNT = 0,   /* 4 bytes: the time it has, in ticks */
    GUEST_WATCHDOG_LEFT = 4,    /* 4 bytes, read only: what is left of it */
    GUEST_WATCHDOG_CONTROL = 8, /* 1 byte */
    GUEST_WATCHDOG_RUNNING = 1u << 0,
    GUEST_WATCHDOG_RELOAD = 9,  /* 1 byte: any write is a sign of life; reads 0 */
    GUEST_WATCHDOG_STATUS = 10, /* 1 byte, a bit is cleared by writing it as 1 */
    GUEST_WATCHDOG_CAUSED_START = 1u << 0,
    GUEST_WATCHDOG_PERIOD_MS = 100, /* a tick */
    GUEST_WATCHDOG_MIN = 1,         /* ticks */
    GUEST_WATCHDOG_MAX = 0xffff,
};

/* Room that is always enough for the tables of a partition with CONFIG_MAX_CPUS CPUs. */
struct acpi_tables {
    uint8_t bytes[2048] __attribute__((aligned(16)));
};

struct acpi_guest {
    uint32_t cpu_count;       /* at most CONFIG_MAX_CPUS */
    const uint32_t *apic_ids; /* any set of x2APIC ids */
    bool has_uart;
};

/*
 * Fills `out` with the tables as they are to lie at `at`, which is 16-byte aligned and below 4 GiB. Returns the bytes
 * used. The RSDP is at `at`. Every checksum is right.
 */
size_t must_check acpi_tables_build(const struct acpi_guest *guest, gpa_t at, struct acpi_tables *out);
