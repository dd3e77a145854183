/*
 * Start, stop, restart, pause and resume of one partition: asking (any CPU) and obeying (its own CPUs).
 */
#pragma once

#include "core/partition.h"

enum lifecycle_answer {
    LIFECYCLE_ACCEPTED,
    LIFECYCLE_REFUSED, /* it is so already, or is not running to be paused, or paused to be resumed */
    LIFECYCLE_LATER,   /* another change is being carried out: it comes after that */
    LIFECYCLE_BUSY,    /* the same, and another wish waits already */
};

/*
 * A person asks for a change. Does not wait: lifecycle_settled tells when it is done. While another change is being
 * carried out one wish is kept and asked for again when that is done, before the guest gets to run: so one that resets
 * itself for ever can be stopped too. A stop takes the place of any other wish that waits.
 */
enum lifecycle_answer lifecycle_ask(struct partition *p, enum partition_goal goal);
enum partition_goal lifecycle_goal(const struct partition *p); /* GOAL_NONE: settled */
bool lifecycle_settled(const struct partition *p);

/*
 * A guest ended itself or is ended by a fault: records the reason and stops it; the rule for the class (core/fault.h)
 * decides what follows. A rule that lets the guest go on is the caller's business; here it stops.
 */
void lifecycle_fault(struct partition *p, enum fault_class class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Whether the log tells of one more reset or fault, at TSC value `now`, of a partition that goes on or starts again:
 * one that does so all the time does not fill it. Says itself what is left out.
 */
bool must_check lifecycle_is_told(struct partition *p, uint64_t now);

/* The guest pulled its reset line: if the rule for that is not another one it starts again, as a PC would. */
void lifecycle_guest_reset(struct partition *p);

/* Starts the partition again if its restart was put off and is due at TSC value `now`. Console CPU only. */
void lifecycle_restart_due(struct partition *p, uint64_t now);

/* Called by each CPU's loop for its vCPU before every entry: obeys requests. True: the vCPU may run. */
bool lifecycle_obey(struct vcpu *vcpu, const struct backend *backend);
