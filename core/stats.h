/*
 * How often a vCPU left its guest, by reason: since the partition started, and since somebody last looked.
 * The vCPU's own CPU counts on meanwhile.
 */
#pragma once

#include "core/sink.h"
#include "core/vcpu.h"

enum { STATS_PRINT_SIZE = (EXIT_KINDS + 1) * 50 }; /* more bytes than stats_print ever prints */

/*
 * One line for each reason with a count that is not 0, and the sums; remembers them for the next look. `forget`: the
 * partition was started anew since the last one. Console CPU only.
 */
void stats_print(struct vcpu *vcpu, bool forget, struct sink *out);
