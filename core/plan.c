/*
 * Builds the plan: which partition gets which CPUs, which memory and which boot modules.
 *
 * Partitions are decided in the order of the configuration, so where one lies depends only on those above it. Free
 * memory is never kept in a list: it is what the machine's map offers minus everything that is taken, looked up each
 * time.
 */
#include "core/plan.h"

enum { LOW_MEMORY_END = 1024 * 1024 }; /* firmware data, the CPUs' start-up code, legacy ROMs: nobody's RAM */

enum {
    HOST_ADDRESS_BITS_MAX = 52,  /* the architecture's limit to MAXPHYADDR */
    GUEST_ADDRESS_BITS_MAX = 48, /* what four levels of nested tables translate */
};

struct builder {
    const char *file;
    const struct machine *machine;
    struct plan *plan; /* one slot per configured partition until the build ends */
    struct sink *errors;
    bool accepted[CONFIG_MAX_PARTITIONS]; /* by slot */
};

/* ---- free memory ---- */

/* Foreign maps may hold ranges that pass the end of the address space: those are cut there. */
static struct range clipped(struct range r)
{
    if (!range_valid(r))
        r.size = UINT64_MAX - r.base;
    return r;
}

/* One past the last address of this many bits. */
static uint64_t address_limit(const struct machine *machine, uint32_t bits_max)
{
    uint32_t bits = machine->caps.physical_bits;
    return (uint64_t)1 << (bits < bits_max ? bits : bits_max);
}

/* Number `index` of everything that may not be given away; false past the last one. Empty ranges are possible. */
static bool taken_range(const struct plan *plan, const struct machine *machine, uint32_t index, struct range *out)
{
    uint64_t limit = address_limit(machine, HOST_ADDRESS_BITS_MAX);
    const struct range fixed[] = {{0, LOW_MEMORY_END}, {limit, UINT64_MAX - limit}, clipped(machine->hypervisor)};
    if (index < array_size(fixed)) {
        *out = fixed[index];
        return true;
    }
    index -= (uint32_t)array_size(fixed);
    if (index < machine->module_count) {
        *out = clipped(machine->modules[index].range);
        return true;
    }
    index -= machine->module_count;
    if (index < machine->region_count) {
        const struct machine_region *region = &machine->regions[index];
        *out = region->kind == MEMORY_USABLE ? (struct range){0, 0} : clipped(region->range);
        return true;
    }
    index -= machine->region_count;
    if (index >= plan->partition_count * PLAN_MAX_CHUNKS)
        return false;
    const struct plan_partition *partition = &plan->partitions[index / PLAN_MAX_CHUNKS];
    const struct plan_chunk *chunk = &partition->chunks[index % PLAN_MAX_CHUNKS];
    bool used = index % PLAN_MAX_CHUNKS < partition->chunk_count;
    *out = used ? (struct range){chunk->hpa.raw, chunk->size} : (struct range){0, 0};
    return true;
}

/* The first address from *at on that is in usable memory. */
static bool skip_to_usable(const struct machine *machine, uint64_t *at)
{
    bool found = false;
    uint64_t best = 0;
    for (uint32_t i = 0; i < machine->region_count; i++) {
        struct range r = clipped(machine->regions[i].range);
        uint64_t first = r.base > *at ? r.base : *at;
        if (machine->regions[i].kind == MEMORY_USABLE && range_contains(r, first) && (!found || first < best)) {
            found = true;
            best = first;
        }
    }
    *at = best;
    return found;
}

/* One past the last byte of usable memory that follows `at` without a gap, across regions that touch or overlap. */
static uint64_t usable_end(const struct machine *machine, uint64_t at)
{
    uint32_t i = 0;
    while (i < machine->region_count) {
        struct range r = clipped(machine->regions[i].range);
        if (machine->regions[i].kind == MEMORY_USABLE && range_contains(r, at)) {
            at = range_end(r);
            i = 0; /* the map need not be sorted */
        } else {
            i++;
        }
    }
    return at;
}

/* Whether `at` is taken, and until where; if not, *until is the next taken address (at most the given *until). */
static bool is_taken(const struct plan *plan, const struct machine *machine, uint64_t at, uint64_t *until)
{
    struct range taken;
    for (uint32_t i = 0; taken_range(plan, machine, i, &taken); i++) {
        if (range_contains(taken, at)) {
            *until = range_end(taken);
            return true;
        }
        if (taken.size != 0 && taken.base > at && taken.base < *until)
            *until = taken.base;
    }
    return false;
}

