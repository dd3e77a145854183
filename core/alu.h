/*
 * What the emulated arithmetic and bit instructions do to their operands and to the flags. Pure.
 * SDM vol. 1, "Status Flags"; vol. 2, the instructions' own pages.
 */
#pragma once

#include "core/decode.h"

/* The low `size` bytes, 1 to 8; the top bit of them; and a number of so many bytes made 64 bits wide. */
static inline uint64_t size_mask(unsigned size) { return UINT64_MAX >> (64 - 8 * size); }
static inline uint64_t sign_bit(unsigned size) { return (uint64_t)1 << (8 * size - 1); }
static inline uint64_t sign_extend(uint64_t value, unsigned size)
{
    return ((value & size_mask(size)) ^ sign_bit(size)) - sign_bit(size);
}

/* a OPERATION b on operands of `size` bytes; the arithmetic flags in *rflags are replaced. */
uint64_t alu_compute(enum decode_operation operation, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags);

/* Whether the operation has a result besides the flags. */
static inline bool alu_writes(enum decode_operation operation)
{
    return operation != DECODE_CMP && operation != DECODE_TEST && operation != DECODE_BT;
}
