/*
 * A watchdog timer as ACPI's WDAT table describes it to a guest's own driver ("Watchdog Action Table"): registers at
 * I/O ports, a countdown in tenths of a second. When it has run out the partition's policy decides; the model then
 * stands still until it is started again.
 */
#pragma once

#include "core/acpi_tables.h"
#include "core/bus.h"
#include "core/virt_clock.h"

struct watchdog {
    const struct virt_clock *clock;
    uint32_t count; /* ticks of GUEST_WATCHDOG_PERIOD_MS, 1 to GUEST_WATCHDOG_MAX */
    bool running;
    bool has_expired;  /* in this life of the guest */
    bool caused_start; /* the guest was started because it ran out: kept until the guest clears it */
    uint64_t due;      /* TSC; VIRT_CLOCK_NEVER while it stands still. Read by other CPUs at any time. */
};

/* The state after power-on or a reset, but for why it came to that. All zero before the first call. */
void watchdog_reset(struct watchdog *watchdog, const struct virt_clock *clock);

/* A bus_handler for a slot of GUEST_WATCHDOG_PORTS ports and any width; an access that is no register's is nobody's. */
void watchdog_access(void *watchdog, uint64_t offset, struct bus_access *access);

uint64_t watchdog_due(const struct watchdog *watchdog);

/* Whether it runs out now; then it stops. */
bool must_check watchdog_expire(struct watchdog *watchdog);

/* Winds it up: the guest is not running, and time goes by. */
void watchdog_hold(struct watchdog *watchdog);
