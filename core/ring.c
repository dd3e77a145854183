/* Console output that never waits: the last RING_SIZE bytes, and for each reader how many it missed. */
#include "core/ring.h"

#include "core/bytes.h"

void ring_put(struct ring *ring, char byte)
{
    spin_lock(&ring->lock);
    ring->bytes[ring->written % RING_SIZE] = byte;
    ring->written++;
    spin_unlock(&ring->lock);
}

size_t ring_read(struct ring *ring, uint64_t *at, char *to, size_t size, uint64_t *lost)
{
    *lost = 0;
    spin_lock(&ring->lock);
    /* Positions count all bytes ever written; 2^64 of them are never reached. */
    uint64_t first = ring->written > RING_SIZE ? ring->written - RING_SIZE : 0;
    if (*at < first) {
        *lost = first - *at;
        *at = first;
    } else if (*at > ring->written) {
        *at = ring->written; /* A reader can not be ahead of the writer: it starts over at the end. */
    }
    uint64_t there = ring->written - *at;
    size_t count = there < size ? (size_t)there : size;
    size_t start = (size_t)(*at % RING_SIZE);
    size_t to_edge = RING_SIZE - start;
    size_t part = count < to_edge ? count : to_edge;
    memcpy(to, ring->bytes + start, part);
    memcpy(to + part, ring->bytes, count - part);
    *at += count;
    spin_unlock(&ring->lock);
    return count;
}

uint64_t ring_end(struct ring *ring)
{
    spin_lock(&ring->lock);
    uint64_t position = ring->written;
    spin_unlock(&ring->lock);
    return position;
}
