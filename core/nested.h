/*
 * Nested page tables (EPT, NPT), built once from the plan's chunks.
 *
 * Pure: table pages come from an allocator and are reached through phys_read / phys_write, so the
 * same builder runs in host tests. What differs between the vendors is data: struct nested_format.
 */
#pragma once

#include "core/plan.h"

/* How a vendor spells a table entry. All values are whole bits of a 64-bit entry. */
struct nested_format {
    uint64_t table;       /* bits of an entry that points to a table */
    uint64_t leaf;        /* bits of every leaf */
    uint64_t leaf_large;  /* added to a 2 MiB or 1 GiB leaf */
    uint64_t write_back;  /* memory type of RAM */
    uint64_t uncached;    /* memory type of device memory */
    uint64_t read, write, execute; /* permissions; `no_execute` for formats that deny instead */
    uint64_t no_execute;
};

enum nested_type { NESTED_RAM, NESTED_DEVICE };

/* Hands out one zeroed, 4 KiB-aligned page of the hypervisor's memory; false: none left. */
struct page_source {
    bool (*take)(struct page_source *self, hpa_t *out);
};

struct nested_tables {
    hpa_t root;
};

bool must_check nested_init(struct nested_tables *tables, struct page_source *pages);

/*
 * The largest page, in bytes, that can begin at this pair of addresses with `left` bytes still to map; PAGE_SIZE when
 * no larger one can.
 */
uint64_t nested_page_size(const struct cpu_caps *caps, gpa_t guest, hpa_t host, uint64_t left);

/*
 * Maps one chunk with the largest pages that alignment and caps allow. Refuses (false) what is already mapped,
 * is not 4 KiB-aligned, does not fit into 48 bits of guest-physical or caps->physical_bits of host-physical address,
 * or runs out of pages. Only running out of pages leaves a part of the chunk mapped: such tables must not be used.
 */
bool must_check nested_map(const struct nested_tables *tables, const struct nested_format *format,
                           const struct cpu_caps *caps, struct plan_chunk chunk, enum nested_type type, bool writable,
                           bool executable, struct page_source *pages);
