/*
 * The plan: configuration + machine, decided before the first guest runs.
 *
 * plan_build chooses, plan_check (core/plan_check*.c, no shared code beyond range.h) accepts or
 * refuses what was chosen. After that nothing is allocated, mapped or registered.
 */
#pragma once

#include "core/config.h"
#include "core/machine.h"

enum {
    PLAN_MAX_CHUNKS = 64, /* per partition */
    /* Guest-physical layout: RAM from 0 up to the hole, the rest from 4 GiB. */
    PLAN_NO_MODULE = -1,
};
#define PLAN_LOW_RAM_END (3 * GIB)
#define PLAN_HIGH_RAM_BASE (4 * GIB)

/* boot = firmware: RAM of its own holds the image, up to 4 GiB, where a CPU starts after reset. */
#define PLAN_FIRMWARE_END (4 * GIB)
#define PLAN_FIRMWARE_MAX (16 * MIB) /* below that the local APICs have their registers */

/* A run of guest RAM: contiguous on both sides. gpa and hpa are congruent modulo the largest page used. */
struct plan_chunk {
    gpa_t gpa;
    hpa_t hpa;
    uint64_t size; /* bytes, a multiple of 4 KiB */
};

/*@ predicate chunk_valid(struct plan_chunk c) =
      c.gpa.raw + c.size <= UINT64_MAX && c.hpa.raw + c.size <= UINT64_MAX; */

struct plan_partition {
    const struct config_partition *config;
    bool virtual_interrupts; /* decided: its local APICs are models; false: the CPUs' own */
    uint32_t cpu_count;
    uint32_t cpus[CONFIG_MAX_CPUS]; /* indices into machine.cpus; [0] starts the guest */
    uint32_t chunk_count;
    struct plan_chunk chunks[PLAN_MAX_CHUNKS]; /* ascending gpa */
    int kernel;  /* index into machine.modules */
    int initrd;  /* or PLAN_NO_MODULE */
    int modules[CONFIG_MAX_MODULES]; /* config->module_count of them */
};

struct plan {
    uint32_t console_cpu; /* index into machine.cpus */
    bool share_cores;     /* partitions may have hyperthreads of one core: the configuration says so */
    uint32_t partition_count;
    struct plan_partition partitions[CONFIG_MAX_PARTITIONS];
};

/*@ // Any plan, also while it is being built.
    predicate plan_readable(struct plan *plan) = \valid_read(plan) && plan->partition_count <= CONFIG_MAX_PARTITIONS &&
      \forall integer p, i; 0 <= p < plan->partition_count && 0 <= i < PLAN_MAX_CHUNKS &&
        i < plan->partitions[p].chunk_count ==> chunk_valid(plan->partitions[p].chunks[i]); */

/*
 * Builds the plan of every partition that is not refused. A partition that cannot be had (a CPU or
 * module that is not there, a CPU already owned, not enough memory) is left out with one line on
 * `errors`, in config_parse's format; the others stand. Returns the number of partitions left out.
 */
/*@ requires machine_readable(machine) && \valid_read(config) && \valid(out) && \separated(out, config, machine);
    requires \forall integer p; 0 <= p < CONFIG_MAX_PARTITIONS ==>
      config->partitions[p].module_count <= CONFIG_MAX_MODULES;
    assigns *out; */
unsigned must_check plan_build(const char *file, const struct config *config, const struct machine *machine,
                               struct plan *out, struct sink *errors);

/*
 * Whether the plan keeps its promises: no CPU and no byte owned twice, every byte inside usable
 * memory, none inside the hypervisor or a module, guest-physical ranges disjoint and as configured,
 * no core with two owners unless that is configured, every index in range. One line on `errors` for the
 * first promise broken. Independent of plan_build. What acceptance means is proven, see core/plan_check.h.
 */
bool must_check plan_check(const struct plan *plan, const struct machine *machine, struct sink *errors);

/* Its question about hyperthreads, for a plan with no more partitions and CPUs than it has room for. */
/*@ requires \valid_read(plan) && \valid_read(machine) && machine->cpu_count <= MACHINE_MAX_CPUS;
    requires \forall integer p; 0 <= p < plan->partition_count && p < CONFIG_MAX_PARTITIONS ==>
      \valid_read(plan->partitions[p].config);
    assigns \nothing; */
bool must_check plan_check_cores(const struct plan *plan, const struct machine *machine, struct sink *errors);

/*
 * The first free run at or after host-physical address `from`: whole 4 KiB pages of usable memory that nothing overlaps
 * (firmware, hypervisor, modules, the first MiB, the plan's chunks). Begin with 0 and go on with range_end; false: no
 * more.
 */
/*@ requires plan_readable(plan) && machine_readable(machine) && \valid(out) && \separated(out, plan, machine);
    assigns *out;
    ensures \result ==> from <= out->base && 0 < out->size && valid(*out); */
bool must_check plan_free_next(const struct plan *plan, const struct machine *machine, uint64_t from,
                               struct range *out);

/* Who owns which CPU, which memory and which device, for a person. */
void plan_print(const struct plan *plan, const struct machine *machine, struct sink *out);

/* "0-2,5": CPU numbers in the order given, neighbours drawn together. */
void plan_print_cpus(const uint32_t *cpus, uint32_t count, struct sink *out);

/* Translates into the partition's RAM; false when [gpa, gpa + size) is not wholly in one chunk of it. */
bool must_check plan_translate(const struct plan_partition *partition, gpa_t address, uint64_t size, hpa_t *out);

/*
 * Copies host memory into the partition's RAM; may cross chunks. False, nothing copied, when a byte of it is not RAM.
 */
bool must_check plan_copy(const struct plan_partition *partition, gpa_t to, hpa_t from, uint64_t size);
