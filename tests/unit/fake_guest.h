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

enum { FAKE_GUEST_MODULES_SIZE = 4 * 1024 * 1024 };

/* `memory` bytes of RAM, cut in two at guest-physical `split`; one CPU with APIC id 0, no modules, console uart. */
void fake_guest_setup(enum boot_protocol boot, uint64_t memory, uint64_t split);
void fake_guest_teardown(void);

/* Adds a boot module and gives its bytes; its index is the number of modules before. */
uint8_t *fake_guest_module(const char *name, uint64_t size);
void fake_guest_cmdline(const char *text);

bool fake_guest_check(void);
bool fake_guest_load(void);
const char *fake_guest_errors(void); /* of the last check or load */

void fake_guest_read(uint64_t from, void *to, size_t size); /* guest-physical; aborts when it is not RAM */
