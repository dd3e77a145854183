/*
 * How often a vCPU left its guest, by reason: since the partition started, and since somebody last looked.
 * The vCPU's own CPU counts on meanwhile; a look is one snapshot.
 */
#pragma once

#include "core/sink.h"
#include "core/vcpu.h"

struct stats_look {
    uint64_t total[EXIT_KINDS];
    uint64_t since[EXIT_KINDS];
};

/* Takes a snapshot and remembers it. `forget`: the partition was started anew since the last look. Console CPU only. */
void stats_take(struct vcpu *vcpu, bool forget, struct stats_look *look);

enum { STATS_PRINT_SIZE = (EXIT_KINDS + 1) * 50 }; /* more bytes than stats_print ever prints */

/* One line for each reason with a count that is not 0, and the sums. */
void stats_print(const struct stats_look *look, struct sink *out);
