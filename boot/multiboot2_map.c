/*
 * GRUB's memory map, entries in any order and overlapping, becomes the machine's list of regions.
 * Multiboot2 specification 2.0, "Memory map".
 */
#include "boot/multiboot2_map.h"

enum {
    MAP_ENTRY_SIZE = 8,
    MAP_ENTRIES = 16,
    MAP_ENTRY_MIN = 24, /* base, length, type, reserved */
    MAP_TYPE_USABLE = 1,
    MAP_TYPE_ACPI = 3,
    MAP_TYPE_NVS = 4,
    MAP_TYPE_BAD = 5,
};

/* No x86 CPU has more than 52 bits of physical address: SDM vol. 1, "Physical address space". */
#define PHYSICAL_END ((uint64_t)1 << 52)

/* The memory map tag, its header checked. */
struct map {
    const uint8_t *entries;
    uint32_t count;
    uint32_t entry_size;
};

/*@ predicate map_readable(struct map *m) =
      \valid_read(m) && MAP_ENTRY_MIN <= m->entry_size && \valid_read(m->entries + (0 .. m->count * m->entry_size - 1));

    predicate map_entry_valid(struct machine_region e) =
      e.range.base + e.range.size <= PHYSICAL_END && e.kind <= MEMORY_BAD; */

/*@ assigns \nothing;
    ensures \result <= MEMORY_BAD; */
static enum memory_kind kind_of(uint32_t type)
{
    switch (type) {
    case MAP_TYPE_USABLE:
        return MEMORY_USABLE;
    case MAP_TYPE_ACPI:
    case MAP_TYPE_NVS:
        return MEMORY_ACPI;
    case MAP_TYPE_BAD:
        return MEMORY_BAD;
    default:
        return MEMORY_RESERVED; /* also what later specifications may add */
    }
}

/*@ requires map_readable(map) && index < map->count;
    assigns \nothing;
    ensures \result.kind <= MEMORY_BAD; */
static struct machine_region map_raw(const struct map *map, uint32_t index)
{
    /*@ assert (index + 1) * map->entry_size <= map->count * map->entry_size; */
    const uint8_t *at = map->entries + (size_t)index * map->entry_size;
    return (struct machine_region){{load64(at), load64(at + 8)}, kind_of(load32(at + 16))};
}

/*@ assigns \nothing;
    ensures \result <==> range.base + range.size <= PHYSICAL_END; */
static bool is_physical(struct range range) { return range_includes((struct range){0, PHYSICAL_END}, range); }

/*
 * An entry as it is used: one that leaves the physical address space is empty when it claims to be usable, and is cut
 * at the end of that space when it forbids something.
 */
/*@ requires map_readable(map) && index < map->count;
    assigns \nothing;
    ensures map_entry_valid(\result); */
static struct machine_region map_entry(const struct map *map, uint32_t index)
{
    struct machine_region entry = map_raw(map, index);
    if (is_physical(entry.range))
        return entry;
    if (entry.kind == MEMORY_USABLE || entry.range.base > PHYSICAL_END)
        return (struct machine_region){{0, 0}, entry.kind};
    entry.range.size = PHYSICAL_END - entry.range.base;
    return entry;
}

/* What holds from `at` on, and up to where (*end). False: no entry names it. */
/*@ requires map_readable(map) && at < PHYSICAL_END;
    requires \valid(end) && \valid(kind) && \separated(map, end) && \separated(map, kind) && \separated(end, kind);
    assigns *end, *kind;
    ensures at < *end <= PHYSICAL_END && *kind <= MEMORY_BAD; */
static bool map_run(const struct map *map, uint64_t at, uint64_t *end, enum memory_kind *kind)
{
    bool named = false;
    *end = PHYSICAL_END;
    *kind = MEMORY_USABLE;
    /*@ loop invariant 0 <= i <= map->count && at < *end <= PHYSICAL_END && *kind <= MEMORY_BAD;
        loop assigns i, named, *end, *kind;
        loop variant map->count - i; */
    for (uint32_t i = 0; i < map->count; i++) {
        struct machine_region entry = map_entry(map, i);
        if (range_contains(entry.range, at)) {
            named = true;
            if (range_end(entry.range) < *end)
                *end = range_end(entry.range);
            if (entry.kind > *kind)
                *kind = entry.kind;
        } else if (entry.range.size != 0 && entry.range.base > at && entry.range.base < *end) {
            *end = entry.range.base;
        }
    }
    return named;
}

