/*
 * The vendors' backends. boot/main.c picks the one the CPU has.
 */
#pragma once

#include "core/backend.h"

extern const struct backend vmx_backend;
extern const struct backend svm_backend;

/* The backend of this CPU, or NULL with one line on `errors` that says what is missing and what to do. */
const struct backend *backend_choose(struct sink *errors);