bool plan_free_next(const struct plan *plan, const struct machine *machine, uint64_t from, struct range *out)
{
    uint64_t at = from;
    while (skip_to_usable(machine, &at)) {
        uint64_t end = usable_end(machine, at);
        bool taken = is_taken(plan, machine, at, &end);
        uint64_t first;
        if (!taken && align_up(at, PAGE_SIZE, &first) && first < align_down(end, PAGE_SIZE)) {
            *out = (struct range){first, align_down(end, PAGE_SIZE) - first};
            return true;
        }
        at = end; /* always further on than before */
    }
    return false;
}

static uint64_t free_total(const struct builder *b)
{
    uint64_t total = 0;
    struct range run = {0, 0};
    while (plan_free_next(b->plan, b->machine, range_end(run), &run))
        total += run.size; /* disjoint ranges below 2^64: the sum cannot wrap */
    return total;
}

/* ---- memory of one partition ---- */

/*
 * The best place for `want` bytes that begins on a `page` boundary: as much in one piece as there is (all of it, or
 * whole pages), and of the runs that offer this the tightest, so that large runs stay whole for those who need them.
 */
static bool best_piece(const struct builder *b, uint64_t page, uint64_t want, struct range *out)
{
    struct range best = {0, 0};
    struct range run = {0, 0};
    uint64_t tightest = 0;
    while (plan_free_next(b->plan, b->machine, range_end(run), &run)) {
        uint64_t first;
        if (!align_up(run.base, page, &first) || !range_contains(run, first))
            continue;
        uint64_t room = range_end(run) - first;
        uint64_t take = room >= want ? want : align_down(room, page);
        if (take > best.size || (take == best.size && take != 0 && run.size < tightest)) {
            best = (struct range){first, take};
            tightest = run.size;
        }
    }
    *out = best;
    return best.size != 0;
}

/* Appends a piece; one that continues the last chunk on both sides becomes part of it. */
static bool add_piece(struct plan_partition *slot, uint64_t guest, struct range piece)
{
    if (slot->chunk_count != 0) {
        struct plan_chunk *last = &slot->chunks[slot->chunk_count - 1];
        if (last->gpa.raw + last->size == guest && last->hpa.raw + last->size == piece.base) {
            last->size += piece.size;
            return true;
        }
    }
    if (slot->chunk_count == PLAN_MAX_CHUNKS)
        return false;
    slot->chunks[slot->chunk_count++] = (struct plan_chunk){gpa(guest), hpa(piece.base), piece.size};
    return true;
}

/* `guest` is 1 GiB-aligned; whole pages of one size before any smaller one keep what follows aligned as well. */
static bool carve_run(const struct builder *b, struct plan_partition *slot, uint64_t guest, uint64_t size)
{
    const struct cpu_caps *caps = &b->machine->caps;
    const uint64_t pages[] = {caps->nested_1g ? PAGE_SIZE_1G : 0, caps->nested_2m ? PAGE_SIZE_2M : 0, PAGE_SIZE};
    for (size_t i = 0; i < array_size(pages); i++) {
        struct range piece;
        while (pages[i] != 0 && size >= pages[i] && best_piece(b, pages[i], size, &piece)) {
            if (!add_piece(slot, guest, piece))
                return false;
            guest += piece.size;
            size -= piece.size;
        }
    }
    return size == 0;
}

static uint64_t low_part(uint64_t memory) { return memory < PLAN_LOW_RAM_END ? memory : PLAN_LOW_RAM_END; }

/* Whether that much RAM, with the hole in it, has guest-physical addresses that the CPU can form. */
static bool is_addressable(const struct machine *machine, uint64_t memory)
{
    uint64_t limit = address_limit(machine, GUEST_ADDRESS_BITS_MAX);
    uint64_t high = memory - low_part(memory);
    return memory <= limit && (high == 0 || (limit > PLAN_HIGH_RAM_BASE && high <= limit - PLAN_HIGH_RAM_BASE));
}

