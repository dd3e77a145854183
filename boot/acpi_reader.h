/*
 * What the readers of the firmware's tables share. Private to boot/acpi*.c.
 */
#pragma once

#include "boot/acpi.h"

/* A table that was found good: its whole length lies in the memory map and sums to 0. */
struct acpi_table {
    uint64_t address;
    uint32_t length;
};

struct acpi_reader {
    struct machine *out;
    struct sink *errors;
    uint32_t boot_apic_id;
    bool boot_cpu_named;
    bool too_many_cpus; /* each is said once */
    bool too_many_ioapics;
    bool has_madt;
    bool has_fadt;
};

enum { ACPI_MADT_ENTRIES = 44 }; /* offset of the first one, and the least length of a MADT */

/* Takes in the CPUs and IOAPICs of a table that was found good; entries are still foreign. */
void acpi_madt_read(struct acpi_reader *reader, const struct acpi_table *madt);
