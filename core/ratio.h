/*
 * Exact conversion between clocks: value * numerator / denominator with a 128-bit product. The compiler would divide
 * 128 bits by a library call that the hypervisor does not have.
 */
#pragma once

#include "core/types.h"

/* Rounded down. UINT64_MAX when the result passes 64 bits or the denominator is 0. */
uint64_t ratio_floor(uint64_t value, uint64_t numerator, uint64_t denominator);

/* Rounded up; otherwise the same. */
uint64_t ratio_ceil(uint64_t value, uint64_t numerator, uint64_t denominator);
