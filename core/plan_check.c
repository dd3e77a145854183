/*
 * Accepts or refuses a plan. Nothing here is shared with the code that builds plans (only range.h's arithmetic), and
 * the questions are asked the other way round: not "where is free memory" but "may this byte be this partition's".
 */
#include "core/plan_check.h"

bool plan_check_broken(const struct check *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sink_print(c->errors, "plan: partition '%s': ", c->partition->config->name);
    sink_vprint(c->errors, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- CPUs ---- */

/* Whether the plan gives this CPU away before entry `last` of the partition being looked at. */
/*@ requires readable(c) && last <= CONFIG_MAX_CPUS;
    requires \forall integer q; 0 <= q < c->number ==> c->plan->partitions[q].cpu_count <= CONFIG_MAX_CPUS;
    assigns \nothing;
    ensures !\result ==> \forall integer q, k; before(q, k, c->number, last) &&
      k < c->plan->partitions[q].cpu_count ==> c->plan->partitions[q].cpus[k] != cpu; */
static bool is_given(const struct check *c, uint32_t cpu, uint32_t last)
{
    /*@ loop invariant 0 <= q <= c->number + 1;
        loop invariant \forall integer r, k; before(r, k, c->number, last) && r < q &&
          k < c->plan->partitions[r].cpu_count ==> c->plan->partitions[r].cpus[k] != cpu;
        loop assigns q;
        loop variant c->number + 1 - q; */
    for (uint32_t q = 0; q <= c->number; q++) {
        const struct plan_partition *p = &c->plan->partitions[q];
        uint32_t count = q == c->number ? last : p->cpu_count;
        /*@ loop invariant 0 <= i <= count;
            loop invariant \forall integer k; 0 <= k < i ==> c->plan->partitions[q].cpus[k] != cpu;
            loop assigns i;
            loop variant count - i; */
        for (uint32_t i = 0; i < count; i++)
            if (p->cpus[i] == cpu)
                return true;
        /*@ assert \forall integer k; before(q, k, c->number, last) && k < c->plan->partitions[q].cpu_count ==>
              c->plan->partitions[q].cpus[k] != cpu; */
    }
    return false;
}

/*@ requires readable(c);
    requires \forall integer q; 0 <= q < c->number ==> c->plan->partitions[q].cpu_count <= CONFIG_MAX_CPUS;
    assigns \nothing;
    ensures \result ==> cpus_good(c->plan, c->machine, c->number); */
static bool check_cpus(const struct check *c)
{
    const struct plan_partition *p = c->partition;
    if (p->cpu_count == 0 || p->cpu_count > CONFIG_MAX_CPUS || p->cpu_count != p->config->cpu_count)
        return plan_check_broken(c, "%u CPUs, the configuration has %u\n", p->cpu_count, p->config->cpu_count);
    /*@ loop invariant 0 <= i <= p->cpu_count;
        loop invariant \forall integer k; 0 <= k < i ==>
          p->cpus[k] < c->machine->cpu_count && cpu_is_free(c->plan, c->number, k);
        loop assigns i;
        loop variant p->cpu_count - i; */
    for (uint32_t i = 0; i < p->cpu_count; i++) {
        uint32_t cpu = p->cpus[i];
        if (cpu >= c->machine->cpu_count)
            return plan_check_broken(c, "CPU %u: this box has %u CPUs\n", cpu, c->machine->cpu_count);
        if (!c->machine->cpus[cpu].online)
            return plan_check_broken(c, "CPU %u is not online\n", cpu);
        if (is_given(c, cpu, i))
            return plan_check_broken(c, "CPU %u is owned twice\n", cpu);
        if (cpu != p->config->cpus[i])
            return plan_check_broken(c, "vCPU %u is on CPU %u, the configuration says CPU %u\n", i, cpu,
                                     p->config->cpus[i]);
    }
    return true;
}

/* ---- modules ---- */

/*@ requires readable(c);
    assigns \nothing; */
static bool check_module(const struct check *c, const char *what, int index, struct slice name)
{
    if (index < 0 || (uint32_t)index >= c->machine->module_count)
        return plan_check_broken(c, "%s is module %d, there are %u\n", what, index, c->machine->module_count);
    const char *found = c->machine->modules[index].name;
    size_t length = strlen(found);
    if (length == name.length && (length == 0 || memcmp(found, name.at, length) == 0))
        return true;
    return plan_check_broken(c, "%s is module '%s', the configuration says '%.*s'\n", what, found, (int)name.length,
                             name.at);
}

/*@ requires readable(c);
    assigns \nothing; */
static bool check_modules(const struct check *c)
{
    const struct plan_partition *p = c->partition;
    const struct config_partition *config = p->config;
    if (!check_module(c, "kernel", p->kernel, config->kernel.text))
        return false;
    if (config->initrd.place.line == 0 && p->initrd != PLAN_NO_MODULE)
        return plan_check_broken(c, "initrd is module %d, the configuration has none\n", p->initrd);
    if (config->initrd.place.line != 0 && !check_module(c, "initrd", p->initrd, config->initrd.text))
        return false;
    if (config->module_count > CONFIG_MAX_MODULES)
        return plan_check_broken(c, "%u modules, at most %d are possible\n", config->module_count, CONFIG_MAX_MODULES);
    /*@ loop invariant 0 <= i <= config->module_count;
        loop assigns i;
        loop variant config->module_count - i; */
    for (uint32_t i = 0; i < config->module_count; i++)
        if (!check_module(c, "module", p->modules[i], config->modules[i].text))
            return false;
    return true;
}

/*@ requires \valid_read(plan) && machine_readable(machine);
    requires \forall integer p; 0 <= p < CONFIG_MAX_PARTITIONS ==>
      plan->partitions[p].config == \null || \valid_read(plan->partitions[p].config);
    assigns \nothing;
    ensures \result ==> \forall integer p; 0 <= p < plan->partition_count ==>
      cpus_good(plan, machine, p) && memory_good(plan, machine, p); */
bool plan_check(const struct plan *plan, const struct machine *machine, struct sink *errors)
{
    if (plan->console_cpu >= machine->cpu_count || !machine->cpus[plan->console_cpu].online) {
        sink_print(errors, "plan: console CPU %u is not there or not online\n", plan->console_cpu);
        return false;
    }
    if (plan->partition_count > CONFIG_MAX_PARTITIONS) {
        sink_print(errors, "plan: %u partitions, at most %d are possible\n", plan->partition_count,
                   CONFIG_MAX_PARTITIONS);
        return false;
    }
    /*@ loop invariant 0 <= i <= plan->partition_count;
        loop invariant \forall integer p; 0 <= p < i ==> cpus_good(plan, machine, p) && memory_good(plan, machine, p);
        loop invariant \forall integer p; 0 <= p < i ==> \valid_read(plan->partitions[p].config);
        loop assigns i;
        loop variant plan->partition_count - i; */
    for (uint32_t i = 0; i < plan->partition_count; i++) {
        const struct check c = {plan, machine, errors, &plan->partitions[i], i};
        const struct config_partition *config = c.partition->config;
        if (config == NULL || config->refused) { /* nothing to compare with, and no name for messages */
            sink_print(errors, "plan: partition %u has no configuration that was accepted\n", i);
            return false;
        }
        if (!check_cpus(&c) || !check_modules(&c) || !plan_check_memory(&c))
            return false;
    }
    return plan_check_cores(plan, machine, errors);
}
