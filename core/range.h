/*
 * Half-open address ranges with arithmetic that cannot wrap.
 *
 * A range is valid when base + size does not pass 2^64. Every other function here
 * expects valid ranges and is total on them; an empty range touches nothing.
 * The comments that begin with an at sign are contracts, which `make proof` proves (tests/proof).
 */
#pragma once

#include "core/types.h"

struct range {
    uint64_t base;
    uint64_t size;
};

/*@ predicate valid(struct range r) = r.base + r.size <= UINT64_MAX;
    predicate in(integer a, struct range r) = r.base <= a < r.base + r.size;
    predicate apart(struct range a, struct range b) = a.base + a.size <= b.base || b.base + b.size <= a.base; */

/*@ assigns \nothing;
    ensures \result <==> valid(r); */
static inline bool range_valid(struct range r) { return r.size <= UINT64_MAX - r.base; }

/* One past the last address. */
/*@ requires valid(r);
    assigns \nothing;
    ensures \result == r.base + r.size; */
static inline uint64_t range_end(struct range r) { return r.base + r.size; }

/*@ assigns \nothing;
    ensures \result <==> in(address, r); */
static inline bool range_contains(struct range r, uint64_t address)
{
    return address >= r.base && address - r.base < r.size;
}

/*@ assigns \nothing;
    ensures \result <==> outer.base <= inner.base && inner.base + inner.size <= outer.base + outer.size; */
static inline bool range_includes(struct range outer, struct range inner)
{
    return inner.base >= outer.base && inner.base - outer.base <= outer.size &&
           inner.size <= outer.size - (inner.base - outer.base);
}

/* Total: of a range that passes 2^64 the part beyond is nobody's. */
/*@ assigns \nothing;
    ensures \result <==> a.size != 0 && b.size != 0 && !apart(a, b);
    ensures \result <==> \exists integer x; in(x, a) && in(x, b); */
static inline bool range_overlaps(struct range a, struct range b)
{
    return a.base < b.base ? b.size != 0 && b.base - a.base < a.size : a.size != 0 && a.base - b.base < b.size;
}

/* What both have in common; size 0 when that is nothing. */
/*@ requires valid(a) && valid(b);
    assigns \nothing;
    ensures \forall integer x; in(x, \result) <==> in(x, a) && in(x, b); */
static inline struct range range_intersect(struct range a, struct range b)
{
    if (!range_overlaps(a, b))
        return (struct range){a.base, 0};
    uint64_t base = a.base > b.base ? a.base : b.base;
    uint64_t end = range_end(a) < range_end(b) ? range_end(a) : range_end(b);
    return (struct range){base, end - base};
}

/*@ requires alignment != 0;
    assigns \nothing;
    ensures \result <==> value % alignment == 0; */
static inline bool is_aligned(uint64_t value, uint64_t alignment) { return value % alignment == 0; }

/*@ requires alignment != 0;
    assigns \nothing;
    ensures \result == value / alignment * alignment;
    ensures value - alignment < \result <= value; */
static inline uint64_t align_down(uint64_t value, uint64_t alignment) { return value / alignment * alignment; }

/* `value` rounded up; false when that passes 2^64. */
/*@ requires alignment != 0 && \valid(out);
    assigns *out;
    ensures \result <==> value + alignment - 1 <= UINT64_MAX;
    ensures \result ==> *out == (value + alignment - 1) / alignment * alignment;
    ensures \result ==> *out >= value;
    ensures !\result ==> *out == \old(*out); */
static inline bool must_check align_up(uint64_t value, uint64_t alignment, uint64_t *out)
{
    if (value > UINT64_MAX - (alignment - 1))
        return false;
    *out = align_down(value + (alignment - 1), alignment);
    return true;
}