/*@ logic integer regions_end(struct machine *m) = m->region_count == 0 ? 0 :
      m->regions[m->region_count - 1].range.base + m->regions[m->region_count - 1].range.size; */

/* Appends to the sorted list, or lengthens its last region. False when the list is full. */
/*@ requires regions_sorted(out) && regions_end(out) <= range.base && valid(range) && \valid(out);
    assigns out->region_count, out->regions[0 .. MACHINE_MAX_REGIONS - 1];
    ensures regions_sorted(out) && regions_end(out) <= range.base + range.size; */
static bool add_region(struct machine *out, struct range range, enum memory_kind kind)
{
    struct machine_region *last = out->region_count != 0 ? &out->regions[out->region_count - 1] : NULL;
    if (last != NULL && last->kind == kind && range_end(last->range) == range.base) {
        last->range.size += range.size;
        return true;
    }
    if (out->region_count == MACHINE_MAX_REGIONS)
        return false;
    out->regions[out->region_count++] = (struct machine_region){range, kind};
    return true;
}

/* Goes up through the address space from one change to the next, so the regions come out sorted and disjoint. */
/*@ requires map_readable(map) && \valid(out) && \separated(map, out) && out->region_count == 0;
    assigns out->region_count, out->regions[0 .. MACHINE_MAX_REGIONS - 1];
    ensures regions_sorted(out); */
static void read_regions(const struct map *map, struct machine *out, struct sink *errors)
{
    enum memory_kind kind;
    /*@ loop invariant at <= PHYSICAL_END && regions_sorted(out) && regions_end(out) <= at;
        loop assigns at, end, kind, out->region_count, out->regions[0 .. MACHINE_MAX_REGIONS - 1];
        loop variant PHYSICAL_END - at; */
    for (uint64_t at = 0, end = 0; at < PHYSICAL_END; at = end) {
        if (!map_run(map, at, &end, &kind) || add_region(out, (struct range){at, end - at}, kind))
            continue;
        sink_print(errors, "multiboot2: more than %d memory regions: nothing from address 0x%llx on is used\n",
                   MACHINE_MAX_REGIONS, (unsigned long long)at);
        return;
    }
}

bool multiboot2_map_read(const struct multiboot2_tag *tag, struct machine *out, struct sink *errors)
{
    if (tag->size < MAP_ENTRIES) {
        sink_print(errors, "multiboot2: memory map of %u bytes, expected a tag of type 6 with entries\n", tag->size);
        return false;
    }
    uint32_t entry_size = load32(tag->at + MAP_ENTRY_SIZE);
    if (entry_size < MAP_ENTRY_MIN || !is_aligned(entry_size, 8)) {
        sink_print(errors, "multiboot2: memory map entries of %u bytes, expected a multiple of 8 from %d on\n",
                   entry_size, MAP_ENTRY_MIN);
        return false;
    }
    uint32_t bytes = tag->size - MAP_ENTRIES;
    struct map map = {tag->at + MAP_ENTRIES, bytes / entry_size, entry_size};
    /*@ assert map.count * map.entry_size <= bytes; */
    if (bytes % entry_size != 0)
        sink_print(errors, "multiboot2: memory map ends with %u bytes, expected whole entries of %u\n",
                   bytes % entry_size, entry_size);
    /*@ loop invariant 0 <= i <= map.count;
        loop assigns i;
        loop variant map.count - i; */
    for (uint32_t i = 0; i < map.count; i++) {
        struct range range = map_raw(&map, i).range;
        if (!is_physical(range))
            sink_print(errors, "multiboot2: memory map entry %u, 0x%lx bytes at 0x%lx, passes 2^52\n", i, range.size,
                       range.base);
    }
    read_regions(&map, out, errors);
    /*@ loop invariant 0 <= i <= out->region_count;
        loop assigns i;
        loop variant out->region_count - i; */
    for (uint32_t i = 0; i < out->region_count; i++)
        if (out->regions[i].kind == MEMORY_USABLE)
            return true;
    sink_print(errors, "multiboot2: memory map of %u entries has no usable memory\n", map.count);
    return false;
}
