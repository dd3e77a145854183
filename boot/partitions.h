/*
 * From the plan to what runs: nested tables, vCPUs, the virtual PC of each partition. The last allocations there are.
 */
#pragma once

#include "core/partition.h"

/* Bytes of hypervisor memory that the CPUs and partitions of this configuration can need at the most. */
uint64_t partitions_memory_bound(const struct config *config, const struct machine *machine);

/*
 * Takes those partitions out of the plan whose image is not one or does not fit, with one line each on `errors`; the
 * others stay where they are. Returns how many.
 */
unsigned must_check partitions_drop_unfit(struct plan *plan, const struct machine *machine, struct sink *errors);

/*
 * Fills partition_table from the plan. A partition for which memory runs out is left out, with one line on `errors`;
 * the others stand.
 */
void partitions_create(const struct plan *plan, const struct machine *machine, const struct backend *backend,
                       struct sink *errors);

/* The vCPU that lives on a physical CPU, or NULL. */
struct vcpu *partitions_vcpu_on(uint32_t cpu);
