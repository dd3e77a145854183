/*
 * The plan checker's question about hyperthreads: has any core two owners? Like core/plan_check.c it shares nothing
 * with the code that builds plans, and goes from the cores to their owners, not from the partitions to their CPUs.
 */
#include "core/plan_check.h"

/*@ requires \valid_read(plan);
    assigns \nothing;
    ensures \result == \null || \exists integer i; 0 <= i < plan->partition_count && i < CONFIG_MAX_PARTITIONS &&
      \result == &plan->partitions[i]; */
static const struct plan_partition *owner_of(const struct plan *plan, uint32_t cpu)
{
    /*@ loop invariant 0 <= i <= CONFIG_MAX_PARTITIONS;
        loop assigns i;
        loop variant CONFIG_MAX_PARTITIONS - i; */
    for (uint32_t i = 0; i < plan->partition_count && i < CONFIG_MAX_PARTITIONS; i++)
        /*@ loop invariant 0 <= k <= CONFIG_MAX_CPUS;
            loop assigns k;
            loop variant CONFIG_MAX_CPUS - k; */
        for (uint32_t k = 0; k < plan->partitions[i].cpu_count && k < CONFIG_MAX_CPUS; k++)
            if (plan->partitions[i].cpus[k] == cpu)
                return &plan->partitions[i];
    return NULL;
}

bool plan_check_cores(const struct plan *plan, const struct machine *machine, struct sink *errors)
{
    bool kept = true;
    if (plan->share_cores)
        return true;
    /*@ loop invariant 0 <= a <= machine->cpu_count;
        loop assigns a, kept;
        loop variant machine->cpu_count - a; */
    for (uint32_t a = 0; a < machine->cpu_count; a++) {
        const struct plan_partition *first = owner_of(plan, a);
        /*@ loop invariant a < b <= machine->cpu_count;
            loop assigns b, kept;
            loop variant machine->cpu_count - b; */
        for (uint32_t b = a + 1; first != NULL && b < machine->cpu_count; b++) {
            const struct plan_partition *second = owner_of(plan, b);
            if (machine->cpus[a].core != machine->cpus[b].core || second == NULL || second == first)
                continue;
            sink_print(errors, "plan: CPU %u of partition '%s' and CPU %u of partition '%s' are threads of core %u\n",
                       a, first->config->name, b, second->config->name, machine->cpus[a].core);
            kept = false;
        }
    }
    return kept;
}
