/*
 * The nested-table builder. Four levels of 512 entries, as in the manuals' "Extended page-table mechanism" (SDM vol. 3)
 * and "Nested paging" (APM vol. 2); the bits of an entry come from struct nested_format.
 */
#include "core/nested.h"

#include "core/bytes.h"
#include "core/phys.h"

enum {
    LEVEL_4K = 1, /* the level whose entries are 4 KiB leaves */
    LEVEL_2M = 2,
    LEVEL_1G = 3,
    LEVEL_ROOT = 4,
    INDEX_BITS = 9,
    GUEST_ADDRESS_BITS = 48, /* what four levels translate */
    HOST_ADDRESS_BITS = 52,  /* what an entry has room for */
};

#define ENTRY_ADDRESS ((uint64_t)0x000ffffffffff000) /* bits 51:12 */
#define ENTRY_PRESENT ((uint64_t)7) /* EPT: any of R, W, X; NPT: P comes first, and nothing is set without it */

static uint64_t level_size(uint32_t level) { return PAGE_SIZE << (INDEX_BITS * (level - 1)); }

static hpa_t entry_at(hpa_t table, uint32_t level, uint64_t guest)
{
    uint64_t index = guest / level_size(level) % ((uint64_t)1 << INDEX_BITS);
    return hpa(table.raw + index * sizeof(uint64_t));
}

static uint64_t entry_read(hpa_t table, uint32_t level, uint64_t guest)
{
    uint64_t entry;
    phys_read(entry_at(table, level, guest), &entry, sizeof entry);
    return entry;
}

static bool is_present(uint64_t entry) { return (entry & ENTRY_PRESENT) != 0; }

static bool is_leaf(const struct nested_format *format, uint32_t level, uint64_t entry)
{
    return level == LEVEL_4K || (entry & format->leaf_large) != 0;
}

/* Goes down from the root to the entry that decides about `guest`; returns its level. */
static uint32_t walk(hpa_t root, const struct nested_format *format, uint64_t guest, uint64_t *entry)
{
    hpa_t table = root;
    uint32_t level = LEVEL_ROOT;
    for (;;) {
        *entry = entry_read(table, level, guest);
        if (!is_present(*entry) || is_leaf(format, level, *entry))
            return level;
        table = hpa(*entry & ENTRY_ADDRESS);
        level--;
    }
}

static bool take_table(struct page_source *pages, hpa_t *out)
{
    return pages->take(pages, out) && (out->raw & ~ENTRY_ADDRESS) == 0;
}

bool nested_init(struct nested_tables *tables, struct page_source *pages) { return take_table(pages, &tables->root); }

uint64_t nested_page_size(const struct cpu_caps *caps, gpa_t guest, hpa_t host, uint64_t left)
{
    uint64_t both = guest.raw | host.raw;
    if (caps->nested_1g && is_aligned(both, PAGE_SIZE_1G) && left >= PAGE_SIZE_1G)
        return PAGE_SIZE_1G;
    if (caps->nested_2m && is_aligned(both, PAGE_SIZE_2M) && left >= PAGE_SIZE_2M)
        return PAGE_SIZE_2M;
    return PAGE_SIZE;
}

static uint32_t page_level(uint64_t page)
{
    if (page == PAGE_SIZE_1G)
        return LEVEL_1G;
    return page == PAGE_SIZE_2M ? LEVEL_2M : LEVEL_4K;
}

/* Puts one leaf at `level`; takes the tables above it that are not there yet. */
static bool map_page(const struct nested_tables *tables, const struct nested_format *format, uint32_t level,
                     uint64_t guest, uint64_t leaf, struct page_source *pages)
{
    hpa_t table = tables->root;
    for (uint32_t at = LEVEL_ROOT; at > level; at--) {
        uint64_t entry = entry_read(table, at, guest);
        hpa_t below = hpa(entry & ENTRY_ADDRESS);
        if (is_present(entry) && is_leaf(format, at, entry))
            return false;
        if (!is_present(entry)) {
            if (!take_table(pages, &below))
                return false;
            entry = below.raw | format->table;
            phys_write(entry_at(table, at, guest), &entry, sizeof entry);
        }
        table = below;
    }
    if (is_present(entry_read(table, level, guest)))
        return false;
    phys_write(entry_at(table, level, guest), &leaf, sizeof leaf);
    return true;
}

/* Whether nothing in the range is mapped yet. Steps over what is empty at the level where that shows. */
static bool is_unmapped(const struct nested_tables *tables, const struct nested_format *format, struct range guest)
{
    uint64_t at = guest.base;
    while (at < range_end(guest)) {
        uint64_t entry;
        uint32_t level = walk(tables->root, format, at, &entry);
        if (is_present(entry))
            return false;
        at = align_down(at, level_size(level)) + level_size(level); /* below 2^48 + 2^39 */
    }
    return true;
}

static bool fits(struct range r, uint32_t bits) { return range_includes((struct range){0, (uint64_t)1 << bits}, r); }

bool nested_map(const struct nested_tables *tables, const struct nested_format *format, const struct cpu_caps *caps,
                struct plan_chunk chunk, enum nested_type type, bool writable, bool executable,
                struct page_source *pages)
{
    struct range guest = {chunk.gpa.raw, chunk.size};
    struct range host = {chunk.hpa.raw, chunk.size};
    uint32_t host_bits = caps->physical_bits < HOST_ADDRESS_BITS ? caps->physical_bits : HOST_ADDRESS_BITS;
    if (!is_aligned(chunk.gpa.raw | chunk.hpa.raw | chunk.size, PAGE_SIZE) || !fits(guest, GUEST_ADDRESS_BITS) ||
        !fits(host, host_bits) || !is_unmapped(tables, format, guest))
        return false;

    uint64_t bits = format->leaf | format->read | (type == NESTED_RAM ? format->write_back : format->uncached) |
                    (writable ? format->write : 0) | (executable ? format->execute : format->no_execute);
    uint64_t page;
    for (uint64_t done = 0; done < chunk.size; done += page) {
        page = nested_page_size(caps, gpa(guest.base + done), hpa(host.base + done), chunk.size - done);
        uint64_t leaf = (host.base + done) | bits | (page == PAGE_SIZE ? 0 : format->leaf_large);
        if (!map_page(tables, format, page_level(page), guest.base + done, leaf, pages))
            return false;
    }
    return true;
}
