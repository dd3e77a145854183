/*
 * The boot modules of a partition (`modules = a, b`): where they lie behind the kernel, and their way there. Private to
 * the loaders.
 */
#pragma once

#include "core/loader_image.h"

/*
 * Decides where the modules go: in the order given from `from` on, each on a page of its own, in the area for images.
 * `out` receives config->module_count guest-physical ranges. False with a line on `errors` when one has no room.
 */
bool must_check loader_modules_place(const struct plan_partition *plan, const struct machine *machine, uint64_t from,
                                     struct sink *errors, struct range out[CONFIG_MAX_MODULES]);

/* Copies them into RAM, to where loader_modules_place has put them. False with a line on `errors`. */
bool must_check loader_modules_copy(const struct plan_partition *plan, const struct machine *machine,
                                    const struct range places[CONFIG_MAX_MODULES], struct sink *errors);