/* All of a partition's memory or, when that cannot be had, none. */
static bool carve(const struct builder *b, struct plan_partition *slot)
{
    uint64_t memory = slot->config->memory;
    uint64_t low = low_part(memory);
    bool done = memory != 0 && is_aligned(memory, PAGE_SIZE) && is_addressable(b->machine, memory) &&
                carve_run(b, slot, 0, low) && carve_run(b, slot, PLAN_HIGH_RAM_BASE, memory - low);
    if (!done)
        slot->chunk_count = 0;
    return done;
}

/* ---- messages ---- */

static void print_place(const struct builder *b, struct config_place place)
{
    sink_print(b->errors, "%s:%u:%u: ", b->file, place.line, place.column);
}

/* Begins the one line that says why a partition is left out. */
static void print_refusal(const struct builder *b, const struct plan_partition *slot, struct config_place place)
{
    print_place(b, place);
    sink_print(b->errors, "partition '%s': ", slot->config->name);
}

static void print_missing_cpu(const struct builder *b, uint32_t cpu)
{
    uint32_t count = b->machine->cpu_count;
    if (cpu < count)
        sink_print(b->errors, "CPU %u is not online (it did not answer its start-up IPI)\n", cpu);
    else if (count == 1)
        sink_print(b->errors, "CPU %u is not there (this box has CPU 0)\n", cpu);
    else
        sink_print(b->errors, "CPU %u is not there (this box has CPUs 0-%u)\n", cpu, count - 1);
}

static void print_memory_refusal(const struct builder *b, const struct plan_partition *slot)
{
    uint64_t memory = slot->config->memory;
    uint64_t available = free_total(b);
    print_refusal(b, slot, slot->config->memory_place);
    sink_print(b->errors, "memory ");
    sink_print_size(b->errors, memory);
    if (memory == 0 || !is_aligned(memory, PAGE_SIZE)) {
        sink_print(b->errors, ": expected a multiple of 4 KiB above 0\n");
        return;
    }
    sink_print(b->errors, ": ");
    sink_print_size(b->errors, available);
    if (available < memory)
        sink_print(b->errors, " are free\n");
    else if (!is_addressable(b->machine, memory))
        sink_print(b->errors, " are free, but this CPU has guest addresses of %u bits\n",
                   b->machine->caps.physical_bits);
    else
        sink_print(b->errors, " are free, but in more than %d pieces\n", PLAN_MAX_CHUNKS);
}

/* ---- CPUs and modules of one partition ---- */

static bool cpu_exists(const struct machine *machine, uint32_t cpu)
{
    return cpu < machine->cpu_count && machine->cpus[cpu].online;
}

static bool has_cpu(const struct plan_partition *slot, uint32_t cpu)
{
    for (uint32_t i = 0; i < slot->cpu_count; i++)
        if (slot->cpus[i] == cpu)
            return true;
    return false;
}

static const struct plan_partition *cpu_owner(const struct builder *b, uint32_t cpu)
{
    for (uint32_t i = 0; i < b->plan->partition_count; i++)
        if (b->accepted[i] && has_cpu(&b->plan->partitions[i], cpu))
            return &b->plan->partitions[i];
    return NULL;
}

static bool claim_cpu(const struct builder *b, struct plan_partition *slot, uint32_t cpu)
{
    struct config_place place = slot->config->cpus_place;
    const struct plan_partition *owner = cpu_owner(b, cpu);
    if (!cpu_exists(b->machine, cpu)) {
        print_refusal(b, slot, place);
        print_missing_cpu(b, cpu);
        return false;
    }
    if (owner != NULL || has_cpu(slot, cpu)) {
        print_refusal(b, slot, place);
        if (owner != NULL)
            sink_print(b->errors, "CPU %u belongs to partition '%s' already (line %u)\n", cpu, owner->config->name,
                       owner->config->cpus_place.line);
        else
            sink_print(b->errors, "CPU %u is listed twice\n", cpu);
        return false;
    }
    slot->cpus[slot->cpu_count++] = cpu;
    return true;
}

static bool claim_cpus(const struct builder *b, struct plan_partition *slot)
{
    const struct config_partition *config = slot->config;
    if (config->cpu_count == 0 || config->cpu_count > CONFIG_MAX_CPUS) {
        print_refusal(b, slot, config->place);
        sink_print(b->errors, "%u CPUs: expected 1 to %d\n", config->cpu_count, CONFIG_MAX_CPUS);
        return false;
    }
    for (uint32_t i = 0; i < config->cpu_count; i++)
        if (!claim_cpu(b, slot, config->cpus[i]))
            return false;
    return true;
}

