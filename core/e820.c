/* The guest's memory map, decided from the amount of RAM alone. */
#include "core/e820.h"

#include "core/acpi_tables.h"
#include "core/plan.h"

static_assert(GUEST_ACPI_BASE >= E820_LOW_END, "the ACPI tables are not in usable low memory");
static_assert(GUEST_ACPI_BASE + GUEST_ACPI_SIZE <= 1 * MIB, "the ACPI tables end where usable memory begins");

/* Appends what of [base, end) lies below `limit`. */
static void add(struct e820_map *map, uint64_t base, uint64_t end, uint64_t limit, enum e820_kind kind)
{
    if (end > limit)
        end = limit;
    if (base >= end)
        return;
    map->entries[map->count] = (struct e820_entry){.base = base, .size = end - base, .kind = kind};
    map->count++;
}

uint64_t e820_low_ram_end(uint64_t memory) { return memory < PLAN_LOW_RAM_END ? memory : PLAN_LOW_RAM_END; }

void e820_build(uint64_t memory, struct e820_map *out)
{
    uint64_t low_end = e820_low_ram_end(memory);
    uint64_t high = memory - low_end;
    uint64_t high_limit = high <= UINT64_MAX - PLAN_HIGH_RAM_BASE ? PLAN_HIGH_RAM_BASE + high : UINT64_MAX;

    out->count = 0;
    add(out, 0, E820_LOW_END, low_end, E820_RAM);
    /* There is RAM under the video and ROM areas too; it holds the ACPI tables, and a guest must not use the rest. */
    add(out, GUEST_ACPI_BASE, GUEST_ACPI_BASE + GUEST_ACPI_SIZE, low_end, E820_RESERVED);
    add(out, 1 * MIB, low_end, low_end, E820_RAM);
    add(out, PLAN_HIGH_RAM_BASE, high_limit, high_limit, E820_RAM);
}
