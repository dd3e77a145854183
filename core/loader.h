/*
 * Puts a guest's image into its RAM and says how its first vCPU begins. The image (a multiboot2 module) is only read,
 * so the same partition can be started again. RAM has been zeroed before.
 */
#pragma once

#include "core/partition.h"

/*
 * Loads the partition's image by its boot protocol. False with one line on `errors` that names the image, the value
 * found and what was expected; RAM may then hold parts of the image.
 */
bool must_check loader_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors);

/*
 * Checks without loading, when the plan is made: the image's header, sizes and that all of it fits into `memory`
 * bytes of RAM. Same messages. Uses plan and machine only.
 */
bool must_check loader_check(const struct plan_partition *plan, const struct machine *machine, struct sink *errors);
