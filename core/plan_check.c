/*
 * Accepts or refuses a plan. Nothing here is shared with the code that builds plans (only range.h's arithmetic), and
 * the questions are asked the other way round: not "where is free memory" but "may this byte be this partition's".
 */
#include "core/plan.h"

enum {
    FIRST_GIVEN_ADDRESS = 0x100000, /* below lie firmware data, ROMs and the CPUs' start-up code */
    GUEST_BITS = 48,                /* what four levels of nested tables translate */
};

struct check {
    const struct plan *plan;
    const struct machine *machine;
    struct sink *errors;
    const struct plan_partition *partition; /* the one being looked at; NULL: the plan itself */
    bool kept;                              /* every promise so far */
};

/* Records a broken promise and begins its line. */
static struct sink *broken(struct check *c)
{
    c->kept = false;
    sink_print(c->errors, "plan: ");
    if (c->partition != NULL)
        sink_print(c->errors, "partition '%s': ", c->partition->config->name);
    return c->errors;
}

/* ---- CPUs ---- */

/* How many times the plan gives this CPU away, up to and including entry `last` of the partition being looked at. */
static unsigned times_given(const struct check *c, uint32_t cpu, uint32_t last)
{
    unsigned times = 0;
    for (const struct plan_partition *p = c->plan->partitions; p <= c->partition; p++)
        for (uint32_t i = 0; i < p->cpu_count && i < CONFIG_MAX_CPUS && (p != c->partition || i <= last); i++)
            times += p->cpus[i] == cpu;
    return times;
}

static void check_cpus(struct check *c)
{
    const struct plan_partition *p = c->partition;
    if (p->cpu_count == 0 || p->cpu_count > CONFIG_MAX_CPUS || p->cpu_count != p->config->cpu_count) {
        sink_print(broken(c), "%u CPUs, the configuration has %u\n", p->cpu_count, p->config->cpu_count);
        return;
    }
    for (uint32_t i = 0; i < p->cpu_count; i++) {
        uint32_t cpu = p->cpus[i];
        if (cpu >= c->machine->cpu_count)
            sink_print(broken(c), "CPU %u: this box has %u CPUs\n", cpu, c->machine->cpu_count);
        else if (!c->machine->cpus[cpu].online)
            sink_print(broken(c), "CPU %u is not online\n", cpu);
        if (cpu != p->config->cpus[i])
            sink_print(broken(c), "vCPU %u is on CPU %u, the configuration says CPU %u\n", i, cpu, p->config->cpus[i]);
        if (times_given(c, cpu, i) != 1)
            sink_print(broken(c), "CPU %u is owned twice\n", cpu);
    }
}

/* ---- modules ---- */

static void check_module(struct check *c, const char *what, int index, struct slice name)
{
    if (index < 0 || (uint32_t)index >= c->machine->module_count) {
        sink_print(broken(c), "%s is module %d, there are %u\n", what, index, c->machine->module_count);
        return;
    }
    const char *found = c->machine->modules[index].name;
    size_t length = strlen(found);
    if (length != name.length || (length != 0 && memcmp(found, name.at, length) != 0))
        sink_print(broken(c), "%s is module '%s', the configuration says '%.*s'\n", what, found, (int)name.length,
                   name.at);
}

static void check_modules(struct check *c)
{
    const struct plan_partition *p = c->partition;
    check_module(c, "kernel", p->kernel, p->config->kernel.text);
    if (p->config->initrd.place.line != 0)
        check_module(c, "initrd", p->initrd, p->config->initrd.text);
    else if (p->initrd != PLAN_NO_MODULE)
        sink_print(broken(c), "initrd is module %d, the configuration has none\n", p->initrd);
    if (p->config->module_count > CONFIG_MAX_MODULES) {
        sink_print(broken(c), "%u modules, at most %d are possible\n", p->config->module_count, CONFIG_MAX_MODULES);
        return;
    }
    for (uint32_t i = 0; i < p->config->module_count; i++)
        check_module(c, "module", p->modules[i], p->config->modules[i].text);
}

