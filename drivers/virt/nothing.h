/*
 * An empty place that guests are known to look at: reads all ones, ignores writes.
 */
#pragma once

#include "core/bus.h"

/* A bus_handler for any slot. */
void nothing_access(void *unused, uint64_t offset, struct bus_access *access);
