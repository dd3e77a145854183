/*
 * Which memory is free, and which of it a partition gets.
 *
 * Free memory is never kept in a list: it is what the machine's map offers minus everything that is taken, looked up
 * each time.
 */
#include "core/plan_memory.h"

enum { LOW_MEMORY_END = 1024 * 1024 }; /* firmware data, the CPUs' start-up code, legacy ROMs: nobody's RAM */

#define HOST_ADDRESS_LIMIT ((uint64_t)1 << 52)  /* the architecture's limit to MAXPHYADDR */
#define GUEST_ADDRESS_LIMIT ((uint64_t)1 << 48) /* what four levels of nested tables translate */

/*@ logic integer clipped_size(struct range r) =
      r.base + r.size <= UINT64_MAX ? r.size : UINT64_MAX - r.base;

    predicate offered(integer x, struct machine *m) = \exists integer i; 0 <= i < m->region_count &&
      m->regions[i].kind == MEMORY_USABLE &&
      m->regions[i].range.base <= x < m->regions[i].range.base + clipped_size(m->regions[i].range);

    predicate chunks_valid(struct plan_partition *p) = p->chunk_count <= PLAN_MAX_CHUNKS &&
      \forall integer i; 0 <= i < p->chunk_count ==> chunk_valid(p->chunks[i]); */

/* ---- free memory ---- */

/* One more than the largest number that taken_range knows. */
#define TAKEN_MAX (3 + MACHINE_MAX_MODULES + MACHINE_MAX_REGIONS + CONFIG_MAX_PARTITIONS * PLAN_MAX_CHUNKS)

/* Foreign maps may hold ranges that pass the end of the address space: those are cut there. */
/*@ assigns \nothing;
    ensures valid(\result) && \result.base == r.base && \result.size == clipped_size(r); */
static struct range clipped(struct range r)
{
    if (!range_valid(r))
        r.size = UINT64_MAX - r.base;
    return r;
}

/* One past the last address that this CPU has, or `max` where that is less. */
/*@ requires \valid_read(machine);
    assigns \nothing;
    ensures \result <= max; */
static uint64_t address_limit(const struct machine *machine, uint64_t max)
{
    uint32_t bits = machine->caps.physical_bits;
    if (bits >= 64)
        return max;
    /*@ assert (uint64_t)(1 << bits) == 1 << bits; */
    uint64_t limit = (uint64_t)1 << bits;
    return limit < max ? limit : max;
}

/* Host memory of one chunk; empty when the partition has fewer. */
/*@ requires \valid_read(partition) && index < PLAN_MAX_CHUNKS;
    requires index < partition->chunk_count ==> chunk_valid(partition->chunks[index]);
    assigns \nothing;
    ensures valid(\result); */
static struct range chunk_range(const struct plan_partition *partition, uint32_t index)
{
    if (index >= partition->chunk_count)
        return (struct range){0, 0};
    return (struct range){partition->chunks[index].hpa.raw, partition->chunks[index].size};
}

/* Number `index` of everything that may not be given away; false past the last one. Empty ranges are possible. */
/*@ requires plan_readable(plan) && machine_readable(machine) && \valid(out) && \separated(out, plan, machine);
    assigns *out;
    ensures \result ==> valid(*out);
    ensures \result ==> \old(index) < TAKEN_MAX; */
static bool taken_range(const struct plan *plan, const struct machine *machine, uint32_t index, struct range *out)
{
    uint64_t limit = address_limit(machine, HOST_ADDRESS_LIMIT);
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
    *out = chunk_range(&plan->partitions[index / PLAN_MAX_CHUNKS], index % PLAN_MAX_CHUNKS);
    return true;
}

/* The first address from *at on that is in usable memory. */
/*@ requires machine_readable(machine) && \valid(at) && \separated(at, machine);
    assigns *at;
    ensures \result ==> *at >= \old(*at) && offered(*at, machine); */
