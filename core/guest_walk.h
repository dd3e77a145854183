/*
 * Walks a guest's own page tables: from a linear to a guest-physical address, as the CPU would. Pure.
 *
 * SDM vol. 3, "Paging": no paging, 32-bit, PAE, 4-level and 5-level. Protection keys are left out: the access that
 * made the guest exit has passed the CPU's own check, and the keys' registers are not part of the view.
 */
#pragma once

#include "core/vcpu.h"

/* The guest's RAM. Both return false, with nothing done, when a byte of the range is not RAM. */
struct guest_memory {
    bool (*read)(void *context, gpa_t from, void *to, size_t size);
    bool (*write)(void *context, gpa_t to, const void *from, size_t size);
    void *context;
    uint8_t physical_bits; /* MAXPHYADDR as the guest sees it, 32 to 52: address bits above are reserved; 0 means 52 */
};

/* What the access is: bits of `access`. Without WALK_WRITE and WALK_FETCH it is a data read. */
enum {
    WALK_WRITE = 1u << 0,
    WALK_FETCH = 1u << 1,
};

/* Page-fault error code. SDM vol. 3, "Page-Fault Exceptions". */
enum {
    PAGE_FAULT_PRESENT = 1u << 0,
    PAGE_FAULT_WRITE = 1u << 1,
    PAGE_FAULT_USER = 1u << 2,
    PAGE_FAULT_RESERVED = 1u << 3,
    PAGE_FAULT_FETCH = 1u << 4,
};

enum walk_result {
    WALK_OK,
    WALK_FAULT,         /* #PF with the error code */
    WALK_NOT_CANONICAL, /* #GP(0), or #SS(0) for a stack segment */
    WALK_NOT_RAM,       /* a table entry lies outside the guest's RAM: nothing is known */
};

enum { WALK_MAX_LEVELS = 5 };

struct walk_outcome {
    gpa_t address;             /* WALK_OK; otherwise, for WALK_NOT_RAM, where the entry was looked for */
    uint32_t error_code;       /* WALK_FAULT */
    uint32_t depth;            /* how many entries were read */
    gpa_t at[WALK_MAX_LEVELS]; /* where they are, from the top */
    uint64_t entries[WALK_MAX_LEVELS];
};

/*
 * Translates `linear` for an access at the view's privilege level. `access` is 0 or one of WALK_WRITE and WALK_FETCH.
 * Sets the accessed and dirty bits that are not set yet once the access has been found legal, and never otherwise.
 */
enum walk_result must_check guest_walk(const struct vcpu_state_view *view, const struct guest_memory *memory,
                                       uint64_t linear, unsigned access, struct walk_outcome *out);
