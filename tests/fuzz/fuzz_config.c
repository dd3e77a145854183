/*
 * ringfence.conf: any text. What the parser lets through keeps its header's promises, and whatever plan comes of it on
 * a fixed box, plan_check, which shares no code with plan_build, must accept.
 */
#include "core/config.h"

#include "core/plan.h"
#include "tests/fuzz/machine_promises.h"

static struct machine machine;
static struct config config, again;
static struct plan plan;

static void add_module(const char *name, uint64_t base, uint64_t bytes)
{
    struct machine_module *module = &machine.modules[machine.module_count++];
    module->range = (struct range){base, bytes};
    strcpy(module->name, name);
}

/*
 * Eight CPUs of which one is not online, memory in pieces, modules in the middle of them; so little of it that plans
 * reach into every corner.
 */
static void make_machine(void)
{
    machine.tsc_hz = 2400000000;
    machine.cpu_count = 8;
    for (uint32_t i = 0; i < machine.cpu_count; i++)
        machine.cpus[i] = (struct machine_cpu){.apic_id = i * 2, .acpi_uid = i, .core = i / 2, .online = i != 6};
    machine.region_count = 5;
    machine.regions[0] = (struct machine_region){{0, 0x9f000}, MEMORY_USABLE};
    machine.regions[1] = (struct machine_region){{0xf0000, 0x10000}, MEMORY_RESERVED};
    machine.regions[2] = (struct machine_region){{0x100000, 0x12000000}, MEMORY_USABLE};
    machine.regions[3] = (struct machine_region){{0x80000000, 0x3001}, MEMORY_ACPI};
    machine.regions[4] = (struct machine_region){{4 * GIB, 300 * MIB + 0x1800}, MEMORY_USABLE};
    machine.hypervisor = (struct range){0x200000, 8 * MIB};
    add_module("ringfence.conf", 0x1000001, 0x333);
    add_module("vmlinuz", 0x2000000, 9 * MIB + 5);
    add_module("initrd", 4 * GIB + 0x7000, 3 * MIB);
    add_module("a", 0x3000000, 0);
    add_module("tiny.elf", 0x3000800, 1);
    machine.caps = (struct cpu_caps){.nested_1g = true, .nested_2m = true, .x2apic = true, .physical_bits = 39};
}

static bool is_inside(struct slice s, const char *text, size_t length)
{
    return s.length == 0 || (s.at >= text && s.length <= length && (size_t)(s.at - text) <= length - s.length);
}

static void require_printable(const char *name)
{
    require(name[0] != '\0' && strnlen(name, CONFIG_NAME_SIZE) < CONFIG_NAME_SIZE);
    for (; *name != '\0'; name++)
        require(*name > ' ' && *name <= '~');
}

static void require_partition(const struct config_partition *p, const char *text, size_t length)
{
    require_printable(p->name);
    require(p->place.line != 0 && p->place.column != 0);
    require(p->cpu_count >= 1 && p->cpu_count <= CONFIG_MAX_CPUS);
    for (uint32_t i = 0; i < p->cpu_count; i++)
        for (uint32_t j = 0; j < i; j++)
            require(p->cpus[i] != p->cpus[j]);
    require(p->memory != 0 && is_aligned(p->memory, PAGE_SIZE));
    require(p->boot <= BOOT_FLAT && p->console <= CONSOLE_NONE && p->start <= START_MANUAL);
    require(p->on_stop <= ON_STOP_REBOOT_BOX && p->module_count <= CONFIG_MAX_MODULES);
    for (uint32_t i = 0; i < FAULT_CLASSES; i++) {
        struct fault_rule rule = p->faults[i];
        require(rule.action <= FAULT_REBOOT_BOX && rule.limit <= FAULT_MAX_RESTARTS);
        require(rule.seconds <= FAULT_MAX_SECONDS && (rule.limit == 0) == (rule.seconds == 0));
        require(rule.limit == 0 || rule.action == FAULT_RESTART);
    }
    require(p->allowed_ports.count <= CONFIG_MAX_ALLOWED && p->allowed_msrs.count <= CONFIG_MAX_ALLOWED);
    for (uint32_t i = 0; i < p->allowed_ports.count; i++)
        require(p->allowed_ports.at[i].first <= p->allowed_ports.at[i].last && p->allowed_ports.at[i].last <= UINT16_MAX);
    for (uint32_t i = 0; i < p->allowed_msrs.count; i++)
        require(p->allowed_msrs.at[i].first <= p->allowed_msrs.at[i].last);
    require(p->kernel.text.length != 0 && is_inside(p->kernel.text, text, length));
    require(is_inside(p->initrd.text, text, length) && is_inside(p->cmdline.text, text, length));
    for (uint32_t i = 0; i < p->module_count; i++)
        require(is_inside(p->modules[i].text, text, length));
}

static uint32_t require_config(const struct config *c, const char *text, size_t length)
{
    uint32_t accepted = 0;
    require(c->partition_count <= CONFIG_MAX_PARTITIONS);
    for (uint32_t i = 0; i < c->partition_count; i++) {
        const struct config_partition *p = &c->partitions[i];
        if (p->refused)
            continue;
        accepted++;
        require_partition(p, text, length);
        for (uint32_t j = 0; j < i; j++)
            require(c->partitions[j].refused || strcmp(p->name, c->partitions[j].name) != 0);
    }
    return accepted;
}

/* The same memory again, asked through the list of what is free. */
static void require_plan(const struct plan *p)
{
    struct range run;
    for (uint64_t from = 0; plan_free_next(p, &machine, from, &run); from = range_end(run)) {
        require(run.size != 0 && range_valid(run) && run.base >= from);
        for (uint32_t i = 0; i < p->partition_count; i++)
            for (uint32_t c = 0; c < p->partitions[i].chunk_count; c++) {
                const struct plan_chunk *chunk = &p->partitions[i].chunks[c];
                require(!range_overlaps(run, (struct range){chunk->hpa.raw, chunk->size}));
            }
    }
}

static void discard(struct sink *self, const char *text, size_t length)
{
    (void)self;
    require(text != NULL || length == 0);
}

static void require_plan_of(const struct config *c, uint32_t accepted)
{
    struct line_sink errors = line_sink_new();
    struct line_sink complaints = line_sink_new();
    struct sink nowhere = {discard};
    unsigned left_out = plan_build("c", c, &machine, &plan, &errors.sink);
    require(plan.partition_count + left_out == accepted);
    require((line_sink_count(&errors) != 0) == (left_out != 0) || left_out == 0);
    require(plan_check(&plan, &machine, &complaints.sink) && line_sink_count(&complaints) == 0);
    require_plan(&plan);
    plan_print(&plan, &machine, &nowhere);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line_sink errors = line_sink_new();
    struct line_sink same = line_sink_new();
    if (machine.cpu_count == 0)
        make_machine();
    char *text = malloc(size);
    require(text != NULL || size == 0);
    if (size != 0)
        memcpy(text, data, size);
    memset(&config, 0xee, sizeof config); /* what it held before does not matter */
    memset(&again, 0, sizeof again);
    unsigned count = config_parse("c", text, size, &config, &errors.sink);
    require(count == config_parse("c", text, size, &again, &same.sink));
    require((count != 0) == (line_sink_count(&errors) != 0) && errors.lines == same.lines);
    require(config.partition_count == again.partition_count && config.console_baud == again.console_baud);
    require_plan_of(&config, require_config(&config, text, size));
    free(text);
    return 0;
}
