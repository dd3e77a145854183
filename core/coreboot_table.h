/*
 * The table in which coreboot tells its payloads about the machine (coreboot documentation, "coreboot tables"; its
 * "commonlib/coreboot_tables.h"). Payloads, such as GRUB built for coreboot, find it by its signature.
 */
#pragma once

#include <assert.h>

#include "core/e820.h"

struct coreboot_header {
    char signature[4];        /* "LBIO" */
    uint32_t header_size;     /* bytes of this */
    uint32_t header_checksum; /* both as in an Internet header; this one with itself as 0 */
    uint32_t table_size;      /* bytes of the records, which follow */
    uint32_t table_checksum;
    uint32_t table_records;
} __attribute__((packed));
static_assert(sizeof(struct coreboot_header) == 24, "coreboot header");

struct coreboot_record {
    uint32_t tag;
    uint32_t size; /* bytes, with this */
} __attribute__((packed));
static_assert(sizeof(struct coreboot_record) == 8, "coreboot record");

enum { COREBOOT_TAG_MEMORY = 1 }; /* entries as in E820 follow, as many as the size says */

/* Header and one record with the partition's memory map. */
struct coreboot_table {
    struct coreboot_header header;
    struct coreboot_record record;
    struct e820_entry memory[E820_MAX_ENTRIES];
} __attribute__((packed));

/* Fills `out` from the map. Returns its bytes. */
size_t must_check coreboot_table_build(const struct e820_map *map, struct coreboot_table *out);
