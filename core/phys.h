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