/* ---- memory ---- */

/* The region of usable memory with this byte, or NULL. */
static const struct machine_region *usable_at(const struct machine *machine, uint64_t address)
{
    for (uint32_t i = 0; i < machine->region_count; i++) {
        const struct machine_region *region = &machine->regions[i];
        if (region->kind == MEMORY_USABLE && range_contains(region->range, address))
            return region;
    }
    return NULL;
}

/* Whether the usable regions together hold every byte of the range. */
static bool is_usable(const struct machine *machine, struct range host)
{
    while (host.size != 0) {
        const struct machine_region *region = usable_at(machine, host.base);
        if (region == NULL)
            return false;
        uint64_t step = region->range.size - (host.base - region->range.base);
        if (step >= host.size)
            return true;
        host = (struct range){host.base + step, host.size - step};
    }
    return true;
}

/* Two ranges of which the second comes from firmware and may pass the end of the address space. */
static bool touches(struct range host, struct range foreign)
{
    if (host.size == 0 || foreign.size == 0)
        return false;
    return foreign.base < host.base ? host.base - foreign.base < foreign.size : foreign.base - host.base < host.size;
}

static void check_host_owner(struct check *c, struct range host)
{
    const struct machine *m = c->machine;
    uint64_t base = host.base;
    if (host.base < FIRST_GIVEN_ADDRESS)
        sink_print(broken(c), "memory at 0x%lx is below 1 MiB\n", base);
    if (touches(host, m->hypervisor))
        sink_print(broken(c), "memory at 0x%lx overlaps the hypervisor\n", base);
    for (uint32_t i = 0; i < m->module_count; i++)
        if (touches(host, m->modules[i].range))
            sink_print(broken(c), "memory at 0x%lx overlaps module '%s'\n", base, m->modules[i].name);
    for (uint32_t i = 0; i < m->region_count; i++)
        if (m->regions[i].kind != MEMORY_USABLE && touches(host, m->regions[i].range))
            sink_print(broken(c), "memory at 0x%lx overlaps a reserved region at 0x%lx\n", base,
                       m->regions[i].range.base);
    if (!is_usable(m, host))
        sink_print(broken(c), "memory at 0x%lx is not all usable\n", base);
    if (m->caps.physical_bits < 52 && range_end(host) > (uint64_t)1 << m->caps.physical_bits)
        sink_print(broken(c), "memory at 0x%lx is beyond the CPU's %u address bits\n", base, m->caps.physical_bits);
}

/* Against every chunk before this one, of this partition and of those before it. */
static void check_host_shared(struct check *c, struct range host, uint32_t index)
{
    for (const struct plan_partition *p = c->plan->partitions; p <= c->partition; p++) {
        uint32_t count = p == c->partition ? index : p->chunk_count;
        for (uint32_t i = 0; i < count && i < PLAN_MAX_CHUNKS; i++)
            if (touches(host, (struct range){p->chunks[i].hpa.raw, p->chunks[i].size}))
                sink_print(broken(c), "memory at 0x%lx belongs to partition '%s' already\n", host.base,
                           p->config->name);
    }
}

static bool is_well_formed(const struct plan_chunk *chunk)
{
    return chunk->size != 0 && is_aligned(chunk->gpa.raw | chunk->hpa.raw | chunk->size, PAGE_SIZE) &&
           range_valid((struct range){chunk->gpa.raw, chunk->size}) &&
           range_valid((struct range){chunk->hpa.raw, chunk->size});
}

/* How long the image is for which a firmware partition needs memory below 4 GiB; 0: none is needed. */
static uint64_t firmware_size(const struct check *c)
{
    const struct plan_partition *p = c->partition;
    bool firmware = p->config->boot == BOOT_FIRMWARE && p->kernel >= 0 && (uint32_t)p->kernel < c->machine->module_count;
    uint64_t size = firmware ? c->machine->modules[p->kernel].range.size : 0;
    return size <= PLAN_FIRMWARE_MAX ? size : 0;
}

