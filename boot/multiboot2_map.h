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

/*
 * Fills out->regions: sorted, disjoint, and where entries overlap the stricter one holds. False, with a line, when
 * there is no map that can be read or no usable memory in it.
 */
bool must_check multiboot2_map_read(const struct multiboot2_tag *tag, struct machine *out, struct sink *errors);
