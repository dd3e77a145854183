/*
 * The firmware's tables: the input is a piece of memory with an RSDP at its start. Memory outside the map does not
 * exist here (fake_phys aborts), so that a read that follows a wild pointer stops the fuzzer.
 */
#include "boot/acpi.h"

#include "core/bytes.h"
#include "tests/fuzz/machine_promises.h"
#include "tests/unit/fake_phys.h"

enum { BASE = 0x10000, SIZE = 0x2000, HOLE = 0x1800, HOLE_SIZE = 0x100, HEADER_SIZE = 36 };

static struct machine machine;

/* Two regions that may be read, and bad memory between them, which may not. */
static void set_regions(void)
{
    machine.region_count = 3;
    machine.regions[0] = (struct machine_region){{BASE, HOLE}, MEMORY_ACPI};
    machine.regions[1] = (struct machine_region){{BASE + HOLE, HOLE_SIZE}, MEMORY_BAD};
    machine.regions[2] = (struct machine_region){{BASE + HOLE + HOLE_SIZE, SIZE - HOLE - HOLE_SIZE}, MEMORY_RESERVED};
}

static void fix_sum(uint8_t *at, size_t size, size_t place)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + at[i]);
    at[place] = (uint8_t)(at[place] - sum);
}

/* Random bytes do not add up to 0: makes the sums right of whatever could be a table at a 256-byte boundary. */
static void fix_sums(uint8_t *bytes)
{
    memcpy(bytes, "RSD PTR ", 8);
    fix_sum(bytes, ACPI_RSDP_SIZE_1, 8);
    fix_sum(bytes, ACPI_RSDP_SIZE_2, 32);
    for (size_t i = 1; i < SIZE / 256; i++) {
        uint8_t *table = bytes + i * 256;
        uint32_t length = load32(table + 4);
        if (length >= HEADER_SIZE && length <= SIZE - i * 256)
            fix_sum(table, length, 9);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct line_sink errors = line_sink_new();
    uint8_t flags = input_8(&in);
    uint32_t boot_id = input_8(&in);
    size_t rsdp_size = (size_t[]){0, ACPI_RSDP_SIZE_1, ACPI_RSDP_SIZE_2, ACPI_RSDP_SIZE_2}[flags >> 1 & 3];

    fake_phys_setup(BASE, SIZE);
    uint8_t *bytes = fake_phys_at(BASE, SIZE);
    input_bytes(&in, bytes, SIZE);
    if ((flags & 1) != 0)
        fix_sums(bytes);
    uint8_t rsdp[ACPI_RSDP_SIZE_2];
    memcpy(rsdp, bytes, sizeof rsdp);
    memset(&machine, 0xee, sizeof machine);
    set_regions();

    bool good = acpi_parse(rsdp, rsdp_size, boot_id, &machine, &errors.sink);
    require(line_sink_count(&errors) > 0 || good);
    require(machine.cpu_count >= 1 && (good || machine.cpu_count == 1));
    require_cpus(&machine);
    require(machine.cpus[0].apic_id == boot_id);
    for (uint32_t i = 0; i < machine.cpu_count; i++) {
        require(machine.cpus[i].online == (i == 0));
        require(i == 0 || machine.cpus[i].apic_id != UINT32_MAX);
    }
    require(machine.ioapic_count <= MACHINE_MAX_IOAPICS);
    for (uint32_t i = 0; i < machine.ioapic_count; i++)
        require(machine.ioapics[i].address != 0);
    require(!machine.has_reset_register || machine.reset_port != 0);
    fake_phys_teardown();
    return 0;
}
