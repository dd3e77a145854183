#include "boot/discover.h"

#include "arch/x86_64/cpu.h"
#include "core/cpu_core.h"
#include "core/cpuid.h"
#include "core/phys.h"
#include "drivers/hw/tsc_calibrate.h"

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

bool discover_clock(struct machine *machine, struct sink *errors)
{
    machine->tsc_told_by = "the 8254";
    machine->tsc_hz = tsc_calibrate_by_pit();
    if (machine->tsc_hz == 0 && machine->pm_timer_port != 0) {
        machine->tsc_told_by = "the ACPI PM timer";
        machine->tsc_hz = tsc_calibrate_by_pm_timer(machine->pm_timer_port);
    }
    if (machine->tsc_hz == 0) {
        machine->tsc_told_by = "CPUID";
        machine->tsc_hz = cpuid_tsc_hz(cpu_cpuid);
    }
    if (machine->tsc_hz == 0)
        sink_print(errors,
                   "The TSC's speed cannot be found: the timer at ports 40h-43h does not count, %s, and CPUID\n"
                   "(leaves 15h and 16h) does not tell it. Enable the 8254 timer in the firmware's setup.\n",
                   machine->pm_timer_port == 0 ? "ACPI names no PM timer" : "the ACPI PM timer does not count either");
    return machine->tsc_hz != 0;
}

void discover_print(const struct machine *machine, const struct multiboot2_info *extra, struct sink *out)
{
    sink_print(out, "%s (%s), %u CPUs, %lu MiB usable, TSC %lu.%03lu MHz by %s, %u modules", cpu_brand(), cpu_vendor(),
               machine->cpu_count, machine_usable(machine) / MIB, machine->tsc_hz / 1000000,
               machine->tsc_hz / 1000 % 1000, machine->tsc_told_by, machine->module_count);
    if (extra->command_line.length != 0)
        sink_print(out, ", command line '%.*s'", (int)extra->command_line.length, extra->command_line.at);
    sink_print(out, "\n");
}
