#include "boot/discover.h"

#include "arch/x86_64/cpu.h"
#include "core/cpu_core.h"
#include "core/phys.h"

extern char image_start[], image_end[];

bool discover_machine(uint32_t info, char copy[MULTIBOOT2_MAX_SIZE], struct machine *machine,
                      struct multiboot2_info *extra, struct sink *errors)
{
    uint32_t size;
    phys_read(hpa(info), &size, sizeof size);
    if (size > MULTIBOOT2_MAX_SIZE) {
        sink_print(errors, "multiboot2: the loader's information has %u bytes, at most %d can be taken\n", size,
                   MULTIBOOT2_MAX_SIZE);
        return false;
    }
    phys_read(hpa(info), copy, size);
    if (!multiboot2_parse((const uint8_t *)copy, size, machine, extra, errors))
        return false;
    machine->hypervisor = (struct range){(uint64_t)image_start, (uint64_t)(image_end - image_start)};
    struct cpu_core here;
    cpu_core_read(cpu_cpuid, &here);
    /* Without tables the boot CPU alone is used; acpi_parse has said so. */
    bool tables = acpi_parse(extra->rsdp, extra->rsdp_size, here.apic_id, machine, errors);
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
