/*
 * The one way to host-physical memory that is not the hypervisor's own: guests'
 * RAM, boot modules, firmware tables. In the hypervisor each CPU maps a moving
 * window (arch/x86_64/phys.c), so guest memory is never in the standing map; in
 * host tests it is an array (tests/unit/fake_phys.c).
 *
 * The caller has checked that the range is one it may touch. No errors.
 */
#pragma once

#include "core/types.h"

void phys_read(hpa_t from, void *to, size_t size);
void phys_write(hpa_t to, const void *from, size_t size);
void phys_zero(hpa_t to, uint64_t size);
void phys_copy(hpa_t to, hpa_t from, uint64_t size);

/*
 * Whether memory is still what it was: each of the words, 8 bytes that do not cross a page, in the bits of its mask.
 * Words in the same 2 MiB, one after the other, cost next to nothing.
 */
struct phys_word {
    hpa_t at;
    uint64_t value, mask;
};
bool phys_compare(const struct phys_word *words, uint32_t count); /* at least one */
