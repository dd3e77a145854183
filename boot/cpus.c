#include "boot/cpus.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/smp.h"
#include "core/cpu_core.h"
#include "core/machine_check.h"

static struct machine *box;
static const struct backend *backend;
static struct sink *error_sink;
static void (*released)(uint32_t cpu);

/* What only the CPU itself can be asked, and how it goes on: its core, and errors from before the start. */
static void begin(uint32_t cpu)
{
    struct cpu_core here;
    struct machine_check old;
    cpu_core_read(cpu_cpuid, &here);
    box->cpus[cpu].core = here.core;
    cpu_protect();
    machine_check_begin(&old);
    if (old.status != 0)
        sink_print(error_sink, "CPU %u: a machine check from before this start: bank %u status %lx address %lx\n", cpu,
                   old.bank, old.status, old.address);
}

/* Every CPU but the first comes here. */
static void secondary_cpu(uint32_t cpu)
{
    begin(cpu);
    apic_enable();
    smp_arrived(cpu, backend->cpu_on(error_sink));

    void (*run)(uint32_t);
    while ((run = __atomic_load_n(&released, __ATOMIC_ACQUIRE)) == NULL)
        cpu_pause();
    run(cpu);
}

bool cpus_start(struct machine *machine, const struct backend *chosen, struct sink *errors)
{
    box = machine;
    backend = chosen;
    error_sink = errors;
    uint64_t page;
    cpu_init(machine);
    if (!percpu_create(0, machine->cpus[0].apic_id)) {
        sink_print(errors, "no memory for the boot CPU's stacks\n");
        return false;
    }
    percpu_load(percpu_of(0));
    begin(0);
    if (!apic_init(machine->caps.x2apic, machine->caps.tsc_deadline)) {
        sink_print(errors, "no memory to map the local APIC\n");
        return false;
    }
    apic_enable();
    if (!backend->cpu_on(errors))
        return false;
    machine->cpus[0].online = true;
    if (machine->cpu_count == 1)
        return true;
    if (!machine_find_free(machine, PAGE_SIZE, PAGE_SIZE, 640 * KIB, &page)) {
        sink_print(errors, "no free page below 640 KiB for the CPUs' start-up code: only CPU 0 runs\n");
        return true;
    }
    smp_start(machine, hpa(page), secondary_cpu, errors);
    return true;
}

void cpus_release(void (*run)(uint32_t cpu))
{
    __atomic_store_n(&released, run, __ATOMIC_RELEASE);
    run(cpu_current());
    __builtin_unreachable();
}
