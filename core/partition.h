/*
 * A partition at run time: its plan, its vCPUs, its virtual PC, and where it is in its life.
 *
 * `state` says what is; `goal` says what the console or a policy wants. The goal is written by any CPU, then all of the
 * partition's CPUs are kicked; each parks its vCPU; the partition's boot CPU (vcpus[0]) carries the goal out once
 * all have parked. So no two CPUs ever change a partition at the same time. core/lifecycle.c holds the steps.
 */
#pragma once

#include "core/backend.h"
#include "core/plan.h"
#include "core/platform.h"
#include "core/ring.h"
#include "core/vcpu.h"

enum partition_state {
    PARTITION_STOPPED, /* never started, stopped by hand, or ended by itself: see `reason` */
    PARTITION_RUNNING,
    PARTITION_PAUSED,
};

enum partition_goal { GOAL_NONE, GOAL_START, GOAL_STOP, GOAL_RESTART, GOAL_PAUSE, GOAL_RESUME };

enum { PARTITION_REASON_SIZE = 160 };

struct partition {
    const struct plan_partition *plan;
    const struct machine *machine;
    uint32_t index;               /* number in the plan */
    uint32_t vcpu_count;
    struct vcpu *vcpus;
    const uint32_t *apic_ids;     /* of the vCPUs, in their order */
    struct nested_tables nested;
    struct platform *platform;
    struct ring *output;
    uint16_t asid;                /* VPID or ASID, 1 and up, never shared */

    enum partition_state state;   /* written by the boot CPU only */
    uint32_t goal;                /* atomic: what is wanted, see core/lifecycle_goal.h */
    uint32_t starts;              /* how often it was started */
    uint32_t quick_ends;          /* ends within a second of the start, one after the other */
    uint32_t dropped_interrupts;  /* of device models, with a vector that no local APIC takes */
    uint64_t started_at;          /* TSC */
    uint64_t restart_at;          /* atomic: TSC at which policy starts it again; 0: it does not */
    uint64_t heartbeat_due;       /* atomic: TSC by which the guest must call again; 0: it need not */
    uint64_t heartbeat_ticks;     /* how long it has */
    struct spinlock fault_lock;   /* for the five below */
    struct fault_pace ends;       /* told of late */
    struct fault_history restarts[FAULT_CLASSES];
    struct fault_seen seen[FAULT_MEMORY - FAULT_PORT + 1]; /* by class: refused and told, over all starts */
    struct spinlock reason_lock;
    char reason[PARTITION_REASON_SIZE]; /* why it stopped, one line; "" while it runs */
};

static inline const char *partition_name(const struct partition *p) { return p->plan->config->name; }

/* All partitions of the box: filled by boot/main.c once, constant after. */
struct partition_table {
    uint32_t count;
    struct partition partitions[CONFIG_MAX_PARTITIONS];
};
extern struct partition_table partition_table;

struct partition *partition_find(struct slice name); /* or NULL */

/*
 * Guest-physical reads and writes inside the partition's own RAM; may cross chunks. False, nothing
 * done, when a byte of it is not RAM.
 */
bool must_check partition_read(const struct partition *p, gpa_t from, void *to, size_t size);
bool must_check partition_write(const struct partition *p, gpa_t to, const void *from, size_t size);

/* Carries out what the platform asked for: interrupts to vCPUs, reset, power off. From any CPU. */
void partition_deliver(struct partition *p, const struct platform_outcome *outcome);
