/*
 * Instructions with which a vCPU has touched device memory: what core/fast_memory.c remembers of them.
 */
#pragma once

#include "core/phys.h"

enum { FAST_CODE_SLOTS = 4, FAST_CODE_LEVELS = 5, FAST_CODE_BYTES = 8, FAST_CODE_OPERAND = 4 };

struct fast_code {
    uint64_t rip, cr3, la57;                      /* la57: that bit of CR4 */
    uint32_t count;                               /* of words; 0: nothing is remembered here */
    struct phys_word words[FAST_CODE_LEVELS + 1]; /* the guest's page tables from the top, then the instruction */
    uint8_t length;
    bool write;
    bool has_immediate;
    uint8_t reg, base;     /* as in struct decoded */
    uint64_t displacement; /* an absolute one, where it was relative to RIP */
    uint32_t immediate;
};
