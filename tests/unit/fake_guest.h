/*
 * A partition for loader tests: modules and RAM in fake_phys, RAM in two chunks that lie the other way round on the
 * host, and a buffer for what is printed.
 */
#pragma once

#include "core/loader.h"

struct fake_guest {
    struct config_partition config;
    struct plan_partition plan;
    struct machine machine;
    struct vcpu vcpus[CONFIG_MAX_CPUS];
    struct partition partition;
    struct vcpu_entry entry; /* of the last fake_guest_load */
};
extern struct fake_guest fake_guest;

enum { FAKE_GUEST_MODULES_SIZE = 4 * 1024 * 1024, FAKE_GUEST_MAX_PAGES = 8192 };

/* `memory` bytes of RAM, cut in two at guest-physical `split`; one CPU with APIC id 0, no modules, console uart. */
void fake_guest_setup(enum boot_protocol boot, uint64_t memory, uint64_t split);
void fake_guest_teardown(void);

/* Adds a boot module and gives its bytes; its index is the number of modules before. */
uint8_t *fake_guest_module(const char *name, uint64_t size);
void fake_guest_cmdline(const char *text);

/* From now on the page at guest-physical `at` is no RAM, and every other one is what fake_guest_setup said. */
void fake_guest_hole(uint64_t at);

/*
 * Loads the guest, then again with each page of its RAM missing in turn (FAKE_GUEST_MAX_PAGES at most). Where the
 * loader puts something the load must fail, with one whole line that names the partition. Returns how many pages were
 * missed; aborts when that is not so.
 */
uint32_t fake_guest_load_with_holes(void);

bool fake_guest_check(void);
bool fake_guest_load(void);
const char *fake_guest_errors(void); /* of the last check or load */

void fake_guest_read(uint64_t from, void *to, size_t size); /* guest-physical; aborts when it is not RAM */
