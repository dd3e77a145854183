/*
 * Tells what is needed and whether it is there, and in words what to do when it is not.
 */
#pragma once

#include "core/backend.h"

/* Fills machine->caps. Returns the backend that guests can run on, or NULL when none can: the lines have said why. */
const struct backend *self_check(struct machine *machine, struct sink *out);
