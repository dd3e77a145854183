/*
 * Random code and random exits: what random.c, random_modes.c and random_exits.c share.
 */
#pragma once

#include "guests/hostile/attack.h"

enum random_kind {
    RANDOM_REAL,
    RANDOM_PROTECTED_32,
    RANDOM_PAE,
    RANDOM_V86,
    RANDOM_PROTECTED_16,
    RANDOM_64,
    RANDOM_KINDS
};

/* Noise, mixed with instructions that leave the guest. */
void random_bytes(uint64_t *state, uint8_t *to, size_t count);
/* An address, port or register number of interest; now and then anything. */
uint64_t random_number(uint64_t *state);

void random_modes_run(enum random_kind kind, uint64_t *state) __attribute__((noreturn));
/* Does something that leaves the guest, for ever. */
void random_exits_run(uint64_t *state) __attribute__((noreturn));
