/*
 * Start, stop, restart, pause and resume of one partition: asking (any CPU) and obeying (its own CPUs).
 */
#pragma once

#include "core/partition.h"

enum lifecycle_answer {
    LIFECYCLE_ACCEPTED,
    LIFECYCLE_ALREADY,      /* it is so already */
    LIFECYCLE_NOT_RUNNING,  /* pause needs a running partition, resume a paused one */
    LIFECYCLE_BUSY,         /* an earlier goal is still being carried out */
};

/* Asks for a change and kicks the partition's CPUs. Does not wait: lifecycle_settled tells when it is done. */
enum lifecycle_answer lifecycle_ask(struct partition *p, enum partition_goal goal);
enum partition_goal lifecycle_goal(const struct partition *p); /* GOAL_NONE: settled */
bool lifecycle_settled(const struct partition *p);

/* A guest ended itself or was ended by a fault: records the reason and stops it; policy `on_stop` decides what follows. */
void lifecycle_end(struct partition *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The guest pulled its reset line: it starts again, as a PC would. */
void lifecycle_guest_reset(struct partition *p);

/* Called by each CPU's loop for its vCPU before every entry: obeys requests. True: the vCPU may run. */
bool lifecycle_obey(struct vcpu *vcpu, const struct backend *backend);
