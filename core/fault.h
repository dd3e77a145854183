/*
 * What is done when a guest does what it may not, or ends itself: one action for each class of fault, decided by the
 * configuration. Pure: the rules, the limit on restarts, and what has been said already.
 */
#pragma once

#include "core/types.h"

struct config_partition;

enum fault_class {
    FAULT_TRIPLE_FAULT,
    FAULT_PORT,   /* a port that no model of the virtual PC owns */
    FAULT_MSR,    /* a register that core/msr.c does not list */
    FAULT_MEMORY, /* an address that is neither the partition's RAM nor a model's */
    FAULT_MACHINE_CHECK,
    FAULT_UNKNOWN,   /* an exit nobody asked for, a refused entry, an instruction that cannot be carried out */
    FAULT_WATCHDOG,  /* the guest's watchdog or heartbeat has run out */
    FAULT_RESET,     /* the guest asks for it: a reset port, an INIT of its first CPU, a hypercall */
    FAULT_POWER_OFF, /* the guest asks for it: ACPI S5, a hypercall */
    FAULT_CLASSES
};

enum fault_action {
    FAULT_BY_DEFAULT, /* nothing is configured: see fault_rule_find */
    FAULT_LOG,        /* one line, then the guest goes on: a port or an address reads all ones, an MSR 0 */
    FAULT_INJECT,     /* the architected fault: #GP, #MC; the watchdog's is an NMI */
    FAULT_STOP,
    FAULT_RESTART,
    FAULT_HALT_BOX,
    FAULT_REBOOT_BOX,
};

enum {
    FAULT_MAX_RESTARTS = 16, /* that a limit may allow */
    FAULT_MAX_SECONDS = 24 * 60 * 60,
    FAULT_SEEN_MAX = 64,
};

struct fault_rule {
    enum fault_action action;
    uint32_t limit;   /* FAULT_RESTART: at most so many within `seconds`, 1 to FAULT_MAX_RESTARTS; 0: see lifecycle.c */
    uint32_t seconds; /* 1 to FAULT_MAX_SECONDS */
};

/*
 * The rule in force, never FAULT_BY_DEFAULT. What is not configured is: port log, msr inject, reset and watchdog
 * restart, and for all others what `on_stop` says, without a limit.
 */
struct fault_rule fault_rule_find(const struct config_partition *config, enum fault_class class);

/* Whether the rule stands in the configuration itself. */
bool fault_rule_is_configured(const struct config_partition *config, enum fault_class class);

/* Whether the guest goes on after the action. */
static inline bool fault_goes_on(enum fault_action action) { return action == FAULT_LOG || action == FAULT_INJECT; }

/* Whether `allow.port` names every port of the access, `allow.msr` the register. */
bool fault_port_is_allowed(const struct config_partition *config, uint64_t port, uint8_t size);
bool fault_msr_is_allowed(const struct config_partition *config, uint64_t number);

/* Restarts by one rule with a limit, the newest last. All zero: none. */
struct fault_history {
    uint32_t count;
    uint64_t at[FAULT_MAX_RESTARTS]; /* TSC */
};

/*
 * Whether the rule's limit leaves room for one more restart at TSC value `now`; nothing is counted yet. *delay is how
 * many ticks to wait before: none for the first, then 1 s, doubled each time, but altogether never more than half of
 * the rule's time, so that a guest which ends at once does reach its limit. *number counts it within that time, from 1.
 */
bool must_check fault_restart_allowed(const struct fault_history *history, struct fault_rule rule, uint64_t now,
                                      uint64_t tsc_hz, uint64_t *delay, uint32_t *number);
void fault_restart_count(struct fault_history *history, uint64_t now);

enum { FAULT_PACE_MOST = 10, FAULT_PACE_SECONDS = 60 };

/* How often a partition has ended of late, so that its first FAULT_PACE_MOST ends of each minute are told. All zero:
 * not. */
struct fault_pace {
    uint64_t since; /* TSC */
    uint32_t count; /* ends since then */
};

/* What has been refused and told, so that it is told once. All zero: nothing. Locked by the caller. */
struct fault_seen {
    uint32_t count;
    bool closed; /* something was not told any more */
    uint64_t what[FAULT_SEEN_MAX];
};

enum fault_news {
    FAULT_NEWS,   /* to be told; remembered */
    FAULT_KNOWN,  /* told already, or too much was told already */
    FAULT_CLOSED, /* not told: from now on nothing new is; this is to be said, once */
};

/* `most`: how many are told at all, up to FAULT_SEEN_MAX. */
enum fault_news fault_seen_add(struct fault_seen *seen, uint64_t what, uint32_t most);

/*
 * One more end, at TSC value `now`: FAULT_NEWS is to be told; FAULT_CLOSED is the first that is not, which is to be
 * said. *untold: how many before it were not told, to be said now; usually 0.
 */
enum fault_news fault_pace_add(struct fault_pace *pace, uint64_t now, uint64_t tsc_hz, uint32_t *untold);
