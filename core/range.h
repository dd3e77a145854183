/*
 * Half-open address ranges with arithmetic that cannot wrap.
 *
 * A range is valid when base + size does not pass 2^64. Every other function here
 * expects valid ranges and is total on them; an empty range touches nothing.
 */
#pragma once

#include "core/types.h"

struct range {
    uint64_t base;
    uint64_t size;
};

static inline bool range_valid(struct range r) { return r.size <= UINT64_MAX - r.base; }

/* One past the last address. */
static inline uint64_t range_end(struct range r) { return r.base + r.size; }

static inline bool range_contains(struct range r, uint64_t address)
{
    return address >= r.base && address - r.base < r.size;
}

static inline bool range_includes(struct range outer, struct range inner)
{
    return inner.base >= outer.base && inner.base - outer.base <= outer.size &&
           inner.size <= outer.size - (inner.base - outer.base);
}

static inline bool range_overlaps(struct range a, struct range b)
{
    return a.size != 0 && b.size != 0 && a.base < range_end(b) && b.base < range_end(a);
}

/* What both have in common; size 0 when that is nothing. */
static inline struct range range_intersect(struct range a, struct range b)
{
    if (!range_overlaps(a, b))
        return (struct range){a.base, 0};
    uint64_t base = a.base > b.base ? a.base : b.base;
    uint64_t end = range_end(a) < range_end(b) ? range_end(a) : range_end(b);
    return (struct range){base, end - base};
}

static inline bool is_aligned(uint64_t value, uint64_t alignment) { return (value & (alignment - 1)) == 0; }
static inline uint64_t align_down(uint64_t value, uint64_t alignment) { return value & ~(alignment - 1); }

/* `value` rounded up to a power of two; false when that passes 2^64. */
static inline bool must_check align_up(uint64_t value, uint64_t alignment, uint64_t *out)
{
    if (value > UINT64_MAX - (alignment - 1))
        return false;
    *out = align_down(value + alignment - 1, alignment);
    return true;
}
