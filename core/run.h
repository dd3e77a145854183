/*
 * What a CPU does for the rest of its life: run its vCPU, serve the console if that is its task, wait.
 */
#pragma once

#include "core/backend.h"

/*
 * `vcpu` NULL: no partition owns this CPU. `console`: this CPU serves the console, about a thousand times a second;
 * with a vCPU that takes the backend's timer.
 */
void run_cpu(const struct backend *backend, struct vcpu *vcpu, bool console, uint64_t tsc_hz) __attribute__((noreturn));
