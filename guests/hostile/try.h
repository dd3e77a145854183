/*
 * Code that may fault in any way: it is called, and whatever exception it causes ends it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guests/common/trap.h"

struct caught {
    bool faulted;
    uint8_t vector;
    uint64_t error; /* 0 for vectors that have none */
    uint64_t rip, cr2;
};

/* Takes the exceptions of this guest. Once, before the first try. */
void try_init(void);

/* Calls code(argument). Registers, flags and segments are as before when it comes back, in whatever way. */
struct caught try(void (*code)(uint64_t), uint64_t argument);

/* The same for up to TRY_BYTES bytes of machine code; RDI holds the argument. A RET is put behind them. */
enum { TRY_BYTES = 64 };
struct caught try_bytes(const uint8_t *bytes, size_t count, uint64_t argument);

/* A handler of interrupts that ends what is under trial, as an exception does. Nothing happens when nothing is. */
void try_abandon(struct trap_frame *frame);

/* Whether a general-protection fault with error code 0 was caught. */
bool caught_gp(struct caught caught);
/* The vector, or 0x100 when nothing faulted: for messages. */
uint64_t caught_number(struct caught caught);

/* NMIs that came. */
extern volatile uint64_t try_nmis;
