/*
 * What the two halves of the plan checker share, and what its promises are, in ACSL: the comments that begin with an at
 * sign are contracts, which `make proof` proves (tests/proof). Private to core/plan_check*.c.
 */
#pragma once

#include "core/plan.h"

struct check {
    const struct plan *plan;
    const struct machine *machine;
    struct sink *errors;
    const struct plan_partition *partition; /* the one being looked at */
    uint32_t number;                        /* its index */
};

/*@ predicate readable(struct check *c) =
      \valid_read(c) && \valid_read(c->plan) && machine_readable(c->machine) &&
      c->number < c->plan->partition_count <= CONFIG_MAX_PARTITIONS &&
      c->partition == &c->plan->partitions[c->number] && \valid_read(c->partition->config);

    // Things are looked at one after the other: entry k of partition q before entry i of partition p.
    predicate before(integer q, integer k, integer p, integer i) = 0 <= q && 0 <= k && (q < p || (q == p && k < i));

    predicate cpu_is_free(struct plan *plan, integer p, integer i) =
      \forall integer q, k; before(q, k, p, i) && k < plan->partitions[q].cpu_count ==>
        plan->partitions[q].cpus[k] != plan->partitions[p].cpus[i];

    // Partition p has CPUs of this box that no earlier partition has, each once.
    predicate cpus_good(struct plan *plan, struct machine *machine, integer p) =
      0 < plan->partitions[p].cpu_count <= CONFIG_MAX_CPUS &&
      \forall integer i; 0 <= i < plan->partitions[p].cpu_count ==>
        plan->partitions[p].cpus[i] < machine->cpu_count && cpu_is_free(plan, p, i);

    predicate in_chunk(integer x, struct plan *plan, integer p, integer i) =
      plan->partitions[p].chunks[i].hpa.raw <= x <
        plan->partitions[p].chunks[i].hpa.raw + plan->partitions[p].chunks[i].size;

    predicate chunk_is_free(struct plan *plan, integer p, integer i) =
      \forall integer x, q, k; before(q, k, p, i) && k < plan->partitions[q].chunk_count ==>
        !(in_chunk(x, plan, p, i) && in_chunk(x, plan, q, k));

    predicate usable(integer x, struct machine *m) =
      \exists integer r; 0 <= r < m->region_count && m->regions[r].kind == MEMORY_USABLE && in(x, m->regions[r].range);

    predicate may_be_given(integer x, struct machine *m) =
      x >= 0x100000 && usable(x, m) && !in(x, m->hypervisor) &&
      (\forall integer i; 0 <= i < m->module_count ==> !in(x, m->modules[i].range)) &&
      (\forall integer r; 0 <= r < m->region_count && m->regions[r].kind != MEMORY_USABLE ==>
        !in(x, m->regions[r].range));

    predicate guest_below(struct plan_partition *p, integer count, integer end) =
      \forall integer i; 0 <= i < count ==> p->chunks[i].gpa.raw + p->chunks[i].size <= end;

    predicate guest_ascends(struct plan_partition *p, integer count) =
      \forall integer i; 0 <= i < count ==> guest_below(p, i, p->chunks[i].gpa.raw);

    predicate chunks_well_formed(struct plan_partition *p, integer count) =
      \forall integer i; 0 <= i < count ==> 0 < p->chunks[i].size <= UINT64_MAX - p->chunks[i].hpa.raw;

    // Partition p has bytes that may be given away, none of them twice or an earlier partition's; its guest-physical
    // ranges do not overlap.
    predicate memory_good(struct plan *plan, struct machine *machine, integer p) =
      0 < plan->partitions[p].chunk_count <= PLAN_MAX_CHUNKS &&
      guest_ascends(&plan->partitions[p], plan->partitions[p].chunk_count) &&
      \forall integer i; 0 <= i < plan->partitions[p].chunk_count ==>
        chunk_is_free(plan, p, i) && (\forall integer x; in_chunk(x, plan, p, i) ==> may_be_given(x, machine)); */

/* One line for a broken promise of the partition being looked at. Always false, for `return`. */
/*@ assigns \nothing;
    ensures !\result; */
bool plan_check_broken(const struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether the partition's memory is its own, on the host's side and on the guest's. One line when not. */
/*@ requires readable(c);
    requires \forall integer q; 0 <= q < c->number ==> c->plan->partitions[q].chunk_count <= PLAN_MAX_CHUNKS;
    assigns \nothing;
    ensures \result ==> memory_good(c->plan, c->machine, c->number); */
bool must_check plan_check_memory(const struct check *c);
