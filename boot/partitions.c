#include "boot/partitions.h"

#include "arch/x86_64/backends.h"
#include "arch/x86_64/heap.h"
#include "arch/x86_64/percpu.h"
#include "core/bytes.h"
#include "core/loader.h"
#include "core/local_apic.h"
#include "core/nested.h"

enum {
    CPU_PAGES = PERCPU_PAGES + 2, /* host-save area and VMCB, or the VMXON region */
    VCPU_PAGES = 1,               /* VMCB or VMCS */
    SHARED_PAGES = 24,            /* bitmaps; our own page tables, the CPUs' and the heap's part of them aside */
    CPUS_PER_TABLE = 32,
    TABLES_PER_GIB = 2, /* a directory, and one more */
    TABLES_MORE = 5,    /* the upper two levels, firmware's places, the ends */
};

static uint64_t pages_of(uint64_t bytes) { return (bytes + PAGE_SIZE - 1) / PAGE_SIZE; }
static uint64_t loose(uint64_t bytes) { return bytes + HEAP_ALIGNMENT; }

/* What create() below allocates. Only a partition that surely has its CPUs' own local APICs needs no models of them. */
static uint64_t partition_pages(const struct config_partition *config, const struct machine *machine)
{
    uint64_t vcpus = config->cpu_count, memory = config->memory;
    bool direct = config->interrupts != INTERRUPTS_VIRTUAL && config->boot != BOOT_FIRMWARE && machine->caps.x2apic &&
                  machine->caps.guest_timer;
    uint64_t vcpu =
        sizeof(struct vcpu) + (direct ? 0 : sizeof(struct local_apic)) + sizeof(uint32_t) + loose(BACKEND_VCPU_BYTES);
    uint64_t objects = loose(platform_size()) + loose(sizeof(struct ring)) + vcpus * vcpu + 2 * HEAP_ALIGNMENT;
    uint64_t tables = TABLES_MORE + TABLES_PER_GIB * (memory / GIB + 1);
    if (!machine->caps.nested_2m)
        tables += memory / PAGE_SIZE_2M;
    return pages_of(objects) + vcpus * VCPU_PAGES + tables;
}

/* Where guests' memory lies in pieces, each end of a piece may take a table more: all partitions' pieces together. */
static uint64_t ragged_tables(const struct machine *machine)
{
    uint64_t tables = 0;
    for (uint32_t i = 0; i < machine->region_count; i++)
        tables += machine->regions[i].kind == MEMORY_USABLE ? 2 : 0;
    return tables;
}

uint64_t partitions_memory_bound(const struct config *config, const struct machine *machine)
{
    uint64_t pages = SHARED_PAGES + ragged_tables(machine) + machine->cpu_count * (uint64_t)CPU_PAGES +
                     machine->cpu_count / CPUS_PER_TABLE;
    /* A partition that wants more than there is will be refused, and needs no tables. */
    for (uint32_t i = 0; i < config->partition_count; i++)
        if (!config->partitions[i].refused && config->partitions[i].memory <= machine_usable(machine))
            pages += partition_pages(&config->partitions[i], machine);
    return (pages + pages * PAGE_SIZE / PAGE_SIZE_2M) * PAGE_SIZE;
}

static bool map_memory(struct partition *p, const struct backend *backend)
{
    if (!nested_init(&p->nested, &heap_pages))
        return false;
    for (uint32_t i = 0; i < p->plan->chunk_count; i++)
        if (!nested_map(&p->nested, backend->nested_format, &p->machine->caps, p->plan->chunks[i], NESTED_RAM, true,
                        true, &heap_pages))
            return false;
    return true;
}

static bool create_vcpus(struct partition *p, const struct backend *backend)
{
    bool virtual_interrupts = p->plan->virtual_interrupts;
    struct local_apic *apics = virtual_interrupts ? heap_alloc(p->vcpu_count * sizeof *apics) : NULL;
    p->vcpus = heap_alloc(p->vcpu_count * (sizeof *p->vcpus + sizeof *p->apic_ids));
    if ((virtual_interrupts && apics == NULL) || p->vcpus == NULL)
        return false;
    /* The ids lie behind the vCPUs: both are small and of one life. */
    uint32_t *apic_ids = (uint32_t *)(p->vcpus + p->vcpu_count);
    p->apic_ids = apic_ids;
    for (uint32_t i = 0; i < p->vcpu_count; i++) {
        struct vcpu *vcpu = &p->vcpus[i];
        vcpu->partition = p;
        vcpu->index = i;
        vcpu->cpu = p->plan->cpus[i];
        vcpu->apic_id = apic_ids[i] = virtual_interrupts ? i : p->machine->cpus[vcpu->cpu].apic_id;
        if (virtual_interrupts)
            vcpu->apic = &apics[i];
        vcpu->state = VCPU_OFF;
        if (!backend->vcpu_create(vcpu))
            return false;
    }
    return true;
}

static bool create(struct partition *p, const struct backend *backend)
{
    /* Objects first, whole pages after them: so the objects lie close together. */
    p->platform = heap_alloc(platform_size());
    p->output = heap_alloc(sizeof *p->output);
    return p->platform != NULL && p->output != NULL && create_vcpus(p, backend) && map_memory(p, backend);
}

unsigned partitions_drop_unfit(struct plan *plan, const struct machine *machine, struct sink *errors)
{
    uint32_t kept = 0, all = plan->partition_count;
    for (uint32_t i = 0; i < all; i++)
        if (loader_check(&plan->partitions[i], machine, errors))
            memmove(&plan->partitions[kept++], &plan->partitions[i], sizeof plan->partitions[i]);
    plan->partition_count = kept;
    return all - kept;
}

void partitions_create(const struct plan *plan, const struct machine *machine, const struct backend *backend,
                       struct sink *errors)
{
    for (uint32_t i = 0; i < plan->partition_count; i++) {
        struct partition *p = &partition_table.partitions[partition_table.count];
        *p = (struct partition){
            .plan = &plan->partitions[i],
            .machine = machine,
            .index = partition_table.count,
            .vcpu_count = plan->partitions[i].cpu_count,
            .asid = (uint16_t)(partition_table.count + 1),
        };
        if (create(p, backend))
            partition_table.count++;
        else
            sink_print(errors, "partition '%s': the hypervisor's own memory does not suffice for it\n",
                       partition_name(p));
    }
}

struct vcpu *partitions_vcpu_on(uint32_t cpu)
{
    for (uint32_t i = 0; i < partition_table.count; i++)
        for (uint32_t j = 0; j < partition_table.partitions[i].vcpu_count; j++)
            if (partition_table.partitions[i].vcpus[j].cpu == cpu)
                return &partition_table.partitions[i].vcpus[j];
    return NULL;
}
