/*
 * The windows of arch/x86_64/phys*.c: two moving 2 MiB pages per CPU, writable nowhere but where that is asked for.
 */
#pragma once

#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/percpu.h"
#include "core/machine.h"

#define PDE_PRESENT (1ull << 0)
#define PDE_WRITE   (1ull << 1)
#define PDE_LARGE   (1ull << 7)
#define PDE_NX      (1ull << 63)

extern uint64_t paging_pd_window[512];

enum window { WINDOW_TO, WINDOW_FROM, WINDOWS };
_Static_assert(MACHINE_MAX_CPUS *WINDOWS <= 512, "one page directory holds the windows of all CPUs");

static inline unsigned window_slot(enum window which) { return percpu_this()->cpu * WINDOWS + which; }

static inline uint64_t window_address(unsigned slot)
{
    return LAYOUT_SLOT((uint64_t)PML4_WINDOW) + slot * PAGE_SIZE_2M;
}

static inline uint64_t window_entry(enum window which, uint64_t address)
{
    uint64_t rights = PDE_PRESENT | PDE_LARGE | PDE_NX | (which == WINDOW_TO ? PDE_WRITE : 0);
    return (address & ~(PAGE_SIZE_2M - 1)) | rights;
}
