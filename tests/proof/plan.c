/* Builder and checker of plans: any configuration, any machine; only their counts and numbers of kinds are in range. */
#include "tests/proof/unknown.h"
#include "core/bytes.c"
#include "core/plan.c"
#include "core/plan_memory.c"

void sink_print_size(struct sink *sink, uint64_t bytes) {}

static struct machine machine;
static struct config config;
static struct plan plan;
static char text[MACHINE_MODULE_NAME_SIZE];

static struct config_text unknown_text(void)
{
    return (struct config_text){{text, unknown_below(sizeof text + 1)}, {unknown_below(0x7fffffff), 1}};
}

static void unknown_partition(struct config_partition *p)
{
    p->refused = unknown_bool();
    p->cpu_count = (uint32_t)unknown_64();
    unknown(p->cpus, sizeof p->cpus);
    p->memory = unknown_64();
    p->boot = (enum boot_protocol)unknown_below(BOOT_FLAT + 1);
    p->interrupts = (enum interrupt_mode)unknown_below(INTERRUPTS_ANY + 1);
    p->module_count = unknown_below(CONFIG_MAX_MODULES + 1);
    p->kernel = unknown_text();
    p->initrd = unknown_text();
    for (size_t i = 0; i < CONFIG_MAX_MODULES; i++)
        p->modules[i] = unknown_text();
}

static void unknown_machine(void)
{
    machine.cpu_count = unknown_below(MACHINE_MAX_CPUS + 1);
    machine.region_count = unknown_below(MACHINE_MAX_REGIONS + 1);
    machine.module_count = unknown_below(MACHINE_MAX_MODULES + 1);
    for (size_t i = 0; i < MACHINE_MAX_CPUS; i++)
        machine.cpus[i].online = unknown_bool();
    for (size_t i = 0; i < MACHINE_MAX_REGIONS; i++) {
        unknown(&machine.regions[i].range, sizeof machine.regions[i].range);
        machine.regions[i].kind = (enum memory_kind)unknown_below(MEMORY_BAD + 1);
    }
    for (size_t i = 0; i < MACHINE_MAX_MODULES; i++) {
        unknown(&machine.modules[i], sizeof machine.modules[i]);
        machine.modules[i].name[MACHINE_MODULE_NAME_SIZE - 1] = '\0';
    }
    unknown(&machine.hypervisor, sizeof machine.hypervisor);
    machine.caps = (struct cpu_caps){.nested_1g = unknown_bool(),
                                     .nested_2m = unknown_bool(),
                                     .x2apic = unknown_bool(),
                                     .guest_timer = unknown_bool(),
                                     .physical_bits = (uint8_t)unknown_64()};
}

int main(void)
{
    struct sink sink;
    /*@ widen_hints global:"all", 8, 16, 32, 64, 128, 256; */
    ;
    unknown(text, sizeof text);
    unknown_machine();
    config.partition_count = unknown_below(CONFIG_MAX_PARTITIONS + 1);
    config.console_cpu = (uint32_t)unknown_64();
    for (size_t i = 0; i < CONFIG_MAX_PARTITIONS; i++)
        unknown_partition(&config.partitions[i]);
    (void)plan_build("file", &config, &machine, &plan, &sink);
    return 0;
}
