/*
 * The machine as text: what `machine` prints on the console and rf-check --machine reads.
 *
 * It has the style of ringfence.conf. Every number may be decimal or 0x hexadecimal.
 *
 *     version = 1
 *
 *     [machine]
 *     cpu           = 0 apic 0 uid 1 core 0 online # or offline; the numbers ascend from 0; of one core: hyperthreads
 *     memory        = BASE SIZE usable        # or reserved, acpi, bad; bytes; ascending, not overlapping
 *     module        = BASE SIZE NAME          # NAME is left out when empty; odd bytes in it stand as \xNN
 *     ioapic        = ADDRESS GSI_BASE
 *     hypervisor    = BASE SIZE               # its image and heap
 *     rsdp          = ADDRESS                 # 0 when there is none
 *     reset         = PORT VALUE              # the FADT's reset register, or the word none
 *     physical_bits = 39
 *     caps          = nested_1g nested_2m x2apic tsc_deadline invariant_tsc guest_timer   # or none
 *     tsc           = 2400000000              # Hz
 *
 * The first four may repeat, at least one cpu and one memory are needed. The others stand once and
 * must all be there: they come last, so that a text that was cut short on a serial line is noticed.
 */
#include "core/machine_words.h"

const struct text_choice machine_memory_kinds[MACHINE_MEMORY_KINDS] = {
    {"usable", MEMORY_USABLE}, {"reserved", MEMORY_RESERVED}, {"acpi", MEMORY_ACPI}, {"bad", MEMORY_BAD}};

const struct text_choice machine_cpu_states[MACHINE_CPU_STATES] = {{"online", true}, {"offline", false}};

const struct machine_cap machine_caps[MACHINE_CAPS] = {
    {"nested_1g", offsetof(struct cpu_caps, nested_1g)},
    {"nested_2m", offsetof(struct cpu_caps, nested_2m)},
    {"x2apic", offsetof(struct cpu_caps, x2apic)},
    {"tsc_deadline", offsetof(struct cpu_caps, tsc_deadline)},
    {"invariant_tsc", offsetof(struct cpu_caps, invariant_tsc)},
    {"guest_timer", offsetof(struct cpu_caps, guest_timer)},
};

bool machine_name_escapes(char byte) { return byte <= ' ' || byte > '~' || byte == '#' || byte == '"' || byte == '\\'; }

static void print_cpus(const struct machine *machine, struct sink *out)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        const struct machine_cpu *cpu = &machine->cpus[i];
        sink_print(out, "cpu           = %u apic %u uid %u core %u %s\n", i, cpu->apic_id, cpu->acpi_uid, cpu->core,
                   text_choice_name(machine_cpu_states, MACHINE_CPU_STATES, cpu->online));
    }
}

static void print_memory(const struct machine *machine, struct sink *out)
{
    for (uint32_t i = 0; i < machine->region_count; i++) {
        const struct machine_region *region = &machine->regions[i];
        sink_print(out, "memory        = 0x%lx 0x%lx %s # %s\n", region->range.base, region->range.size,
                   text_choice_name(machine_memory_kinds, MACHINE_MEMORY_KINDS, (int)region->kind),
                   size_text(region->range.size).text);
    }
}

/* The name came from GRUB's command line: any bytes. */
static void print_name(const char *name, struct sink *out)
{
    if (name[0] != '\0')
        sink_print(out, " ");
    for (size_t i = 0; i < MACHINE_MODULE_NAME_SIZE && name[i] != '\0'; i++)
        sink_print(out, machine_name_escapes(name[i]) ? "\\x%02x" : "%c", (unsigned)(uint8_t)name[i]);
}

static void print_modules(const struct machine *machine, struct sink *out)
{
    for (uint32_t i = 0; i < machine->module_count; i++) {
        const struct machine_module *module = &machine->modules[i];
        sink_print(out, "module        = 0x%lx 0x%lx", module->range.base, module->range.size);
        print_name(module->name, out);
        sink_print(out, "\n");
    }
}

static void print_caps(const struct cpu_caps *caps, struct sink *out)
{
    bool any = false;

    sink_print(out, "physical_bits = %u\ncaps          =", caps->physical_bits);
    for (size_t i = 0; i < MACHINE_CAPS; i++) {
        bool present = false;
        memcpy(&present, (const char *)caps + machine_caps[i].offset, sizeof present);
        if (present)
            sink_print(out, " %s", machine_caps[i].name);
        any = any || present;
    }
    sink_print(out, any ? "\n" : " none\n");
}

void machine_print(const struct machine *machine, struct sink *out)
{
    sink_print(out, "# This box, as rf-check --machine reads it.\nversion = %d\n\n[machine]\n", MACHINE_TEXT_VERSION);
    print_cpus(machine, out);
    print_memory(machine, out);
    print_modules(machine, out);
    for (uint32_t i = 0; i < machine->ioapic_count; i++)
        sink_print(out, "ioapic        = 0x%x %u\n", machine->ioapics[i].address, machine->ioapics[i].gsi_base);
    sink_print(out, "hypervisor    = 0x%lx 0x%lx\n", machine->hypervisor.base, machine->hypervisor.size);
    sink_print(out, "rsdp          = 0x%lx\n", machine->rsdp.raw);
    if (machine->has_reset_register)
        sink_print(out, "reset         = 0x%x 0x%x\n", machine->reset_port, machine->reset_value);
    else
        sink_print(out, "reset         = none\n");
    print_caps(&machine->caps, out);
    sink_print(out, "tsc           = %lu\n", machine->tsc_hz);
}
