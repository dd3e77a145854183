/*
 * From an address to a device model: one sorted table, found by bisection. Used for ports and for memory.
 */
#pragma once

#include "core/types.h"

struct bus_access {
    uint64_t address; /* port number, or guest-physical address */
    uint8_t size;     /* 1, 2, 4 (or 8, memory only) */
    bool write;
    uint64_t value; /* write: in; read: out */
};

/* What a read finds where nothing answers. */
static inline uint64_t bus_all_ones(uint8_t size) { return size >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * size)) - 1; }

/* Handles an access that lies wholly inside [base, base + size); `offset` is address - base. */
typedef void bus_handler(void *device, uint64_t offset, struct bus_access *access);

struct bus_slot {
    uint64_t base;
    uint64_t size;
    bus_handler *handle;
    void *device;
    const char *name; /* for messages */
    uint8_t width;    /* widest access in bytes the device takes; a wider one reaches it as several, low address first.
                         0: any */
    uint8_t note;     /* the owner's; the bus does not look at it */
};

enum { BUS_MAX_SLOTS = 32 };

struct bus {
    uint32_t count;
    struct bus_slot slots[BUS_MAX_SLOTS]; /* ascending base, not overlapping */
};

/* False when the table is full or the slot overlaps another one (or is empty, or wraps, or has no handler). */
bool must_check bus_add(struct bus *bus, struct bus_slot slot);

/* The slot that holds `address`, or NULL. */
const struct bus_slot *bus_find(const struct bus *bus, uint64_t address);

/* bus_dispatch with the slot known: NULL, or the one that bus_find gives for the access's address. */
bool must_check bus_slot_dispatch(const struct bus_slot *slot, struct bus_access *access);

/*
 * False, with nothing done, when no slot holds the whole access or its size is none of 1, 2, 4, 8: the caller's policy
 * decides. After a read, `value` has no bits above the access's size.
 */
bool must_check bus_dispatch(const struct bus *bus, struct bus_access *access);
