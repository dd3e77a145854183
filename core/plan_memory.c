/*
 * Which memory is free, and which of it a partition gets.
 *
 * Free memory is never kept in a list: it is what the machine's map offers minus everything that is taken, looked up
 * each time.
 */
#include "core/plan_memory.h"

enum { LOW_MEMORY_END = 1024 * 1024 }; /* firmware data, the CPUs' start-up code, legacy ROMs: nobody's RAM */

#define HOST_ADDRESS_LIMIT  ((uint64_t)1 << 52) /* the architecture's limit to MAXPHYADDR */
#define GUEST_ADDRESS_LIMIT ((uint64_t)1 << 48) /* what four levels of nested tables translate */

/*@ predicate chunks_valid(struct plan_partition *p) = p->chunk_count <= PLAN_MAX_CHUNKS &&
      \forall integer i; 0 <= i < p->chunk_count ==> chunk_valid(p->chunks[i]); */

/* ---- free memory ---- */

/* Foreign maps may hold ranges that pass the end of the address space: those are cut there. */
/*@ assigns \nothing;
    ensures valid(\result); */
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

/* What is known of an address, and up to where the same is known of those that follow. */
struct view {
    uint64_t at;
    uint64_t until;
    bool usable;
    bool taken;
};

/*@ predicate view_valid(struct view *v) = \valid(v) && v->at < v->until; */

/* Takes in one range, which offers memory or takes it away. */
/*@ requires view_valid(view) && valid(range);
    assigns view->until, view->usable, view->taken;
    ensures view_valid(view); */
static void look_at(struct view *view, struct range range, bool offers)
{
    if (range_contains(range, view->at)) {
        view->usable = view->usable || offers;
        view->taken = view->taken || !offers;
        if (range_end(range) < view->until)
            view->until = range_end(range);
    } else if (range.size != 0 && range.base > view->at && range.base < view->until) {
        view->until = range.base;
    }
}

/* Whether `at` may be given away; the same holds of what follows, up to *until. */
/*@ requires plan_readable(plan) && machine_readable(machine) && at < UINT64_MAX;
    requires \valid(until) && \separated(until, plan, machine);
    assigns *until;
    ensures at < *until; */
static bool is_free(const struct plan *plan, const struct machine *machine, uint64_t at, uint64_t *until)
{
    struct view view = {.at = at, .until = UINT64_MAX};
    uint64_t limit = address_limit(machine, HOST_ADDRESS_LIMIT);
    look_at(&view, (struct range){0, LOW_MEMORY_END}, false);
    look_at(&view, (struct range){limit, UINT64_MAX - limit}, false);
    look_at(&view, clipped(machine->hypervisor), false);
    /*@ loop invariant 0 <= i <= machine->module_count && view_valid(&view) && view.at == at;
        loop assigns i, view.until, view.usable, view.taken;
        loop variant machine->module_count - i; */
    for (uint32_t i = 0; i < machine->module_count; i++)
        look_at(&view, clipped(machine->modules[i].range), false);
    /*@ loop invariant 0 <= i <= machine->region_count && view_valid(&view) && view.at == at;
        loop assigns i, view.until, view.usable, view.taken;
        loop variant machine->region_count - i; */
    for (uint32_t i = 0; i < machine->region_count; i++)
        look_at(&view, clipped(machine->regions[i].range), machine->regions[i].kind == MEMORY_USABLE);
    /*@ loop invariant 0 <= p <= plan->partition_count && view_valid(&view) && view.at == at;
        loop assigns p, view.until, view.usable, view.taken;
        loop variant plan->partition_count - p; */
    for (uint32_t p = 0; p < plan->partition_count; p++) {
        const struct plan_partition *owner = &plan->partitions[p];
        /*@ loop invariant 0 <= i <= PLAN_MAX_CHUNKS && view_valid(&view) && view.at == at;
            loop assigns i, view.until, view.usable, view.taken;
            loop variant PLAN_MAX_CHUNKS - i; */
        for (uint32_t i = 0; i < owner->chunk_count && i < PLAN_MAX_CHUNKS; i++)
            look_at(&view, (struct range){owner->chunks[i].hpa.raw, owner->chunks[i].size}, false);
    }
    *until = view.until;
    return view.usable && !view.taken;
}

bool plan_free_next(const struct plan *plan, const struct machine *machine, uint64_t from, struct range *out)
{
    uint64_t begin = from; /* all of [begin, end) is free */
    uint64_t next = from;
    /*@ loop invariant from <= begin <= end;
        loop assigns begin, end, next, *out;
        loop variant UINT64_MAX - end; */
    for (uint64_t end = from; end < UINT64_MAX; end = next) {
        if (is_free(plan, machine, end, &next))
            continue;
        uint64_t first;
        if (align_up(begin, PAGE_SIZE, &first) && first < align_down(end, PAGE_SIZE)) {
            *out = (struct range){first, align_down(end, PAGE_SIZE) - first};
            return true;
        }
        begin = next;
    }
    return false; /* the address space ends with addresses that no CPU has */
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
