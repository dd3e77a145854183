/*
 * The vendors' backends. boot/main.c picks the one the CPU has.
 */
#pragma once

#include "core/backend.h"

/* What vcpu_create takes from the heap at the most: one page, and an object of so many bytes. */
enum { BACKEND_VCPU_BYTES = 960 };

extern const struct backend vmx_backend;
extern const struct backend svm_backend;

/* The backend of this CPU, or NULL with one line on `errors` that says what is missing and what to do. */
const struct backend *backend_choose(struct sink *errors);
