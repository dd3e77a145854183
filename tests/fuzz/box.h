/*
 * A box with two partitions for the targets that need all of core/: real plans, memory, virtual PCs and life cycle,
 * with a backend that only counts. Definitions: a target that includes this has one.
 */
#pragma once

#include "core/bytes.h"
#include "core/lifecycle.h"
#include "core/local_apic.h"
#include "core/log.h"
#include "core/virtual_interrupts.h"
#include "tests/fuzz/phys.h"
#include "tests/unit/fake_cpu.h"

enum {
    BOX_BASE = 0x100000,
    BOX_IMAGE = 0x1000,
    BOX_RAM = 0x4000, /* of each partition */
    BOX_PARTITIONS = 2,
    BOX_VCPUS = 3, /* two, then one */
    BOX_HZ = 1000000,
    BOX_FILL = 0xa5, /* of memory that is nobody's */
};

static const uint32_t box_ids[BOX_VCPUS] = {0x12, 0x2, 0x7};
static const uint32_t box_cpus[BOX_VCPUS] = {2, 3, 1};

/* What the hypervisor asked of the vendor's part since the last look. */
struct box_calls {
    unsigned advanced, injected, nmis, interrupts, written_back, resets;
};

static struct {
    struct config config;
    struct machine machine;
    struct plan plan;
    struct backend backend;
    struct vcpu vcpus[BOX_VCPUS];
    struct local_apic *apics;
    struct ring rings[BOX_PARTITIONS];
    struct vcpu_state_view view; /* of whatever vCPU */
    struct box_calls calls;
    bool deaf;      /* no guest can take an interrupt now */
    bool by_itself; /* the CPU takes what is requested by itself */
} box;

/* For as long as tests/unit/fake_cpu.c lacks them; its own ones win. */
void __attribute__((weak)) cpu_timer_set(uint64_t deadline) { (void)deadline; }
void __attribute__((weak)) cpu_wait(void) {}
void __attribute__((weak)) cpu_take_interrupts(void) {}

static void box_vcpu_reset(struct vcpu *vcpu, const struct vcpu_entry *entry)
{
    require(vcpu->partition != NULL && entry != NULL);
    require(entry->mode == VCPU_MODE_REAL || entry->mode == VCPU_MODE_FLAT32);
    box.calls.resets++;
}
static void box_advance(struct vcpu *vcpu, const struct exit *exit)
{
    require(vcpu != NULL && exit != NULL);
    box.calls.advanced++;
}
static void box_inject_exception(struct vcpu *vcpu, uint8_t vector, uint32_t error_code)
{
    require(vcpu != NULL && vector < 32 && (vector != 2));
    require(error_code == 0 || vector == 14);
    box.calls.injected++;
}
static bool box_inject_nmi(struct vcpu *vcpu)
{
    require(vcpu->state == VCPU_RUNNING || vcpu->state == VCPU_HALTED);
    box.calls.nmis++;
    return true;
}
static bool box_interrupt_ready(struct vcpu *vcpu)
{
    require(vcpu->apic != NULL);
    return !box.deaf;
}
static void box_inject_interrupt(struct vcpu *vcpu, uint8_t vector)
{
    require(vcpu->apic != NULL && !box.deaf);
    box.calls.interrupts += vector >= 16; /* an 8259 may be programmed for lower ones */
}
static void box_interrupt_quiet(struct vcpu *vcpu) { require(vcpu->apic != NULL); }
static bool box_interrupt_offer(struct vcpu *vcpu)
{
    require(vcpu->apic != NULL);
    (void)!local_apic_take_changes(vcpu->apic);
    return box.by_itself;
}
static bool box_set_timer(struct vcpu *vcpu, uint64_t ticks) { return vcpu != NULL || ticks == 0; }
static void box_view(struct vcpu *vcpu, struct vcpu_state_view *out)
{
    require(vcpu != NULL);
    *out = box.view;
}
static void box_write_back(struct vcpu *vcpu, uint64_t rflags)
{
    require(vcpu != NULL && ((rflags ^ box.view.rflags) & ~(uint64_t)0x8d5) == 0);
    box.calls.written_back++;
}
static void box_set_cr2(struct vcpu *vcpu, uint64_t address)
{
    require(vcpu != NULL);
    box.view.cr2 = address;
}
static void box_dump(struct vcpu *vcpu, struct sink *out) { sink_print(out, "vCPU %u\n", vcpu->index); }
static void box_flush(struct vcpu *vcpu) { require(vcpu != NULL); }

static void box_backend(void)
{
    box.backend = (struct backend){
        .name = "none",
        .vcpu_reset = box_vcpu_reset,
        .advance = box_advance,
        .inject_exception = box_inject_exception,
        .inject_nmi = box_inject_nmi,
        .interrupt_ready = box_interrupt_ready,
        .inject_interrupt = box_inject_interrupt,
        .interrupt_quiet = box_interrupt_quiet,
        .interrupt_offer = box_interrupt_offer,
        .set_timer = box_set_timer,
        .view = box_view,
        .write_back = box_write_back,
        .set_cr2 = box_set_cr2,
        .dump = box_dump,
        .nested_flush = box_flush,
    };
}

