/*
 * Builds the plan: which partition gets which CPUs, which memory and which boot modules.
 *
 * Partitions are decided in the order of the configuration, so where one lies depends only on those above it.
 */
#include "core/plan_memory.h"

struct builder {
    const char *file;
    const struct machine *machine;
    struct plan *plan; /* one slot per configured partition until the build ends */
    struct sink *errors;
    bool accepted[CONFIG_MAX_PARTITIONS]; /* by slot */
};

/*@ predicate slot_readable(struct plan_partition *slot, struct machine *m) =
      \valid_read(slot) && \valid_read(slot->config) && slot->cpu_count <= CONFIG_MAX_CPUS &&
      (slot->kernel == PLAN_NO_MODULE || 0 <= slot->kernel < m->module_count);

    predicate builder_readable(struct builder *b) =
      \valid_read(b) && plan_readable(b->plan) && machine_readable(b->machine) &&
      \separated(b, b->plan, b->machine) && \forall integer p; 0 <= p < b->plan->partition_count ==>
        slot_readable(&b->plan->partitions[p], b->machine) && \separated(b->plan->partitions[p].config, b->plan) &&
        \separated(b->plan->partitions[p].config, b);

    // The slot that is being filled: the plan's last.
    predicate slot_filled(struct builder *b, struct plan_partition *slot) =
      builder_readable(b) && 0 < b->plan->partition_count && \valid(slot) &&
      slot == &b->plan->partitions[b->plan->partition_count - 1]; */

/* ---- messages ---- */

/*@ requires \valid_read(b);
    assigns \nothing; */
static void print_place(const struct builder *b, struct config_place place)
{
    sink_print(b->errors, "%s:%u:%u: ", b->file, place.line, place.column);
}

/* The one line that says why a partition is left out, or, without a line end in `format`, its beginning. */
/*@ requires \valid_read(b) && \valid_read(slot) && \valid_read(slot->config);
    assigns \nothing;
    ensures !\result; */
__attribute__((format(printf, 4, 5))) static bool refuse(const struct builder *b, const struct plan_partition *slot,
                                                         struct config_place place, const char *format, ...)
{
    va_list arguments;
    print_place(b, place);
    sink_print(b->errors, "partition '%s': ", slot->config->name);
    va_start(arguments, format);
    sink_vprint(b->errors, format, arguments);
    va_end(arguments);
    return false;
}

/* Ends a line about a CPU that cannot be had. */
/*@ requires \valid_read(b) && machine_readable(b->machine);
    assigns \nothing; */
static void print_missing_cpu(const struct builder *b, uint32_t cpu)
{
    uint32_t count = b->machine->cpu_count;
    if (cpu < count)
        sink_print(b->errors, "is not online (it did not answer its start-up IPI)\n");
    else if (count <= 1)
        sink_print(b->errors, "is not there (this box has CPU 0)\n");
    else
        sink_print(b->errors, "is not there (this box has CPUs 0-%u)\n", count - 1);
}

/*@ requires builder_readable(b) && slot_readable(slot, b->machine);
    assigns \nothing; */
static void print_memory_refusal(const struct builder *b, const struct plan_partition *slot)
{
    uint64_t memory = slot->config->memory;
    uint64_t available = plan_free_total(b->plan, b->machine);
    uint64_t firmware = plan_firmware_part(b->machine, slot);
    (void)refuse(b, slot, slot->config->memory_place, "memory %s", size_text(memory).text);
    if (firmware != 0)
        sink_print(b->errors, " and %s for the firmware", size_text(firmware).text);
    if (memory == 0 || !is_aligned(memory, PAGE_SIZE)) {
        sink_print(b->errors, ": expected a multiple of 4 KiB above 0\n");
        return;
    }
    sink_print(b->errors, ": %s", size_text(available).text);
    if (available < firmware || available - firmware < memory)
        sink_print(b->errors, " are free\n");
    else if (!plan_is_addressable(b->machine, memory))
        sink_print(b->errors, " are free, but this CPU has guest addresses of %u bits\n",
                   b->machine->caps.physical_bits);
    else
        sink_print(b->errors, " are free, but in more than %d pieces\n", PLAN_MAX_CHUNKS);
}

/* ---- CPUs and modules of one partition ---- */

/*@ requires machine_readable(machine);
    assigns \nothing;
    ensures \result ==> cpu < machine->cpu_count; */
static bool cpu_exists(const struct machine *machine, uint32_t cpu)
{
    return cpu < machine->cpu_count && machine->cpus[cpu].online;
}

/*@ requires \valid_read(slot) && slot->cpu_count <= CONFIG_MAX_CPUS;
    assigns \nothing; */
