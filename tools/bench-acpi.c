/*
 * Writes the ACPI tables that a partition of one CPU is given to standard output, made for one address:
 * bench-acpi ADDRESS. With them a kernel on the bare machine sees the same PC as one in a partition.
 */
#include "core/acpi_tables.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments)
{
    static struct acpi_tables tables;
    static const uint32_t apic_ids[] = {0};
    const struct acpi_guest guest = {.cpu_count = 1, .apic_ids = apic_ids, .has_uart = true};
    char *end = NULL;
    errno = 0;
    uint64_t address = count == 2 ? strtoull(arguments[1], &end, 0) : 0;
    if (count != 2 || errno != 0 || end == arguments[1] || *end != '\0') {
        fprintf(stderr, "usage: bench-acpi ADDRESS >FILE\n");
        return 2;
    }
    if (address % 16 != 0 || address > UINT32_MAX - sizeof tables) {
        fprintf(stderr, "bench-acpi: no tables at %s, expected a multiple of 16 below 4 GiB\n", arguments[1]);
        return 1;
    }
    size_t size = acpi_tables_build(&guest, gpa(address), &tables);
    return fwrite(&tables, 1, size, stdout) == size && fflush(stdout) == 0 ? 0 : 1;
}
