/*
 * The hypervisor's own page tables: one set for all CPUs, W^X from paging_init on.
 */
#pragma once

#include "core/types.h"

enum {
    PAGING_WRITE = 1u << 0,
    PAGING_EXECUTE = 1u << 1,
    PAGING_UNCACHED = 1u << 2,
};

/* Gives each section of the image its rights and the boot stack its guard page. */
void paging_init(void);

/*
 * Maps [address, + size) to `to` with 4 KiB pages, all three 4 KiB-aligned; tables come from the heap. False: no
 * memory left, something is mapped there already, or both WRITE and EXECUTE are asked for.
 */
bool must_check paging_map(uint64_t address, hpa_t to, uint64_t size, unsigned rights);

/* Takes one page's mapping away, on this CPU. */
void paging_unmap(uint64_t address);
