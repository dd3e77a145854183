/*
 * The firmware's ACPI tables: which CPUs and IOAPICs there are, how the box is reset, and where its timer is. Pure over
 * phys_read.
 */
#pragma once

#include "core/machine.h"

enum {
    ACPI_RSDP_SIZE_1 = 20, /* bytes, revision 0 (ACPI 1.0) */
    ACPI_RSDP_SIZE_2 = 36, /* bytes, revision 2 and up */
};

/*
 * Whether `size` bytes hold an RSDP: signature, length and checksums. Of revision 2 the first 20 bytes are enough: then
 * only the RSDT can be found by it. When not, one line on `errors` that begins with `place`.
 */
bool must_check acpi_rsdp_valid(const uint8_t *bytes, size_t size, const char *place, struct sink *errors);

/*
 * Reads RSDT or XSDT, MADT and FADT, starting at a copy of the RSDP (`size` bytes, 0 when there is none), into
 * out->cpus, out->ioapics, the reset register and the timer's port; everything these held before is replaced. Tables
 * are only read inside out->regions, which must be filled before. CPUs come in the order of the MADT, except that the
 * one with `boot_apic_id` (x2APIC id, or xAPIC id) is moved to index 0, where it stands even when no table names it; it
 * alone is marked online. Disabled CPUs are left out.
 *
 * Every problem is one line on `errors`. Returns false when no MADT could be read: then out has the boot CPU alone.
 */
bool must_check acpi_parse(const void *rsdp, size_t size, uint32_t boot_apic_id, struct machine *out,
                           struct sink *errors);
