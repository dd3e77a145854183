/*
 * Memory: the first touch of pages that nobody has used, and the cost of a page walk for each size of page.
 *
 * The pages are mapped in the guest's tables at addresses from 4 GiB on, where guests/common maps nothing: the fifth
 * to seventh GiB, one for each size, all onto the same physical memory above this image.
 */
#include "guests/bench/cases.h"
#include "guests/bench/sample.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"

enum { PAGE = 4096, PAGE_2M = 2 << 20, ENTRIES = 512, ENTRY_TABLE = 3, ENTRY_LARGE = 0x83 };
enum { FIRST_4K = 4, FIRST_2M = 5, FIRST_1G = 6 }; /* entries of guest_pdpt */
#define GIB ((uint64_t)1 << 30)
/* Untouched memory: loaders put images at 1 MiB and modules close behind; this guest's own ends below 2 MiB. */
#define FRESH     ((uint64_t)8 << 20)
#define FRESH_END (FRESH + (uint64_t)SAMPLES * PAGE)

extern volatile uint64_t guest_pdpt[ENTRIES]; /* start.S */
static volatile uint64_t directory_4k[ENTRIES] __attribute__((aligned(PAGE)));
static volatile uint64_t directory_2m[ENTRIES] __attribute__((aligned(PAGE)));
static volatile uint64_t table_4k[ENTRIES] __attribute__((aligned(PAGE)));

static uint64_t address_of(volatile void *table) { return (uint64_t)(uintptr_t)table; }

/* The pages of 1 GiB that guests/common maps, when it can, are replaced where the three sizes are wanted. */
static bool map(void)
{
    bool has_1g = guest_map_large();
    for (unsigned i = 0; i < ENTRIES; i++) {
        table_4k[i] = (FRESH + (uint64_t)i * PAGE) | ENTRY_TABLE;
        directory_2m[i] = (uint64_t)i * PAGE_2M | ENTRY_LARGE;
    }
    directory_4k[0] = address_of(table_4k) | ENTRY_TABLE;
    guest_pdpt[FIRST_4K] = address_of(directory_4k) | ENTRY_TABLE;
    guest_pdpt[FIRST_2M] = address_of(directory_2m) | ENTRY_TABLE;
    if (has_1g)
        guest_pdpt[FIRST_1G] = ENTRY_LARGE;
    return has_1g;
}

static uint64_t time_read(uint64_t address)
{
    uint64_t from = rdtsc();
    (void)*(volatile uint8_t *)(uintptr_t)address;
    return rdtsc() - from;
}

static void first_touch(void)
{
    for (unsigned i = 0; i < SAMPLES; i++)
        sample_put(i, time_read(FRESH + (uint64_t)i * PAGE));
    for (unsigned i = 0; i < SAMPLES; i++)
        sample_empty(i, time_read(FRESH + (uint64_t)i * PAGE));
    sample_report("first_touch");
}

/* Reading with and without the translation in the TLB. */
static void walk(const char *name, uint64_t address)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        (void)time_read(address);
        sample_empty(i, time_read(address));
        __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
        sample_put(i, time_read(address));
    }
    sample_report(name);
}

void cases_memory(void)
{
    if (guest_memory_kib != 0 && guest_memory_kib * 1024 + ((uint64_t)1 << 20) < FRESH_END) {
        sample_absent("first_touch", "needs 12 MiB of memory");
        return;
    }
    first_touch();
    bool has_1g = map();
    walk("walk_4k", FIRST_4K * GIB);
    walk("walk_2m", FIRST_2M * GIB + FRESH);
    if (has_1g)
        walk("walk_1g", FIRST_1G * GIB + FRESH);
    else
        sample_absent("walk_1g", "no pages of 1 GiB");
}
