/*
 * The words that every room uses: sizes, and the two kinds of physical address.
 *
 * A guest-physical and a host-physical address are different types, so that one
 * never passes for the other. `raw` is the only way in and out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define PAGE_SIZE (4 * KIB)
#define PAGE_SIZE_2M (2 * MIB)
#define PAGE_SIZE_1G (1 * GIB)

typedef struct {
    uint64_t raw;
} gpa_t;
typedef struct {
    uint64_t raw;
} hpa_t;

/*@ assigns \nothing;
    ensures \result.raw == raw; */
static inline gpa_t gpa(uint64_t raw) { return (gpa_t){raw}; }
/*@ assigns \nothing;
    ensures \result.raw == raw; */
static inline hpa_t hpa(uint64_t raw) { return (hpa_t){raw}; }

#define must_check __attribute__((warn_unused_result))
#define array_size(a) (sizeof(a) / sizeof((a)[0]))
