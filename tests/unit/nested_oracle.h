/*
 * What the tests ask of nested tables besides their entries: the walk that the hardware does, and how many table pages
 * a partition's chunks must take. Both are reckoned here once more.
 */
#pragma once

#include "core/bytes.h"
#include "core/nested.h"
#include "tests/unit/fake_phys.h"

/* The bytes that one entry of a level translates; level 1 has the 4 KiB pages, the root is at level 4. */
static inline uint64_t level_span(unsigned level) { return PAGE_SIZE << (9 * (level - 1)); }

/* Walks the tables as the hardware would; false: not mapped. */
static inline bool nested_lookup(const struct nested_tables *tables, const struct nested_format *format, gpa_t address,
                                 hpa_t *out, uint64_t *page_size, uint64_t *entry)
{
    uint64_t table = tables->root.raw;
    if (address.raw >> 48 != 0)
        return false;
    for (unsigned level = 4;; level--) {
        uint64_t index = address.raw / level_span(level) % 512;
        uint64_t found = load64(fake_phys_at(table + 8 * index, 8));
        uint64_t target = found & 0x000ffffffffff000;
        if ((found & 7) == 0)
            return false;
        if (level == 1 || (found & format->leaf_large) != 0) {
            *page_size = level_span(level);
            *out = hpa(align_down(target, *page_size) + address.raw % *page_size);
            *entry = found;
            return true;
        }
        table = target;
    }
}

/* Counts tables in ascending order: a table is new when its address range is not the last one counted at that level. */
struct table_count {
    uint64_t next[4]; /* by level: the end of the range that the last table counted there translates */
    uint32_t tables;
};

static inline void count_page(struct table_count *count, uint64_t guest, uint32_t leaf_level)
{
    for (uint32_t level = leaf_level; level < 4; level++) {
        uint64_t span = level_span(level + 1);
        if (guest >= count->next[level]) {
            count->next[level] = align_down(guest, span) + span;
            count->tables++;
        }
    }
}

static inline void count_chunk(struct table_count *count, const struct cpu_caps *caps, const struct plan_chunk *chunk)
{
    uint64_t step;
    for (uint64_t done = 0; done < chunk->size; done += step) {
        uint64_t guest = chunk->gpa.raw + done;
        uint64_t left = chunk->size - done;
        step = nested_page_size(caps, gpa(guest), hpa(chunk->hpa.raw + done), left);
        count_page(count, guest, step == PAGE_SIZE_1G ? 3 : step == PAGE_SIZE_2M ? 2 : 1);
        if (step == PAGE_SIZE) /* the rest of this lowest table costs nothing */
            step = PAGE_SIZE_2M - guest % PAGE_SIZE_2M;
        if (step > left)
            step = left;
    }
}

/* Table pages that nested_map takes for these chunks on a CPU with these page sizes, the root included. */
static inline uint32_t nested_tables_needed(const struct plan_partition *partition, const struct cpu_caps *caps)
{
    struct table_count count = {.tables = 1};
    for (uint32_t i = 0; i < partition->chunk_count; i++)
        count_chunk(&count, caps, &partition->chunks[i]);
    return count.tables;
}

/* The same at the most, whatever pages the CPU has. */
static inline uint32_t nested_tables_bound(const struct plan_partition *partition)
{
    const struct cpu_caps smallest_pages_only = {.nested_1g = false, .nested_2m = false};
    return nested_tables_needed(partition, &smallest_pages_only);
}
