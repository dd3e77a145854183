/*
 * Carries out the instruction with which a guest touched a device's memory. Pure: the guest's RAM and its devices are
 * reached through callbacks, registers are changed in the vCPU, everything else is handed back as data.
 */
#pragma once

#include "core/bus.h"
#include "core/decode.h"
#include "core/exception.h"
#include "core/guest_walk.h"

/* A string instruction with REP does at most this many elements before the vCPU looks at its requests again. */
enum { MMIO_MAX_ELEMENTS = 64 };

enum mmio_result {
    MMIO_DONE,      /* move RIP on by `length`, write `rflags` */
    MMIO_AGAIN,     /* some elements of a REP are done: leave RIP, enter the guest, it continues by itself */
    MMIO_EXCEPTION, /* inject `vector` with `error_code` (and CR2 for #PF), leave RIP */
    MMIO_REFUSED,   /* no device answered `refused`: policy decides; leave RIP */
    MMIO_UNKNOWN,   /* `reason` says why it could not be carried out; `bytes` hold the instruction */
};

struct mmio_outcome {
    uint8_t length;            /* MMIO_DONE, and wherever the instruction could be decoded: its bytes */
    uint8_t vector;            /* MMIO_EXCEPTION: 6, 12, 13 or 14 */
    uint32_t error_code;       /* of 12, 13 and 14; 0 for 6, which has none */
    uint64_t cr2;              /* of 14: the linear address */
    uint64_t rflags;           /* MMIO_DONE: the guest's new RFLAGS; otherwise the old ones */
    struct bus_access refused; /* MMIO_REFUSED */
    const char *reason;        /* MMIO_UNKNOWN: half a sentence; otherwise NULL */
    uint8_t byte_count;        /* of `bytes`: what could be fetched at RIP, at most 15 */
    uint8_t bytes[DECODE_MAX_LENGTH];
};

/* One access to a device, inside one page. False, with nothing done, when no device owns the address. */
typedef bool mmio_access(void *context, struct bus_access *access);

/*
 * Emulates the instruction at the view's RIP, which touched `fault_address` (any byte of the page that was refused).
 * General registers are read and written in vcpu->gpr, RSP's slot included, which therefore must be current before and
 * written back after. For every result but MMIO_DONE and MMIO_AGAIN the registers tell what was completed: nothing, or
 * whole elements of a REP.
 */
enum mmio_result must_check mmio_emulate(struct vcpu *vcpu, const struct vcpu_state_view *view, gpa_t fault_address,
                                         const struct guest_memory *memory, mmio_access *access, void *context,
                                         struct mmio_outcome *outcome);
