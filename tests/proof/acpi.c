/* The readers of the firmware's tables: any RSDP, any memory map, any bytes behind every address. */
#include "tests/proof/unknown.h"
#include "core/bytes.c"
#include "core/machine.c"
#include "boot/acpi.c"
#include "boot/acpi_madt.c"

int main(void)
{
    static struct machine machine;
    struct sink sink;
    /*@ widen_hints global:"all", 8, 128, 256; */
    ;
    uint8_t rsdp[ACPI_RSDP_SIZE_2];
    unknown(rsdp, sizeof rsdp);
    unknown(&machine, sizeof machine);
    machine.region_count = unknown_below(MACHINE_MAX_REGIONS + 1);
    const size_t sizes[] = {0, ACPI_RSDP_SIZE_1 - 1, ACPI_RSDP_SIZE_1, ACPI_RSDP_SIZE_2 - 1, ACPI_RSDP_SIZE_2};
    size_t size = sizes[unknown_below(array_size(sizes))];
    /*@ split size; */
    (void)!acpi_parse(rsdp + sizeof rsdp - size, size, (uint32_t)unknown_64(), &machine, &sink);
    /*@ assert 0 < machine.cpu_count <= MACHINE_MAX_CPUS; */
    /*@ assert machine.ioapic_count <= MACHINE_MAX_IOAPICS; */
    return 0;
}