static bool skip_to_usable(const struct machine *machine, uint64_t *at)
{
    bool found = false;
    uint64_t best = 0;
    /*@ loop invariant 0 <= i <= machine->region_count;
        loop invariant found ==> best >= *at && offered(best, machine);
        loop assigns i, found, best;
        loop variant machine->region_count - i; */
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
/*@ requires machine_readable(machine);
    assigns \nothing;
    ensures \result >= at && (offered(at, machine) ==> \result > at); */
static uint64_t usable_end(const struct machine *machine, uint64_t at)
{
    uint32_t i = 0;
    /*@ loop invariant 0 <= i <= machine->region_count && at >= \at(at, Pre);
        loop invariant \forall integer k; at == \at(at, Pre) && 0 <= k < i &&
          machine->regions[k].kind == MEMORY_USABLE ==> !(machine->regions[k].range.base <= at <
            machine->regions[k].range.base + clipped_size(machine->regions[k].range));
        loop assigns i, at;
        loop variant (UINT64_MAX - at) * (MACHINE_MAX_REGIONS + 1) + machine->region_count - i; */
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
/*@ requires plan_readable(plan) && machine_readable(machine) && \valid(until) && \separated(until, plan, machine);
    requires *until > at;
    assigns *until;
    ensures *until > at && (!\result ==> *until <= \old(*until)); */
static bool is_taken(const struct plan *plan, const struct machine *machine, uint64_t at, uint64_t *until)
{
    struct range taken;
    /*@ loop invariant 0 <= i <= TAKEN_MAX;
        loop invariant at < *until <= \at(*until, Pre);
        loop assigns i, taken, *until;
        loop variant TAKEN_MAX - i; */
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
    /*@ loop invariant at >= from;
        loop assigns at, *out;
        loop variant UINT64_MAX - at; */
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
    /*@ loop invariant valid(run) && total <= run.base + run.size;
        loop assigns total, run;
        loop variant UINT64_MAX - run.base - run.size; */
    while (plan_free_next(plan, machine, range_end(run), &run))
        total += run.size; /* disjoint ranges below 2^64: the sum cannot wrap */
    return total;
}

/* ---- memory of one partition ---- */

/*
 * The best place for `want` bytes that begins on a `page` boundary: as much in one piece as there is (all of it, or
 * whole pages), and of the runs that offer this the tightest, so that large runs stay whole for those who need them.
 */
/*@ requires plan_readable(plan) && machine_readable(machine) && 0 < page <= want;
    requires \valid(out) && \separated(out, plan, machine);
    assigns *out;
    ensures \result ==> 0 < out->size <= want && valid(*out); */
static bool best_piece(const struct plan *plan, const struct machine *machine, uint64_t page, uint64_t want,
                       struct range *out)
{
    struct range best = {0, 0};
    struct range run = {0, 0};
    uint64_t tightest = 0;
    /*@ loop invariant valid(run) && valid(best) && best.size <= want;
        loop assigns run, best, tightest;
        loop variant UINT64_MAX - run.base - run.size; */
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
/*@ requires \valid(slot) && valid(piece) && guest + piece.size <= UINT64_MAX && chunks_valid(slot);
    assigns slot->chunk_count, slot->chunks[0 .. PLAN_MAX_CHUNKS - 1];
    ensures chunks_valid(slot); */
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
/*@ requires slot_usable(plan, machine, slot) && chunks_valid(slot) && guest + size <= UINT64_MAX;
    assigns slot->chunk_count, slot->chunks[0 .. PLAN_MAX_CHUNKS - 1];
    ensures slot_usable(plan, machine, slot) && chunks_valid(slot); */
static bool carve_run(const struct plan *plan, const struct machine *machine, struct plan_partition *slot,
                      uint64_t guest, uint64_t size)
{
    const struct cpu_caps *caps = &machine->caps;
    const uint64_t pages[] = {caps->nested_1g ? PAGE_SIZE_1G : 0, caps->nested_2m ? PAGE_SIZE_2M : 0, PAGE_SIZE};
    /*@ loop invariant 0 <= i <= 3 && guest + size == \at(guest + size, Pre);
        loop invariant slot_usable(plan, machine, slot) && chunks_valid(slot);
        loop assigns i, guest, size, slot->chunk_count, slot->chunks[0 .. PLAN_MAX_CHUNKS - 1];
        loop variant 3 - i; */
    for (size_t i = 0; i < array_size(pages); i++) {
        struct range piece;
        /*@ loop invariant guest + size == \at(guest + size, Pre);
            loop invariant slot_usable(plan, machine, slot) && chunks_valid(slot);
            loop assigns piece, guest, size, slot->chunk_count, slot->chunks[0 .. PLAN_MAX_CHUNKS - 1];
            loop variant size; */
        while (pages[i] != 0 && size >= pages[i] && best_piece(plan, machine, pages[i], size, &piece)) {
            if (!add_piece(slot, guest, piece))
                return false;
            guest += piece.size;
            size -= piece.size;
        }
    }
    return size == 0;
}

/*@ assigns \nothing;
    ensures \result <= memory && \result <= PLAN_LOW_RAM_END; */
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
    uint64_t limit = address_limit(machine, GUEST_ADDRESS_LIMIT);
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