static bool has_cpu(const struct plan_partition *slot, uint32_t cpu)
{
    /*@ loop invariant 0 <= i <= slot->cpu_count;
        loop assigns i;
        loop variant slot->cpu_count - i; */
    for (uint32_t i = 0; i < slot->cpu_count; i++)
        if (slot->cpus[i] == cpu)
            return true;
    return false;
}

/*@ requires builder_readable(b);
    assigns \nothing;
    ensures \result == \null || (\valid_read(\result) && \valid_read(\result->config)); */
static const struct plan_partition *cpu_owner(const struct builder *b, uint32_t cpu)
{
    /*@ loop invariant 0 <= i <= b->plan->partition_count;
        loop assigns i;
        loop variant b->plan->partition_count - i; */
    for (uint32_t i = 0; i < b->plan->partition_count; i++)
        if (b->accepted[i] && has_cpu(&b->plan->partitions[i], cpu))
            return &b->plan->partitions[i];
    return NULL;
}

/* Hyperthreads of one core share its caches, buffers and predictors: two partitions get them only when told to. */
/*@ requires builder_readable(b) && slot_readable(slot, b->machine) && cpu < b->machine->cpu_count;
    assigns \nothing; */
static bool is_core_free(const struct builder *b, const struct plan_partition *slot, uint32_t cpu)
{
    /*@ loop invariant 0 <= other <= b->machine->cpu_count;
        loop assigns other;
        loop variant b->machine->cpu_count - other; */
    for (uint32_t other = 0; !b->plan->share_cores && other < b->machine->cpu_count; other++) {
        const struct plan_partition *owner = cpu_owner(b, other);
        if (owner == NULL || b->machine->cpus[other].core != b->machine->cpus[cpu].core)
            continue;
        return refuse(b, slot, slot->config->cpus_place,
                      "CPU %u is a hyperthread of the same core as CPU %u of partition '%s' (line %u): give both to "
                      "one partition, or write share_cores = yes under [box]\n",
                      cpu, other, owner->config->name, owner->config->cpus_place.line);
    }
    return true;
}

/*@ requires builder_readable(b) && slot_readable(slot, b->machine);
    assigns \nothing; */
static bool may_have_cpu(const struct builder *b, const struct plan_partition *slot, uint32_t cpu)
{
    struct config_place place = slot->config->cpus_place;
    const struct plan_partition *owner = cpu_owner(b, cpu);
    if (!cpu_exists(b->machine, cpu)) {
        (void)refuse(b, slot, place, "CPU %u ", cpu);
        print_missing_cpu(b, cpu);
        return false;
    }
    if (owner != NULL)
        return refuse(b, slot, place, "CPU %u belongs to partition '%s' already (line %u)\n", cpu, owner->config->name,
                      owner->config->cpus_place.line);
    if (has_cpu(slot, cpu))
        return refuse(b, slot, place, "CPU %u is listed twice\n", cpu);
    return is_core_free(b, slot, cpu);
}

/*@ requires slot_filled(b, slot) && slot->cpu_count == 0;
    assigns slot->cpu_count, slot->cpus[0 .. CONFIG_MAX_CPUS - 1];
    ensures slot_filled(b, slot); */
static bool claim_cpus(const struct builder *b, struct plan_partition *slot)
{
    const struct config_partition *config = slot->config;
    if (config->cpu_count == 0 || config->cpu_count > CONFIG_MAX_CPUS)
        return refuse(b, slot, config->place, "%u CPUs: expected 1 to %d\n", config->cpu_count, CONFIG_MAX_CPUS);
    /*@ loop invariant 0 <= i <= config->cpu_count && slot->cpu_count == i && slot_filled(b, slot);
        loop assigns i, slot->cpu_count, slot->cpus[0 .. CONFIG_MAX_CPUS - 1];
        loop variant config->cpu_count - i; */
    for (uint32_t i = 0; i < config->cpu_count; i++) {
        if (!may_have_cpu(b, slot, config->cpus[i]))
            return false;
        slot->cpus[i] = config->cpus[i];
        slot->cpu_count = i + 1;
    }
    return true;
}

/*@ requires builder_readable(b) && slot_readable(slot, b->machine) && \valid_read(name) && \valid(out);
    requires \separated(out, b) && \separated(out, b->machine) && \separated(out, name);
    assigns *out;
    ensures \result ==> 0 <= *out < b->machine->module_count;
    ensures !\result ==> *out == \old(*out); */
