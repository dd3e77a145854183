/*
 * What a firmware partition's configuration device holds: the boot modules, and how many CPUs there are. Private to the
 * loaders.
 */
#pragma once

#include "core/loader_protocol.h"

/* Checks the modules. False with a line on `errors`. */
bool must_check loader_firmware_items_check(const struct plan_partition *plan, const struct machine *machine,
                                            struct sink *errors);

/* Gives them to the partition's platform. False with a line on `errors`. */
bool must_check loader_firmware_items_add(const struct partition *p, struct sink *errors);
