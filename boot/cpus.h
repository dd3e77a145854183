/*
 * Brings every CPU up and into host mode, one after the other, and holds them until they are let go.
 */
#pragma once

#include "core/backend.h"

/*
 * Sets the boot CPU up, starts the others, notes their cores and switches host mode on for all. A CPU that fails is not
 * `online` afterwards, with one line on `errors`. False: the boot CPU itself cannot.
 */
bool must_check cpus_start(struct machine *machine, const struct backend *backend, struct sink *errors);

/* Lets all CPUs run what `run` says, the calling one included. */
void cpus_release(void (*run)(uint32_t cpu)) __attribute__((noreturn));
