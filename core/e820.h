/*
 * The memory map that a guest is told, in the form of the BIOS call INT 15h, AX=E820h. The Linux zero page holds these
 * entries as they are, multiboot1 puts a size in front of each.
 */
#pragma once

#include <assert.h>

#include "core/types.h"

enum e820_kind { E820_RAM = 1, E820_RESERVED = 2 }; /* ACPI, "INT 15H, E820H": address range types */

struct e820_entry {
    uint64_t base; /* guest-physical, bytes */
    uint64_t size;
    uint32_t kind; /* enum e820_kind */
} __attribute__((packed));
static_assert(sizeof(struct e820_entry) == 20, "E820 entries are 20 bytes on the wire");

enum { E820_MAX_ENTRIES = 4 };

struct e820_map {
    uint32_t count;
    struct e820_entry entries[E820_MAX_ENTRIES]; /* ascending, not overlapping, none empty */
};

/* Conventional memory ends here; a PC keeps its extended BIOS data area from here to the video memory. */
#define E820_LOW_END 0x9f000u

/* The map of a partition with `memory` bytes of RAM, laid out as core/plan.h says. Total on any value. */
void e820_build(uint64_t memory, struct e820_map *out);

/* Where the RAM below the 4 GiB hole ends, for `memory` bytes of RAM. */
uint64_t e820_low_ram_end(uint64_t memory);
