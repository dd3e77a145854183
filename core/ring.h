/*
 * A partition's console output: the last RING_SIZE bytes, written by its vCPUs, read by the console CPU.
 * Old bytes give way to new ones, so that a writer never waits; a reader is told how many it missed.
 * The ring outlives a restart of the partition. Locked inside.
 */
#pragma once

#include "core/spinlock.h"

enum { RING_SIZE = 16 * 1024 };

struct ring {
    struct spinlock lock;
    uint64_t written; /* bytes ever written; the next goes to written % RING_SIZE */
    char bytes[RING_SIZE];
};

void ring_put(struct ring *ring, char byte);

/*
 * Copies up to `size` bytes from position *at on and moves *at past them. When *at has already been overwritten it is
 * moved to the oldest byte first and *lost is set to how many were skipped, else to 0.
 */
size_t ring_read(struct ring *ring, uint64_t *at, char *to, size_t size, uint64_t *lost);

uint64_t ring_end(struct ring *ring); /* the position of the next byte */