static bool find_module(const struct builder *b, const struct plan_partition *slot, const char *what,
                        const struct config_text *name, int *out)
{
    const struct machine *machine = b->machine;
    for (uint32_t i = 0; i < machine->module_count; i++) {
        if (name->text.length != 0 && slice_equals(name->text, machine->modules[i].name)) {
            *out = (int)i;
            return true;
        }
    }
    print_refusal(b, slot, name->place.line != 0 ? name->place : slot->config->place);
    sink_print(b->errors, "%s '%.*s': no such module (modules: ", what, (int)name->text.length, name->text.at);
    for (uint32_t i = 0; i < machine->module_count; i++)
        sink_print(b->errors, "%s%s", i == 0 ? "" : ", ", machine->modules[i].name);
    sink_print(b->errors, "%s)\n", machine->module_count == 0 ? "none" : "");
    return false;
}

static bool find_modules(const struct builder *b, struct plan_partition *slot)
{
    const struct config_partition *config = slot->config;
    if (!find_module(b, slot, "kernel", &config->kernel, &slot->kernel))
        return false;
    if (config->initrd.place.line != 0 && !find_module(b, slot, "initrd", &config->initrd, &slot->initrd))
        return false;
    for (uint32_t i = 0; i < config->module_count; i++)
        if (!find_module(b, slot, "module", &config->modules[i], &slot->modules[i]))
            return false;
    return true;
}

/* Direct interrupts need x2APIC: without it a guest's local APIC is a page that also sends to other partitions' CPUs. */
static bool decide_interrupts(const struct builder *b, struct plan_partition *slot)
{
    bool possible = b->machine->caps.x2apic;
    slot->virtual_interrupts = slot->config->interrupts == INTERRUPTS_VIRTUAL ||
                               (slot->config->interrupts == INTERRUPTS_ANY && !possible);
    if (slot->virtual_interrupts || possible)
        return true;
    struct config_place place = slot->config->interrupts_place;
    print_refusal(b, slot, place.line != 0 ? place : slot->config->place);
    sink_print(b->errors, "interrupts = direct needs CPUs with x2APIC, which this box does not have (write virtual, or "
                          "any)\n");
    return false;
}

/* ---- the whole ---- */

/* Gives back what was set aside for partitions that are not in the plan. */
static void release_refused(struct builder *b)
{
    for (uint32_t i = 0; i < b->plan->partition_count; i++)
        if (!b->accepted[i])
            b->plan->partitions[i].chunk_count = 0;
}

/*
 * Decides one partition; false when it is left out with a message. A refused partition's memory stays set aside as long
 * as nobody else needs it, so that the others lie where they will lie once its mistake is corrected.
 */
static bool decide(struct builder *b, const struct config_partition *config)
{
    uint32_t index = b->plan->partition_count++;
    struct plan_partition *slot = &b->plan->partitions[index];
    memset(slot, 0, sizeof *slot);
    slot->config = config;
    slot->kernel = slot->initrd = PLAN_NO_MODULE;

    bool wanted = !config->refused && decide_interrupts(b, slot) && claim_cpus(b, slot) && find_modules(b, slot);
    bool placed = carve(b, slot);
    if (wanted && !placed) {
        release_refused(b);
        placed = carve(b, slot);
        if (!placed)
            print_memory_refusal(b, slot);
    }
    b->accepted[index] = wanted && placed;
    return b->accepted[index] || config->refused;
}

static uint32_t decide_console_cpu(const struct builder *b, const struct config *config)
{
    if (cpu_exists(b->machine, config->console_cpu))
        return config->console_cpu;
    print_place(b, config->console_cpu_place);
    sink_print(b->errors, "console_cpu: using CPU 0: ");
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
    for (uint32_t i = 0; i < config->partition_count && i < CONFIG_MAX_PARTITIONS; i++)
        left_out += !decide(&b, &config->partitions[i]);

    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->partition_count; i++)
        if (b.accepted[i])
            memmove(&out->partitions[kept++], &out->partitions[i], sizeof out->partitions[i]);
    out->partition_count = kept;
    return left_out;
}
