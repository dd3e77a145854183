/*
 * The layout of the ACPI tables that a guest is given, and the values used in them (ACPI 6.4, "ACPI Software
 * Programming Model"). Private to core/acpi_tables.c.
 */
#pragma once

#include <assert.h>

#include "core/types.h"

struct acpi_rsdp {
    char signature[8];
    uint8_t checksum; /* of the first 20 bytes */
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum; /* of all */
    uint8_t reserved[3];
} __attribute__((packed));
static_assert(offsetof(struct acpi_rsdp, length) == 20 && sizeof(struct acpi_rsdp) == 36, "RSDP");

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem_id[6];
    char oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} __attribute__((packed));
static_assert(offsetof(struct acpi_header, checksum) == 9 && sizeof(struct acpi_header) == 36, "table header");

enum { XSDT_ENTRIES = 3 };

struct acpi_xsdt {
    struct acpi_header header;
    uint64_t entries[XSDT_ENTRIES];
} __attribute__((packed));
static_assert(offsetof(struct acpi_xsdt, entries) == 36, "XSDT");

/* "Generic Address Structure" */
struct acpi_address {
    uint8_t space;
    uint8_t bit_width;
    uint8_t bit_offset;
    uint8_t access_size;
    uint64_t address;
} __attribute__((packed));
static_assert(sizeof(struct acpi_address) == 12, "generic address structure");

enum { ACPI_SPACE_IO = 1, ACPI_ACCESS_BYTE = 1, ACPI_ACCESS_DWORD = 3 };

struct acpi_fadt {
    struct acpi_header header;
    uint32_t facs;
    uint32_t dsdt;
    uint8_t pm_and_cmos[109 - 44]; /* all of it ignored when hardware-reduced */
    uint16_t iapc_boot_arch;
    uint8_t reserved;
    uint32_t flags;
    struct acpi_address reset_register;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t minor_version;
    uint64_t x_facs;
    uint64_t x_dsdt;
    struct acpi_address pm_blocks[8]; /* PM1a event to GPE1: ignored when hardware-reduced */
    struct acpi_address sleep_control;
    struct acpi_address sleep_status;
    char hypervisor_id[8];
} __attribute__((packed));
static_assert(offsetof(struct acpi_fadt, iapc_boot_arch) == 109, "FADT");
static_assert(offsetof(struct acpi_fadt, flags) == 112, "FADT");
static_assert(offsetof(struct acpi_fadt, reset_register) == 116, "FADT");
static_assert(offsetof(struct acpi_fadt, x_dsdt) == 140, "FADT");
static_assert(offsetof(struct acpi_fadt, sleep_control) == 244, "FADT");
static_assert(sizeof(struct acpi_fadt) == 276, "FADT");

enum {
    FADT_REVISION = 6,
    FADT_MINOR_VERSION = 4,
    /* "Fixed ACPI Description Table Fixed Feature Flags" */
    FADT_WBINVD = 1u << 0,
    FADT_PROC_C1 = 1u << 2,
    FADT_PWR_BUTTON = 1u << 4, /* no fixed-feature button */
    FADT_SLP_BUTTON = 1u << 5, /* likewise */
    FADT_FIX_RTC = 1u << 6,    /* no fixed-feature RTC wake */
    FADT_RESET_REG_SUP = 1u << 10,
    FADT_HW_REDUCED_ACPI = 1u << 20,
    /*
     * "IA-PC Boot Architecture Flags". Bit 0 clear: no user-visible devices on an LPC or ISA bus beyond those of the
     * DSDT; bit 1 clear: no 8042; bit 5 clear: there is a CMOS clock.
     */
    IAPC_VGA_NOT_PRESENT = 1u << 2,
};

struct acpi_madt {
    struct acpi_header header;
    uint32_t local_apic;
    uint32_t flags; /* bit 0, PCAT_COMPAT, is clear: no 8259 ever delivers, so none needs masking */
} __attribute__((packed));
static_assert(sizeof(struct acpi_madt) == 44, "MADT");

/* "Interrupt Controller Structure Types" */
enum {
    MADT_LOCAL_APIC = 0,
    MADT_IOAPIC = 1,
    MADT_LOCAL_X2APIC = 9,
    MADT_ENABLED = 1u << 0,
    MADT_X2APIC_FIRST_ID = 255, /* lower ids must have a local APIC structure */
};

struct madt_local_apic {
    uint8_t type, length;
    uint8_t uid;
    uint8_t apic_id;
    uint32_t flags;
} __attribute__((packed));
static_assert(sizeof(struct madt_local_apic) == 8, "MADT local APIC");

struct madt_ioapic {
    uint8_t type, length;
    uint8_t id;
    uint8_t reserved;
    uint32_t address;
    uint32_t gsi_base;
} __attribute__((packed));
static_assert(sizeof(struct madt_ioapic) == 12, "MADT IOAPIC");

struct madt_local_x2apic {
    uint8_t type, length;
    uint16_t reserved;
    uint32_t x2apic_id;
    uint32_t flags;
    uint32_t uid;
} __attribute__((packed));
static_assert(sizeof(struct madt_local_x2apic) == 16, "MADT local x2APIC");

/* "Watchdog Action Table", defined by Microsoft's "Hardware Watchdog Timers Design Specification". */
struct acpi_wdat {
    struct acpi_header header;
    uint32_t watchdog_length; /* of what follows, up to the entries */
    uint16_t pci_segment;     /* 255, and so the next three: no PCI device */
    uint8_t pci_bus, pci_device, pci_function;
    uint8_t reserved0[3];
    uint32_t period; /* milliseconds a tick */
    uint32_t max_count, min_count;
    uint8_t flags;
    uint8_t reserved1[3];
    uint32_t entries;
} __attribute__((packed));
static_assert(offsetof(struct acpi_wdat, period) == 48 && sizeof(struct acpi_wdat) == 68, "WDAT");

enum {
    WDAT_REVISION = 1,
    WDAT_LENGTH = sizeof(struct acpi_wdat) - sizeof(struct acpi_header),
    WDAT_ENABLED = 1u << 0,
    WDAT_STOPPED_IN_SLEEP = 1u << 7,
};

struct wdat_entry {
    uint8_t action;
    uint8_t instruction;
    uint16_t reserved;
    struct acpi_address at;
    uint32_t value;
    uint32_t mask;
} __attribute__((packed));
static_assert(offsetof(struct wdat_entry, value) == 16 && sizeof(struct wdat_entry) == 24, "WDAT entry");

/* "Watchdog Actions" and "Watchdog Instructions" */
enum wdat_action {
    WDAT_RESET = 1,
    WDAT_QUERY_CURRENT_COUNTDOWN = 4,
    WDAT_QUERY_COUNTDOWN = 5,
    WDAT_SET_COUNTDOWN = 6,
    WDAT_QUERY_RUNNING = 8,
    WDAT_SET_RUNNING = 9,
    WDAT_QUERY_STOPPED = 10,
    WDAT_SET_STOPPED = 11,
    WDAT_QUERY_STATUS = 32,
    WDAT_SET_STATUS = 33,
};
enum wdat_instruction { WDAT_READ_VALUE, WDAT_READ_COUNTDOWN, WDAT_WRITE_VALUE, WDAT_WRITE_COUNTDOWN };
