#include "boot/partitions.h"

#include "arch/x86_64/heap.h"
#include "core/bytes.h"
#include "core/loader.h"
#include "core/local_apic.h"
#include "core/nested.h"

enum {
    CPU_BYTES = 64 * 1024,       /* stacks, struct percpu, VMXON or host-save area, VMCS or VMCB, page tables */
    PARTITION_BYTES = 64 * 1024, /* output ring, platform, vCPUs, the odd page tables */
    SHARED_BYTES = 128 * 1024,   /* bitmaps, page tables of the heap itself */
    TABLES_PER_GIB = 2,
};

/* Bytes of usable memory: a partition that wants more is refused, and needs no tables. */
static uint64_t memory_limit(const struct machine *machine)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < machine->region_count; i++)
        if (machine->regions[i].kind == MEMORY_USABLE)
            sum += machine->regions[i].range.size;
    return sum;
}

uint64_t partitions_memory_bound(const struct config *config, const struct machine *machine)
{
    uint64_t bytes = SHARED_BYTES + machine->cpu_count * (uint64_t)CPU_BYTES;
    for (uint32_t i = 0; i < config->partition_count; i++) {
        /* With 2 MiB pages: a directory a GiB and the few tables of ragged ends; without, a table for each 2 MiB. */
        if (config->partitions[i].refused || config->partitions[i].memory > memory_limit(machine))
            continue;
        uint64_t memory = config->partitions[i].memory;
        uint64_t tables = machine->caps.nested_2m ? TABLES_PER_GIB * (memory / GIB + 1) : memory / PAGE_SIZE_2M + 8;
        bytes += PARTITION_BYTES + config->partitions[i].cpu_count * 3 * PAGE_SIZE + tables * PAGE_SIZE;
    }
    return align_down(bytes + PAGE_SIZE - 1, PAGE_SIZE);
}

static bool map_memory(struct partition *p, const struct backend *backend)
{
    if (!nested_init(&p->nested, &heap_pages))
        return false;
    for (uint32_t i = 0; i < p->plan->chunk_count; i++)
        if (!nested_map(&p->nested, backend->nested_format, &p->machine->caps, p->plan->chunks[i], NESTED_RAM, true, true,
                        &heap_pages))
            return false;
    return true;
}

static bool create_vcpus(struct partition *p, const struct backend *backend)
{
    struct local_apic *apics = p->plan->virtual_interrupts ? heap_alloc(p->vcpu_count * sizeof *apics) : NULL;
    if (p->plan->virtual_interrupts && apics == NULL)
        return false;
    uint32_t *apic_ids = heap_alloc(p->vcpu_count * sizeof *apic_ids + p->vcpu_count * sizeof *p->vcpus);
    if (apic_ids == NULL)
        return false;
    /* The ids lie behind the vCPUs: both are small and of one life. */
    p->vcpus = (struct vcpu *)apic_ids;
    apic_ids = (uint32_t *)(p->vcpus + p->vcpu_count);
    p->apic_ids = apic_ids;
    for (uint32_t i = 0; i < p->vcpu_count; i++) {
        struct vcpu *vcpu = &p->vcpus[i];
        vcpu->partition = p;
        vcpu->index = i;
        vcpu->cpu = p->plan->cpus[i];
        vcpu->apic_id = apic_ids[i] = p->plan->virtual_interrupts ? i : p->machine->cpus[vcpu->cpu].apic_id;
        if (p->plan->virtual_interrupts)
            vcpu->apic = &apics[i];
        vcpu->state = VCPU_OFF;
        if (!backend->vcpu_create(vcpu))
            return false;
    }
    return true;
}

static bool create(struct partition *p, const struct backend *backend)
{
    p->platform = heap_alloc(platform_size());
    p->output = heap_alloc(sizeof *p->output);
    return p->platform != NULL && p->output != NULL && map_memory(p, backend) && create_vcpus(p, backend);
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