static bool find_module(const struct builder *b, const struct plan_partition *slot, const char *what,
                        const struct config_text *name, int *out)
{
    const struct machine *machine = b->machine;
    int found = name->text.length != 0 ? machine_find_module(machine, name->text) : -1;
    if (found >= 0) {
        *out = found;
        return true;
    }
    (void)refuse(b, slot, name->place.line != 0 ? name->place : slot->config->place,
                 "%s '%.*s': no such module (modules: ", what, (int)name->text.length, name->text.at);
    /*@ loop invariant 0 <= i <= machine->module_count;
        loop assigns i;
        loop variant machine->module_count - i; */
    for (uint32_t i = 0; i < machine->module_count; i++)
        sink_print(b->errors, "%s%s", i == 0 ? "" : ", ", machine->modules[i].name);
    sink_print(b->errors, "%s)\n", machine->module_count == 0 ? "none" : "");
    return false;
}

/*@ requires slot_filled(b, slot) && slot->config->module_count <= CONFIG_MAX_MODULES;
    assigns slot->kernel, slot->initrd, slot->modules[0 .. CONFIG_MAX_MODULES - 1];
    ensures slot_filled(b, slot); */
static bool find_modules(const struct builder *b, struct plan_partition *slot)
{
    const struct config_partition *config = slot->config;
    if (!find_module(b, slot, "kernel", &config->kernel, &slot->kernel))
        return false;
    if (config->initrd.place.line != 0 && !find_module(b, slot, "initrd", &config->initrd, &slot->initrd))
        return false;
    /*@ loop invariant 0 <= i <= config->module_count && slot_filled(b, slot);
        loop assigns i, slot->modules[0 .. CONFIG_MAX_MODULES - 1];
        loop variant config->module_count - i; */
    for (uint32_t i = 0; i < config->module_count; i++)
        if (!find_module(b, slot, "module", &config->modules[i], &slot->modules[i]))
            return false;
    return true;
}

/* Direct interrupts need x2APIC: without it a guest's local APIC is a page that also sends to other partitions' CPUs.
 */
/*@ requires slot_filled(b, slot);
    assigns slot->virtual_interrupts;
    ensures slot_filled(b, slot); */
static bool decide_interrupts(const struct builder *b, struct plan_partition *slot)
{
    const struct config_partition *config = slot->config;
    const struct cpu_caps *caps = &b->machine->caps;
    /* A guest with direct interrupts gives its CPU back by a timer of the backend, or not at all. */
    bool console_starves = !caps->guest_timer && has_cpu(slot, b->plan->console_cpu);
    bool possible = caps->x2apic && !console_starves;
    /* Firmware drives the local APIC through its page of memory, as after reset. */
    bool preferred = possible && config->boot != BOOT_FIRMWARE;
    slot->virtual_interrupts =
        config->interrupts == INTERRUPTS_VIRTUAL || (config->interrupts == INTERRUPTS_ANY && !preferred);
    if (slot->virtual_interrupts || possible)
        return true;
    struct config_place place = config->interrupts_place.line != 0 ? config->interrupts_place : config->place;
    if (!caps->x2apic)
        return refuse(b, slot, place,
                      "interrupts = direct needs CPUs with x2APIC, which this box does not have (write virtual, or "
                      "any)\n");
    return refuse(b, slot, place,
                  "interrupts = direct on CPU %u would leave the console unserved: this box's CPUs have no timer for "
                  "it (write virtual, or any, or another console_cpu)\n",
                  b->plan->console_cpu);
}

/* ---- the whole ---- */

/* Gives back what was set aside for partitions that are not in the plan. */
/*@ requires builder_readable(b) && \valid(b->plan);
    assigns b->plan->partitions[0 .. CONFIG_MAX_PARTITIONS - 1].chunk_count;
    ensures builder_readable(b);
    ensures \forall integer p; 0 <= p < b->plan->partition_count && \old(b->plan->partitions[p].chunk_count) == 0 ==>
      b->plan->partitions[p].chunk_count == 0; */
static void release_refused(struct builder *b)
{
    /*@ loop invariant 0 <= i <= b->plan->partition_count && builder_readable(b);
        loop invariant \forall integer p; 0 <= p < b->plan->partition_count &&
          \at(b->plan->partitions[p].chunk_count, Pre) == 0 ==> b->plan->partitions[p].chunk_count == 0;
        loop assigns i, b->plan->partitions[0 .. CONFIG_MAX_PARTITIONS - 1].chunk_count;
        loop variant b->plan->partition_count - i; */
    for (uint32_t i = 0; i < b->plan->partition_count; i++)
        if (!b->accepted[i])
            b->plan->partitions[i].chunk_count = 0;
}

/* The plan's next slot, with nothing decided yet. */
/*@ requires builder_readable(b) && \valid(b->plan) && b->plan->partition_count < CONFIG_MAX_PARTITIONS;
    requires \valid_read(config) && \separated(config, b->plan) && \separated(config, b);
    assigns b->plan->partition_count, b->plan->partitions[0 .. CONFIG_MAX_PARTITIONS - 1];
    ensures slot_filled(b, \result) && \result->config == config;
    ensures \result->cpu_count == 0 && \result->chunk_count == 0;
    ensures b->plan->partition_count == \old(b->plan->partition_count) + 1; */
