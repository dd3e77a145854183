/*
 * The terminal as a partition's own: its output comes here, the keys go to its UART, until the escape key.
 * Where each partition's output was left is remembered, so the next attach goes on from there.
 */
#pragma once

#include "core/command.h"

enum { ATTACH_INPUT_SIZE = 256 }; /* bytes that may wait for the guest's UART; more are refused with a bell */

struct attach {
    struct outbox *out;
    struct partition *partition; /* NULL: not attached */
    uint8_t escape;
    uint64_t seen[CONFIG_MAX_PARTITIONS]; /* position in each partition's output */
    enum partition_state state;           /* as last told */
    uint32_t starts;
    uint32_t input_length;
    char input[ATTACH_INPUT_SIZE];
};

void attach_init(struct attach *attach, uint8_t escape, struct outbox *out);
void attach_begin(struct attach *attach, struct partition *p);

/* Takes what was typed; returns how many bytes, which is all of them unless the escape key ended it: see partition. */
size_t attach_type(struct attach *attach, const char *bytes, size_t length);

/* Moves some input and output on, and tells when the partition has stopped or started. */
void attach_service(struct attach *attach);
