/*
 * The memory map among GRUB's tags. Private to boot/multiboot2*.c.
 */
#pragma once

#include "boot/multiboot2.h"

/* A tag's bytes, header included. size 0: there is no such tag. */
struct multiboot2_tag {
    const uint8_t *at;
    uint32_t size;
};

/*@ predicate tag_readable(uint8_t *at, integer size) =
      size == 0 || (8 <= size && \valid_read(at + (0 .. size - 1))); */

/*
 * Fills out->regions: sorted, disjoint, and where entries overlap the stricter one holds. False, with a line, when
 * there is no map that can be read or no usable memory in it.
 */
/*@ requires \valid_read(tag) && tag_readable(tag->at, tag->size) && \valid(out) && \separated(tag, out);
    requires out->region_count == 0;
    assigns out->region_count, out->regions[0 .. MACHINE_MAX_REGIONS - 1];
    ensures regions_sorted(out) && (\result ==> has_usable_region(out)); */
bool must_check multiboot2_map_read(const struct multiboot2_tag *tag, struct machine *out, struct sink *errors);