static struct plan_partition *next_slot(const struct builder *b, const struct config_partition *config)
{
    struct plan_partition *slot = &b->plan->partitions[b->plan->partition_count];
    memset(slot, 0, sizeof *slot);
    /*@ assert slot->cpu_count == 0 && slot->chunk_count == 0; */
    /*@ assert builder_readable(b); */
    slot->config = config;
    /*@ assert builder_readable(b); */
    slot->kernel = slot->initrd = PLAN_NO_MODULE;
    /*@ assert slot_readable(slot, b->machine) && slot->chunk_count == 0; */
    /*@ assert builder_readable(b); */
    b->plan->partition_count++;
    return slot;
}

/*
 * Finds the partition's memory. A refused partition's memory stays set aside as long as nobody else needs it, so that
 * the others lie where they will lie once its mistake is corrected.
 */
/*@ requires slot_filled(b, slot) && \valid(b->plan) && slot->chunk_count == 0;
    assigns b->plan->partitions[0 .. CONFIG_MAX_PARTITIONS - 1].chunk_count,
      slot->chunks[0 .. PLAN_MAX_CHUNKS - 1];
    ensures slot_filled(b, slot); */
static bool place(struct builder *b, struct plan_partition *slot, bool wanted)
{
    if (plan_carve(b->plan, b->machine, slot))
        return true;
    if (!wanted)
        return false;
    release_refused(b);
    bool placed = plan_carve(b->plan, b->machine, slot);
    /*@ assert slot_filled(b, slot); */
    if (!placed)
        print_memory_refusal(b, slot);
    return placed;
}

/* Decides one partition; false when it is left out with a message. */
/*@ requires builder_readable(b) && \valid(b) && \valid(b->plan) && b->plan->partition_count < CONFIG_MAX_PARTITIONS;
    requires \valid_read(config) && config->module_count <= CONFIG_MAX_MODULES;
    requires \separated(config, b->plan) && \separated(config, b);
    assigns b->plan->partition_count, b->plan->partitions[0 .. CONFIG_MAX_PARTITIONS - 1],
      b->accepted[0 .. CONFIG_MAX_PARTITIONS - 1];
    ensures builder_readable(b);
    ensures b->plan->partition_count == \old(b->plan->partition_count) + 1; */
static bool decide(struct builder *b, const struct config_partition *config)
{
    struct plan_partition *slot = next_slot(b, config);
    bool wanted = !config->refused && claim_cpus(b, slot) && decide_interrupts(b, slot) && find_modules(b, slot);
    bool accepted = place(b, slot, wanted) && wanted;
    b->accepted[b->plan->partition_count - 1] = accepted;
    return accepted || config->refused;
}

/*@ requires \valid_read(b) && machine_readable(b->machine) && \valid_read(config);
    assigns \nothing; */
static uint32_t decide_console_cpu(const struct builder *b, const struct config *config)
{
    if (cpu_exists(b->machine, config->console_cpu))
        return config->console_cpu;
    print_place(b, config->console_cpu_place);
    sink_print(b->errors, "console_cpu: using CPU 0: CPU %u ", config->console_cpu);
    print_missing_cpu(b, config->console_cpu);
    return 0;
}

unsigned plan_build(const char *file, const struct config *config, const struct machine *machine, struct plan *out,
                    struct sink *errors)
{
    struct builder b = {.file = file, .machine = machine, .plan = out, .errors = errors};
    unsigned left_out = 0;
    memset(out, 0, sizeof *out);
    out->console_cpu = decide_console_cpu(&b, config);
    out->share_cores = config->share_cores;
    /*@ loop invariant 0 <= i <= CONFIG_MAX_PARTITIONS && left_out <= i && builder_readable(&b);
        loop invariant out->partition_count == i;
        loop assigns i, left_out, out->partition_count, out->partitions[0 .. CONFIG_MAX_PARTITIONS - 1],
          b.accepted[0 .. CONFIG_MAX_PARTITIONS - 1];
        loop variant CONFIG_MAX_PARTITIONS - i; */
    for (uint32_t i = 0; i < config->partition_count && i < CONFIG_MAX_PARTITIONS; i++)
        left_out += !decide(&b, &config->partitions[i]);

    uint32_t decided = out->partition_count, kept = 0;
    /*@ loop invariant 0 <= kept <= i <= decided <= CONFIG_MAX_PARTITIONS;
        loop assigns i, kept, out->partitions[0 .. CONFIG_MAX_PARTITIONS - 1];
        loop variant decided - i; */
    for (uint32_t i = 0; i < decided; i++)
        if (b.accepted[i])
            out->partitions[kept++] = out->partitions[i];
    out->partition_count = kept;
    return left_out;
}
