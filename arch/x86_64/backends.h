/*
 * The vendors' backends. boot/main.c picks the one the CPU has.
 */
#pragma once

#include "core/backend.h"

/* What vcpu_create takes from the heap at the most: one page, and an object of so many bytes. */
enum { BACKEND_VCPU_BYTES = 960 };

extern const struct backend vmx_backend;
extern const struct backend svm_backend;

/* For `probe`: one thing that a backend needs or likes, and what it means when it is not there. */
struct backend_feature {
    const char *name;
    bool there;
    bool needed;
    const char *without;
};

/* Prints one line for each. False when something is missing that is needed. */
bool backend_features_print(const struct backend_feature *features, size_t count, struct sink *out);

/*
 * The same for virtualisation itself, `name`: whether the CPU has it, and firmware has not locked it off; `setting`
 * unlocks it.
 */
bool backend_presence_print(const char *name, bool there, bool locked_off, const char *setting, struct sink *out);

/* The backend of this CPU, or NULL with one line on `errors` that says what is missing and what to do. */
const struct backend *backend_choose(struct sink *errors);
