/*
 * Memory as the plan gives it away. Private to core/plan*.c.
 */
#pragma once

#include "core/plan.h"

/*@ // The slot that is being filled: the plan's last.
    predicate slot_usable(struct plan *plan, struct machine *machine, struct plan_partition *slot) =
      plan_readable(plan) && machine_readable(machine) && 0 < plan->partition_count &&
      slot == &plan->partitions[plan->partition_count - 1] && \valid(slot) && \valid_read(slot->config) &&
      \separated(plan, machine) && \separated(plan, slot->config) && PLAN_NO_MODULE <= slot->kernel &&
      (slot->kernel == PLAN_NO_MODULE || slot->kernel < machine->module_count); */

/* Bytes that are free, in all runs of plan_free_next together. */
/*@ requires plan_readable(plan) && machine_readable(machine) && \separated(plan, machine);
    assigns \nothing; */
uint64_t plan_free_total(const struct plan *plan, const struct machine *machine);

/* Whether that much RAM, with the hole in it, has guest-physical addresses that the CPU can form. */
/*@ requires \valid_read(machine);
    assigns \nothing;
    ensures \result ==> memory <= 0x1000000000000; */
bool plan_is_addressable(const struct machine *machine, uint64_t memory);

/*
 * Bytes of the memory behind a firmware image, in whole pages; 0 for every other kind of guest, and for an image that
 * cannot be one (the loader says why).
 */
/*@ requires machine_readable(machine) && \valid_read(slot) && \valid_read(slot->config);
    requires slot->kernel == PLAN_NO_MODULE || 0 <= slot->kernel < machine->module_count;
    assigns \nothing;
    ensures \result <= PLAN_FIRMWARE_MAX; */
uint64_t plan_firmware_part(const struct machine *machine, const struct plan_partition *slot);

/* Fills the slot's chunks, from what `plan` leaves free: all of a partition's memory or, when that cannot be had, none.
 */
/*@ requires slot_usable(plan, machine, slot) && slot->chunk_count == 0;
    assigns slot->chunk_count, slot->chunks[0 .. PLAN_MAX_CHUNKS - 1];
    ensures slot_usable(plan, machine, slot) && (!\result ==> slot->chunk_count == 0); */
bool must_check plan_carve(const struct plan *plan, const struct machine *machine, struct plan_partition *slot);
