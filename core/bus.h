/*
 * From an address to a device model: a constant table in the order of addresses, found by bisection. For ports and for
 * memory.
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

/* An access where nothing answers: the pulled-up data lines of a PC's bus. */
static inline void bus_nothing(struct bus_access *access)
{
    if (!access->write)
        access->value = bus_all_ones(access->size);
}

/* Handles an access that lies wholly inside [base, base + size); `offset` is address - base. */
typedef void bus_handler(void *device, uint64_t offset, struct bus_access *access);

struct bus_slot {
    uint32_t base;
    uint16_t size;
    uint16_t device;     /* where the model's state is in the struct that has all of them */
    bus_handler *handle; /* NULL: an empty place that guests are known to look at */
    uint8_t width;       /* widest access in bytes the device takes; a wider one reaches it as several, low address
                            first. 0: any */
    uint8_t note;        /* the owner's; the bus does not look at it */
};

/* The slot that holds `address`, or NULL. `slots` ascend, do not overlap and are not empty. */
const struct bus_slot *bus_find(const struct bus_slot *slots, size_t count, uint64_t address);

/*
 * An access to the slot that holds its address, of the models in `devices`. False, with nothing done, when `slot` is
 * NULL, does not hold the whole access, or its size is none of 1, 2, 4, 8: the caller's policy decides. After a read,
 * `value` has no bits above the access's size.
 */
bool must_check bus_dispatch(const struct bus_slot *slot, void *devices, struct bus_access *access);
