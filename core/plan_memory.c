/*
 * Which memory is free, and which of it a partition gets.
 *
 * Free memory is never kept in a list: it is what the machine's map offers minus everything that is taken, looked up
 * each time.
 */
#include "core/plan_memory.h"

enum { LOW_MEMORY_END = 1024 * 1024 }; /* firmware data, the CPUs' start-up code, legacy ROMs: nobody's RAM */

enum {
    HOST_ADDRESS_BITS_MAX = 52,  /* the architecture's limit to MAXPHYADDR */
    GUEST_ADDRESS_BITS_MAX = 48, /* what four levels of nested tables translate */
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

uint64_t plan_free_total(const struct plan *plan, const struct machine *machine)
{
    uint64_t total = 0;
    struct range run = {0, 0};
    while (plan_free_next(plan, machine, range_end(run), &run))
        total += run.size; /* disjoint ranges below 2^64: the sum cannot wrap */
    return total;
}

/* ---- memory of one partition ---- */

/*
 * The best place for `want` bytes that begins on a `page` boundary: as much in one piece as there is (all of it, or
 * whole pages), and of the runs that offer this the tightest, so that large runs stay whole for those who need them.
 */
static bool best_piece(const struct plan *plan, const struct machine *machine, uint64_t page, uint64_t want,
                       struct range *out)
{
    struct range best = {0, 0};
    struct range run = {0, 0};
    uint64_t tightest = 0;
    while (plan_free_next(plan, machine, range_end(run), &run)) {
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
    if (slot->chunk_count >= PLAN_MAX_CHUNKS)
        return false;
    slot->chunks[slot->chunk_count++] = (struct plan_chunk){gpa(guest), hpa(piece.base), piece.size};
    return true;
}

/* `guest` is 1 GiB-aligned, or the run is a firmware's; whole pages of one size before any smaller one keep what
 * follows aligned as well. */
static bool carve_run(const struct plan *plan, const struct machine *machine, struct plan_partition *slot,
                      uint64_t guest, uint64_t size)
{
    const struct cpu_caps *caps = &machine->caps;
    const uint64_t pages[] = {caps->nested_1g ? PAGE_SIZE_1G : 0, caps->nested_2m ? PAGE_SIZE_2M : 0, PAGE_SIZE};
    for (size_t i = 0; i < array_size(pages); i++) {
        struct range piece;
        while (pages[i] != 0 && size >= pages[i] && best_piece(plan, machine, pages[i], size, &piece)) {
            if (!add_piece(slot, guest, piece))
                return false;
            guest += piece.size;
            size -= piece.size;
        }
    }
    return size == 0;
}

static uint64_t low_part(uint64_t memory) { return memory < PLAN_LOW_RAM_END ? memory : PLAN_LOW_RAM_END; }

uint64_t plan_firmware_part(const struct machine *machine, const struct plan_partition *slot)
{
    if (slot->config->boot != BOOT_FIRMWARE || slot->kernel == PLAN_NO_MODULE)
        return 0;
    uint64_t size = machine->modules[slot->kernel].range.size;
    return size <= PLAN_FIRMWARE_MAX ? align_down(size + PAGE_SIZE - 1, PAGE_SIZE) : 0;
}

bool plan_is_addressable(const struct machine *machine, uint64_t memory)
{
    uint64_t limit = address_limit(machine, GUEST_ADDRESS_BITS_MAX);
    uint64_t high = memory - low_part(memory);
    return memory <= limit && (high == 0 || (limit > PLAN_HIGH_RAM_BASE && high <= limit - PLAN_HIGH_RAM_BASE));
}

bool plan_carve(const struct plan *plan, const struct machine *machine, struct plan_partition *slot)
{
    uint64_t memory = slot->config->memory;
    uint64_t low = low_part(memory);
    uint64_t firmware = plan_firmware_part(machine, slot);
    bool done = memory != 0 && is_aligned(memory, PAGE_SIZE) && plan_is_addressable(machine, memory) &&
                carve_run(plan, machine, slot, 0, low) &&
                carve_run(plan, machine, slot, PLAN_FIRMWARE_END - firmware, firmware) &&
                carve_run(plan, machine, slot, PLAN_HIGH_RAM_BASE, memory - low);
    if (!done)
        slot->chunk_count = 0;
    return done;
}
