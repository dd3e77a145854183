/*
 * The virtual PC around a partition's vCPUs: every device model it has, seen as a whole.
 * drivers/virt/platform.c is the composition; core/ only forwards accesses and carries out what comes back.
 *
 * Models never call up. After each access (and after console input) the platform tells, as data,
 * which interrupts became pending and whether the guest asked for a reset or power off.
 */
#pragma once

#include "core/bus.h"
#include "core/interrupt.h"
#include "core/ring.h"
#include "core/spinlock.h"
#include "core/types.h"

struct platform; /* drivers/virt/platform.h */

enum platform_request { PLATFORM_NOTHING, PLATFORM_RESET, PLATFORM_POWER_OFF };

enum { PLATFORM_MAX_MESSAGES = 4 };

/* What came out of an access. */
struct platform_outcome {
    enum platform_request request;
    uint32_t message_count;
    struct interrupt_message messages[PLATFORM_MAX_MESSAGES]; /* to deliver, in order */
};

size_t platform_size(void); /* bytes of a struct platform, for the boot-time allocator */

/*
 * Puts all models into their power-on state. `output` receives what the guest writes to its
 * UART. `has_uart` false: its ports answer as if nothing were there. `tsc_hz` drives PIT and RTC. The memory must be
 * zero before the first call; later calls may run beside platform_input.
 */
void platform_reset(struct platform *platform, struct ring *output, bool has_uart, bool virtual_interrupts,
                    uint64_t tsc_hz);

/*
 * One port or memory access; serialised inside. `now` is the TSC. Returns false, with nothing done, when no
 * model owns the address.
 */
bool must_check platform_port(struct platform *platform, struct bus_access *access, uint64_t now,
                              struct platform_outcome *outcome);
bool must_check platform_memory(struct platform *platform, struct bus_access *access, uint64_t now,
                                struct platform_outcome *outcome);

/*
 * For a backend's fast path: an access of one byte to a port, or one of 32 bits to memory, from which nothing can come
 * but its value. False or -1, with nothing done: platform_port or platform_memory must be asked.
 */
bool must_check platform_quick_port(struct platform *platform, uint32_t port, bool in, uint8_t *value);
int64_t must_check platform_quick_read(struct platform *platform, uint64_t address);
bool must_check platform_quick_write(struct platform *platform, uint64_t address, uint32_t value);

/*
 * `interrupts = virtual` only. platform_tick: brings the timers up to `now`; platform_due: the TSC at which it is next
 * needed, UINT64_MAX: never (any CPU may ask). platform_eoi: a local APIC ended a level-triggered interrupt.
 * platform_extint: the level of the 8259 pair's output, which is wired to the first vCPU (any CPU may ask).
 * platform_acknowledge: the CPU takes the 8259 pair's interrupt; its vector.
 */
void platform_tick(struct platform *platform, uint64_t now, struct platform_outcome *outcome);
uint64_t platform_due(const struct platform *platform);
bool platform_extint(const struct platform *platform);
void platform_eoi(struct platform *platform, uint8_t vector, uint64_t now, struct platform_outcome *outcome);
uint8_t platform_acknowledge(struct platform *platform, uint64_t now, struct platform_outcome *outcome);

/* Whether a model answers at this port; at this guest-physical address. */
bool platform_owns_port(const struct platform *platform, uint64_t port);
bool platform_owns_memory(const struct platform *platform, uint64_t address);

/* Console input for the guest's UART: takes up to `length` bytes, returns how many fitted. */
size_t platform_input(struct platform *platform, const char *bytes, size_t length, uint64_t now,
                      struct platform_outcome *outcome);

/*
 * Sets the guest's clock of day: `seconds` since 1970-01-01 00:00 UTC at TSC value `now`. Without it the clock of day
 * runs from 2000-01-01 at TSC 0. platform_reset forgets it.
 */
void platform_set_time(struct platform *platform, uint64_t seconds, uint64_t now);

/*
 * Says in the CMOS RAM, where firmware looks, how much RAM there is below and from 4 GiB on (bytes), and how many CPUs.
 * platform_reset forgets it.
 */
void platform_set_memory(struct platform *platform, uint64_t low, uint64_t high, uint32_t cpus);

/* What firmware may read from its configuration device. */
struct firmware_item {
    uint16_t key;      /* its number; ignored for files, which are numbered in the order they come */
    const char *name;  /* of a file; NULL: it is none */
    const void *bytes; /* more than 8 must stay where they are; NULL: a boot module at `host` */
    hpa_t host;
    uint32_t size;
};

/*
 * Gives the firmware something to read; the first item makes the device appear, platform_reset takes it away. False
 * when there is no room for it. platform_patch_firmware: one byte of an item reads as another. False likewise.
 */
bool must_check platform_add_firmware(struct platform *platform, const struct firmware_item *item);
bool must_check platform_patch_firmware(struct platform *platform, uint16_t key, uint32_t at, uint8_t byte);

/*
 * The guest's watchdog. platform_watchdog_due: the TSC at which it runs out, UINT64_MAX: never; any CPU may ask, at any
 * time after the first platform_reset. platform_watchdog_expire: whether it has run out at TSC value `now`; then it
 * stands still. platform_watchdog_hold: the guest does not run, and its time begins anew.
 */
uint64_t platform_watchdog_due(const struct platform *platform);
bool must_check platform_watchdog_expire(struct platform *platform, uint64_t now);
void platform_watchdog_hold(struct platform *platform, uint64_t now);
