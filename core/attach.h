/*
 * The terminal as a partition's own: its output comes here, the keys go to its UART, until the escape key.
 * Where each partition's output was left is remembered, so the next attach goes on from there.
 */
#pragma once

#include "core/command.h"

struct attach {
    struct outbox *out;
    struct partition *partition; /* NULL: not attached */
    uint8_t escape;
    uint64_t seen[CONFIG_MAX_PARTITIONS]; /* position in each partition's output */
    enum partition_state state;           /* as last told */
    uint32_t starts;
};

void attach_begin(struct attach *attach, struct partition *p);

/*
 * Takes what was typed, and returns how many bytes the guest has taken: the others are to be offered again. The escape
 * key, wherever it is among them, ends the attachment: what was typed before it goes with it. See partition.
 */
size_t attach_type(struct attach *attach, const char *bytes, size_t length);

/* Moves some output on, and tells when the partition has stopped or started. */
void attach_service(struct attach *attach);
