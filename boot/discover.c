#include "boot/discover.h"

#include "arch/x86_64/cpu.h"
#include "core/phys.h"

extern char image_start[], image_end[];

static uint8_t info_copy[MULTIBOOT2_MAX_SIZE];

static uint32_t initial_apic_id(void)
{
    /* Leaf Bh has all 32 bits; leaf 1 the lower 8 of them. */
    struct cpuid_regs r, top;
    cpu_cpuid(0, 0, &top);
    if (top.eax >= 0xb) {
        cpu_cpuid(0xb, 0, &r);
        if (r.ebx != 0)
            return r.edx;
    }
    cpu_cpuid(1, 0, &r);
    return r.ebx >> 24;
}

bool discover_machine(uint32_t info, struct machine *machine, struct multiboot2_info *extra, struct sink *errors)
{
    uint32_t size;
    phys_read(hpa(info), &size, sizeof size);
    if (size > sizeof info_copy) {
        sink_print(errors, "multiboot2: the loader's information has %u bytes, at most %zu can be taken\n", size,
                   sizeof info_copy);
        return false;
    }
    phys_read(hpa(info), info_copy, size);
    if (!multiboot2_parse(info_copy, size, machine, extra, errors))
        return false;
    machine->hypervisor = (struct range){(uint64_t)image_start, (uint64_t)(image_end - image_start)};
    /* Without tables the boot CPU alone is used; acpi_parse has said so. */
    bool tables = acpi_parse(extra->rsdp, extra->rsdp_size, initial_apic_id(), machine, errors);
    (void)tables;
    return true;
}

void discover_print(const struct machine *machine, const struct multiboot2_info *extra, struct sink *out)
{
    uint64_t usable = 0;
    for (uint32_t i = 0; i < machine->region_count; i++)
        if (machine->regions[i].kind == MEMORY_USABLE)
            usable += machine->regions[i].range.size;
    sink_print(out, "%s (%s), %u CPUs, %lu MiB usable, TSC %lu.%03lu MHz, %u modules", cpu_brand(), cpu_vendor(),
               machine->cpu_count, usable / MIB, machine->tsc_hz / 1000000, machine->tsc_hz / 1000 % 1000,
               machine->module_count);
    if (extra->command_line.length != 0)
        sink_print(out, ", command line '%.*s'", (int)extra->command_line.length, extra->command_line.at);
    sink_print(out, "\n");
}
