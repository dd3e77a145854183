/*
 * Memory as the plan gives it away. Private to core/plan*.c.
 */
#pragma once

#include "core/plan.h"

/* Bytes that are free, in all runs of plan_free_next together. */
uint64_t plan_free_total(const struct plan *plan, const struct machine *machine);

/* Whether that much RAM, with the hole in it, has guest-physical addresses that the CPU can form. */
bool plan_is_addressable(const struct machine *machine, uint64_t memory);

/*
 * Bytes of the memory behind a firmware image, in whole pages; 0 for every other kind of guest, and for an image that
 * cannot be one (the loader says why).
 */
uint64_t plan_firmware_part(const struct machine *machine, const struct plan_partition *slot);

/* Fills the slot's chunks, from what `plan` leaves free: all of a partition's memory or, when that cannot be had, none.
 */
bool must_check plan_carve(const struct plan *plan, const struct machine *machine, struct plan_partition *slot);
