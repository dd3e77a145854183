/*
 * Memory and string primitives. On the host these are the C library's; in the
 * hypervisor arch/x86_64/bytes.c and core/bytes.c provide them.
 */
#pragma once

#include "core/types.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t size);

/* A piece of somebody else's text: not terminated, not owned. */
struct slice {
    const char *at;
    size_t length;
};

/*@ predicate slice_readable(struct slice s) = s.length == 0 || \valid_read(s.at + (0 .. s.length - 1)); */

/* The whole of a string that ends. */
/*@ assigns \nothing;
    ensures \result.at == text && slice_readable(\result); */
struct slice slice_of(const char *text);

bool slice_equals(struct slice s, const char *text);

/* Index of the first `byte` from index `from` on, or the length. */
/*@ requires slice_readable(s) && from <= s.length;
    assigns \nothing;
    ensures from <= \result <= s.length; */
size_t slice_find(struct slice s, size_t from, char byte);

/* Copies at most size - 1 characters and terminates; returns false when it had to cut. */
bool slice_copy(struct slice s, char *to, size_t size);

/* Little-endian loads from unaligned bytes, for tables that others wrote. */
/*@ requires \valid_read(p + (0 .. 1));
    assigns \nothing; */
static inline uint16_t load16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
/*@ requires \valid_read(p + (0 .. 3));
    assigns \nothing; */
static inline uint32_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
/*@ requires \valid_read(p + (0 .. 7));
    assigns \nothing; */
static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}
