/*
 * From an address to a device model: one sorted table, found by bisection. Used for ports and for memory.
 */
#pragma once

#include "core/types.h"

struct bus_access {
    uint64_t address; /* port number, or guest-physical address */
    uint8_t size;     /* 1, 2, 4 (or 8, memory only) */
    bool write;
    uint64_t value;   /* write: in; read: out */
};

/* Handles an access that lies wholly inside [base, base + size); `offset` is address - base. */
typedef void bus_handler(void *device, uint64_t offset, struct bus_access *access);

struct bus_slot {
    uint64_t base;
    uint64_t size;
    bus_handler *handle;
    void *device;
    const char *name; /* for messages */
};

enum { BUS_MAX_SLOTS = 32 };

struct bus {
    uint32_t count;
    struct bus_slot slots[BUS_MAX_SLOTS]; /* ascending base, not overlapping */
};

/* False when the table is full or the slot overlaps another one (or is empty, or wraps). */
bool must_check bus_add(struct bus *bus, struct bus_slot slot);

const struct bus_slot *bus_find(const struct bus *bus, uint64_t address);

/* False when no slot holds the whole access: the caller's policy decides. */
bool must_check bus_dispatch(const struct bus *bus, struct bus_access *access);
