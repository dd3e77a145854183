/*
 * The plan as a table for a person: who owns which CPU, which memory and which device, and what is left.
 */
#include "core/acpi_tables.h"
#include "core/nested.h"
#include "core/plan_memory.h"

/* ---- CPUs ---- */

void plan_print_cpus(const uint32_t *cpus, uint32_t count, struct sink *out)
{
    uint32_t last;
    for (uint32_t first = 0; first < count; first = last + 1) {
        last = first;
        while (last + 1 < count && cpus[last + 1] == cpus[last] + 1)
            last++;
        sink_print(out, "%s%u", first != 0 ? "," : "", cpus[first]);
        if (last != first)
            sink_print(out, "-%u", cpus[last]);
    }
}

static void print_cpus(const char *what, const uint32_t *cpus, uint32_t count, struct sink *out)
{
    sink_print(out, "%s %s", what, count == 0 ? "none" : "");
    plan_print_cpus(cpus, count, out);
    sink_print(out, "\n");
}

static bool is_owned(const struct plan *plan, uint32_t cpu)
{
    for (uint32_t i = 0; i < plan->partition_count; i++)
        for (uint32_t k = 0; k < plan->partitions[i].cpu_count; k++)
            if (plan->partitions[i].cpus[k] == cpu)
                return true;
    return false;
}

static void print_idle_cpus(const struct plan *plan, const struct machine *machine, struct sink *out)
{
    uint32_t cpus[MACHINE_MAX_CPUS];
    uint32_t count = 0;
    for (uint32_t cpu = 0; cpu < machine->cpu_count; cpu++)
        if (machine->cpus[cpu].online && !is_owned(plan, cpu))
            cpus[count++] = cpu;
    print_cpus("idle CPUs   ", cpus, count, out);
    count = 0;
    for (uint32_t cpu = 0; cpu < machine->cpu_count; cpu++)
        if (!machine->cpus[cpu].online)
            cpus[count++] = cpu;
    print_cpus("offline CPUs", cpus, count, out);
}

/* ---- memory ---- */

/* "128 x 2 MiB + 3 x 4 KiB": the pages that the nested tables use for a chunk. */
static void print_pages(const struct machine *machine, const struct plan_chunk *chunk, struct sink *out)
{
    const uint64_t sizes[] = {PAGE_SIZE_1G, PAGE_SIZE_2M, PAGE_SIZE};
    uint64_t counts[array_size(sizes)] = {0};
    uint64_t page;
    for (uint64_t done = 0; done < chunk->size; done += page) {
        page = nested_page_size(&machine->caps, gpa(chunk->gpa.raw + done), hpa(chunk->hpa.raw + done),
                                chunk->size - done);
        for (size_t i = 0; i < array_size(sizes); i++)
            counts[i] += sizes[i] == page;
    }
    const char *separator = "";
    for (size_t i = 0; i < array_size(sizes); i++) {
        if (counts[i] == 0)
            continue;
        sink_print(out, "%s%lu x %s", separator, counts[i], size_text(sizes[i]).text);
        separator = " + ";
    }
}

static void print_chunk(const struct machine *machine, const struct plan_chunk *chunk, struct sink *out)
{
    sink_print(out, "             0x%011lx-0x%011lx -> 0x%011lx  %s = ", chunk->gpa.raw,
               chunk->gpa.raw + chunk->size - 1, chunk->hpa.raw, size_text(chunk->size).text);
    print_pages(machine, chunk, out);
    sink_print(out, "\n");
}

static void print_free(const struct plan *plan, const struct machine *machine, struct sink *out)
{
    struct range run = {0, 0};
    sink_print(out, "free memory  %s\n", size_text(plan_free_total(plan, machine)).text);
    while (plan_free_next(plan, machine, range_end(run), &run))
        sink_print(out, "             0x%011lx-0x%011lx  %s\n", run.base, range_end(run) - 1,
                   size_text(run.size).text);
}

/* ---- a partition ---- */

static void print_image(const struct plan_partition *p, const struct machine *machine, struct sink *out)
{
    sink_print(out, "  image      %s '%s'", boot_protocol_name(p->config->boot), machine->modules[p->kernel].name);
    if (p->initrd != PLAN_NO_MODULE)
        sink_print(out, ", initrd '%s'", machine->modules[p->initrd].name);
    for (uint32_t i = 0; i < p->config->module_count; i++)
        sink_print(out, "%s'%s'", i == 0 ? ", modules " : " ", machine->modules[p->modules[i]].name);
    sink_print(out, "\n");
}

static void print_devices(const struct plan_partition *p, struct sink *out)
{
    const struct config_partition *config = p->config;
    sink_print(out, "  devices    ");
    if (config->console == CONSOLE_UART)
        sink_print(out, "console: UART at port 0x%x, IRQ %d; ", GUEST_UART_PORT, GUEST_UART_IRQ);
    else
        sink_print(out, "no console; ");
    sink_print(out, "interrupts %s\n", p->virtual_interrupts ? "virtual" : "direct");
}

/* Only what the configuration says: the rest is as core/config.h has it. */
static void print_faults(const struct config_partition *config, struct sink *out)
{
    for (uint32_t class = 0; class < FAULT_CLASSES; class++) {
        struct fault_rule rule = config->faults[class];
        if (rule.action == FAULT_BY_DEFAULT)
            continue;
        sink_print(out, "  fault      %s: %s", fault_class_name((enum fault_class)class),
                   fault_action_name(rule.action));
        if (rule.limit != 0)
            sink_print(out, ", at most %u times within %u s", rule.limit, rule.seconds);
        sink_print(out, "\n");
    }
    if (config->learn)
        sink_print(out, "  learn      what is refused is named, and let through where it would end the partition\n");
}

static void print_partition(const struct plan_partition *p, const struct machine *machine, struct sink *out)
{
    sink_print(out, "partition    %s: start %s, on stop %s\n", p->config->name, start_mode_name(p->config->start),
               stop_action_name(p->config->on_stop));
    print_faults(p->config, out);
    print_cpus("  CPUs      ", p->cpus, p->cpu_count, out);
    sink_print(out, "  memory     %s (guest -> host)\n", size_text(p->config->memory).text);
    for (uint32_t i = 0; i < p->chunk_count; i++)
        print_chunk(machine, &p->chunks[i], out);
    print_image(p, machine, out);
    print_devices(p, out);
}

void plan_print(const struct plan *plan, const struct machine *machine, struct sink *out)
{
    sink_print(out, "console      CPU %u\n", plan->console_cpu);
    for (uint32_t i = 0; i < plan->partition_count; i++)
        print_partition(&plan->partitions[i], machine, out);
    print_idle_cpus(plan, machine, out);
    print_free(plan, machine, out);
}