/*
 * Guest memory must begin where it did not end yet: from 0 without a gap up to the hole, then the pages of a firmware
 * image up to 4 GiB, then the rest from 4 GiB on.
 */
static void check_guest_layout(struct check *c)
{
    const struct plan_partition *p = c->partition;
    uint64_t memory = p->config->memory, image = firmware_size(c);
    uint64_t low = memory < PLAN_LOW_RAM_END ? memory : PLAN_LOW_RAM_END;
    uint64_t rom = (image / PAGE_SIZE + (image % PAGE_SIZE != 0)) * PAGE_SIZE;
    const struct range areas[] = {{0, low}, {PLAN_FIRMWARE_END - rom, rom}, {PLAN_HIGH_RAM_BASE, memory - low}};
    uint32_t area = 0;
    uint64_t next = 0, left = memory + rom;
    for (uint32_t i = 0; i < p->chunk_count; i++) {
        const struct plan_chunk *chunk = &p->chunks[i];
        while (area + 1 < array_size(areas) && next - areas[area].base == areas[area].size)
            next = areas[++area].base;
        if (chunk->gpa.raw != next || chunk->size > areas[area].size - (next - areas[area].base)) {
            sink_print(broken(c), "guest memory 0x%lx of 0x%lx bytes, expected it at 0x%lx\n", chunk->gpa.raw,
                       chunk->size, next);
            return;
        }
        next += chunk->size;
        left -= chunk->size;
    }
    if (left != 0 || p->chunk_count == 0)
        sink_print(broken(c), "%lu bytes of the configured memory are missing\n", left);
    uint32_t bits = c->machine->caps.physical_bits < GUEST_BITS ? c->machine->caps.physical_bits : GUEST_BITS;
    if (next > (uint64_t)1 << bits)
        sink_print(broken(c), "guest memory ends at 0x%lx, beyond %u address bits\n", next, bits);
}

static void check_memory(struct check *c)
{
    const struct plan_partition *p = c->partition;
    if (p->chunk_count > PLAN_MAX_CHUNKS) {
        sink_print(broken(c), "%u pieces of memory, at most %d are possible\n", p->chunk_count, PLAN_MAX_CHUNKS);
        return;
    }
    for (uint32_t i = 0; i < p->chunk_count; i++) {
        const struct plan_chunk *chunk = &p->chunks[i];
        struct range host = {chunk->hpa.raw, chunk->size};
        if (!is_well_formed(chunk)) {
            sink_print(broken(c), "piece %u of the memory is empty, unaligned or too large\n", i);
            return;
        }
        check_host_owner(c, host);
        check_host_shared(c, host, i);
    }
    check_guest_layout(c);
}

bool plan_check(const struct plan *plan, const struct machine *machine, struct sink *errors)
{
    struct check c = {.plan = plan, .machine = machine, .errors = errors, .kept = true};
    if (plan->console_cpu >= machine->cpu_count || !machine->cpus[plan->console_cpu].online)
        sink_print(broken(&c), "console CPU %u is not there or not online\n", plan->console_cpu);
    if (plan->partition_count > CONFIG_MAX_PARTITIONS) {
        sink_print(broken(&c), "%u partitions, at most %d are possible\n", plan->partition_count,
                   CONFIG_MAX_PARTITIONS);
        return false;
    }
    for (uint32_t i = 0; i < plan->partition_count; i++) {
        if (plan->partitions[i].config == NULL || plan->partitions[i].config->refused) {
            c.partition = NULL;
            sink_print(broken(&c), "partition %u has no configuration that was accepted\n", i);
            return false; /* nothing to compare with, and no name for messages */
        }
        c.partition = &plan->partitions[i];
        check_cpus(&c);
        check_modules(&c);
        check_memory(&c);
    }
    return plan_check_cores(plan, machine, errors) && c.kept;
}
