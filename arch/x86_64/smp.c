#include "arch/x86_64/smp.h"

#include "arch/x86_64/apic.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/paging.h"
#include "arch/x86_64/percpu.h"
#include "core/phys.h"

/* What smp_trampoline.S finds at the end of its page. Its 32-bit code knows these offsets by name. */
struct trampoline_parameters {
    uint64_t cr3;
    uint64_t stack;
    uint64_t entry;
    uint64_t argument;
};
_Static_assert(sizeof(struct trampoline_parameters) == 32, "smp_trampoline.S");
enum { TRAMPOLINE_PARAMETERS = PAGE_SIZE - sizeof(struct trampoline_parameters) };

extern const char smp_trampoline[], smp_trampoline_end[];
extern uint64_t paging_pml4[];

static void (*cpu_entry)(uint32_t cpu);
static uint32_t arrived; /* index of the CPU that came up last */
static bool arrived_usable;

static void smp_begin(uint32_t cpu)
{
    percpu_load(percpu_of(cpu));
    cpu_entry(cpu);
}

void smp_arrived(uint32_t cpu, bool usable)
{
    arrived_usable = usable;
    __atomic_store_n(&arrived, cpu, __ATOMIC_RELEASE);
}

static bool wait_for(uint32_t cpu, unsigned milliseconds)
{
    for (unsigned i = 0; i < milliseconds * 20; i++) {
        if (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) == cpu)
            return true;
        cpu_delay_us(50);
    }
    return false;
}

static bool start_one(const struct machine_cpu *target, uint32_t cpu, hpa_t page)
{
    struct trampoline_parameters parameters = {
        .cr3 = (uint64_t)paging_pml4,
        .stack = percpu_area(cpu) + PERCPU_STACK_TOP,
        .entry = (uint64_t)smp_begin,
        .argument = cpu,
    };
    phys_write(hpa(page.raw + TRAMPOLINE_PARAMETERS), &parameters, sizeof parameters);

    apic_send(target->apic_id, APIC_INIT);
    cpu_delay_us(10000);
    uint32_t startup = APIC_STARTUP | (uint8_t)(page.raw / PAGE_SIZE);
    apic_send(target->apic_id, startup);
    if (wait_for(cpu, 10))
        return true;
    apic_send(target->apic_id, startup);
    return wait_for(cpu, 1000);
}

void smp_start(struct machine *machine, hpa_t page, void (*entry)(uint32_t cpu), struct sink *errors)
{
    cpu_entry = entry;
    arrived = cpu_current();
    if (!paging_map(page.raw, page, PAGE_SIZE, PAGING_EXECUTE)) {
        sink_print(errors, "no memory for the CPUs' start-up page: only CPU 0 runs\n");
        return;
    }
    phys_write(page, smp_trampoline, (size_t)(smp_trampoline_end - smp_trampoline));
    for (uint32_t cpu = 0; cpu < machine->cpu_count; cpu++) {
        struct machine_cpu *target = &machine->cpus[cpu];
        bool is_this = cpu == cpu_current();
        const char *problem = is_this                                ? NULL
                              : !percpu_create(cpu, target->apic_id) ? ": no memory left for its stacks"
                              : !start_one(target, cpu, page)        ? " does not answer its start-up message"
                                                                     : NULL;
        target->online = problem == NULL && (is_this || arrived_usable); /* when not usable, it has said why */
        if (problem != NULL)
            sink_print(errors, "CPU %u (APIC id %u)%s; it stays off\n", cpu, target->apic_id, problem);
    }
    paging_unmap(page.raw);
    phys_zero(page, PAGE_SIZE);
}