/* A program of one page of HLTs at 0; the second partition's RAM is cut in two. */
static void box_plan(uint32_t index, const char *name, uint32_t first_cpu, uint32_t cpu_count)
{
    struct config_partition *config = &box.config.partitions[index];
    struct plan_partition *plan = &box.plan.partitions[index];
    uint64_t ram = BOX_BASE + BOX_IMAGE + 0x1000 + (uint64_t)index * (BOX_RAM + 0x1000);
    strcpy(config->name, name);
    config->memory = BOX_RAM;
    config->boot = BOOT_FLAT;
    config->cpu_count = plan->cpu_count = cpu_count;
    plan->config = config;
    plan->initrd = PLAN_NO_MODULE;
    plan->chunk_count = 2;
    plan->chunks[0] = (struct plan_chunk){gpa(0), hpa(ram + BOX_RAM / 2), BOX_RAM / 2};
    plan->chunks[1] = (struct plan_chunk){gpa(BOX_RAM / 2), hpa(ram), BOX_RAM / 2};
    for (uint32_t i = 0; i < cpu_count; i++)
        config->cpus[i] = plan->cpus[i] = box_cpus[first_cpu + i];
}

static void box_partition(uint32_t index, uint32_t first_cpu)
{
    struct partition *p = &partition_table.partitions[index];
    const struct plan_partition *plan = &box.plan.partitions[index];
    *p = (struct partition){.plan = plan,
                            .machine = &box.machine,
                            .index = index,
                            .vcpu_count = plan->cpu_count,
                            .vcpus = &box.vcpus[first_cpu],
                            .apic_ids = &box_ids[first_cpu],
                            .platform = calloc(1, platform_size()),
                            .output = &box.rings[index],
                            .asid = (uint16_t)(index + 1)};
    require(p->platform != NULL);
    for (uint32_t i = 0; i < plan->cpu_count; i++) {
        box.vcpus[first_cpu + i] = (struct vcpu){.partition = p,
                                                 .index = i,
                                                 .cpu = plan->cpus[i],
                                                 .apic_id = box_ids[first_cpu + i],
                                                 .xcr0 = 1,
                                                 .apic = plan->virtual_interrupts ? &box.apics[first_cpu + i] : NULL};
    }
}

static void box_machine(void)
{
    struct machine *m = &box.machine;
    m->tsc_hz = BOX_HZ;
    m->cpu_count = 4;
    for (uint32_t i = 0; i < m->cpu_count; i++)
        m->cpus[i] = (struct machine_cpu){.apic_id = i * 3, .acpi_uid = i, .core = i, .online = true};
    m->region_count = 1;
    m->regions[0] = (struct machine_region){{BOX_BASE, 16 * MIB}, MEMORY_USABLE};
    m->module_count = 1;
    m->modules[0] = (struct machine_module){{BOX_BASE, BOX_IMAGE}, "image"};
    m->caps.physical_bits = 39;
}

/* `virtual_interrupts`: bit i of it for partition i. */
static void box_setup(unsigned virtual_interrupts)
{
    memset(&box, 0, sizeof box);
    memset(&partition_table, 0, sizeof partition_table);
    fake_cpu_setup();
    fake_cpu.clock = 1000;
    fake_phys_setup(BOX_BASE, BOX_IMAGE + 0x2000 + 2 * (BOX_RAM + 0x1000));
    memset(fake_phys_at(BOX_BASE, BOX_IMAGE + 0x2000 + 2 * (BOX_RAM + 0x1000)), BOX_FILL,
           BOX_IMAGE + 0x2000 + 2 * (BOX_RAM + 0x1000));
    box.apics = aligned_alloc(_Alignof(struct local_apic), sizeof *box.apics * BOX_VCPUS);
    require(box.apics != NULL);
    box_backend();
    box_machine();
    box_plan(0, "linux", 0, 2);
    box_plan(1, "tiny", 2, 1);
    box.config.partition_count = box.plan.partition_count = partition_table.count = BOX_PARTITIONS;
    for (uint32_t i = 0; i < BOX_PARTITIONS; i++) {
        box.plan.partitions[i].virtual_interrupts = (virtual_interrupts >> i & 1) != 0;
        box_partition(i, i == 0 ? 0 : 2);
    }
    log_ring()->written = 0;
}

static void box_teardown(void)
{
    for (uint32_t i = 0; i < BOX_PARTITIONS; i++)
        free(partition_table.partitions[i].platform);
    free(box.apics);
    fake_phys_teardown();
}

/* One look of every CPU at what it is to do, as core/run.c has it; returns which vCPUs may run. */
static unsigned box_obey(void)
{
    unsigned run = 0;
    for (unsigned i = 0; i < BOX_VCPUS; i++) {
        fake_cpu.current = box.vcpus[i].cpu;
        run |= lifecycle_obey(&box.vcpus[i], &box.backend) ? 1u << i : 0;
    }
    return run;
}

/* Nobody wrote between the partitions' memory, nor into the image. */
static void box_require_isolated(void)
{
    static const uint64_t gaps[] = {BOX_BASE, BOX_BASE + BOX_IMAGE, BOX_BASE + BOX_IMAGE + 0x1000 + BOX_RAM,
                                    BOX_BASE + BOX_IMAGE + 0x2000 + 2 * BOX_RAM};
    for (size_t i = 0; i < array_size(gaps); i++) {
        const uint8_t *bytes = fake_phys_at(gaps[i], 0x1000);
        for (unsigned at = 0; at < 0x1000; at++)
            require(bytes[at] == BOX_FILL);
    }
}
