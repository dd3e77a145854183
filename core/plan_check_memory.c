/* Whether a partition's memory may be its own: the half of the plan checker that looks at addresses. */
#include "core/plan_check.h"

enum {
    FIRST_GIVEN_ADDRESS = 0x100000, /* below lie firmware data, ROMs and the CPUs' start-up code */
    GUEST_BITS = 48,                /* what four levels of nested tables translate */
};
#define GUEST_END ((uint64_t)1 << GUEST_BITS)

/* ---- the host's side ---- */

/* The region of usable memory with this byte, or NULL. */
/*@ requires machine_readable(machine);
    assigns \nothing;
    ensures \result == \null || \exists integer r; 0 <= r < machine->region_count &&
      \result == &machine->regions[r] && machine->regions[r].kind == MEMORY_USABLE &&
      in(address, machine->regions[r].range); */
static const struct machine_region *usable_at(const struct machine *machine, uint64_t address)
{
    /*@ loop invariant 0 <= i <= machine->region_count;
        loop assigns i;
        loop variant machine->region_count - i; */
    for (uint32_t i = 0; i < machine->region_count; i++) {
        const struct machine_region *region = &machine->regions[i];
        if (region->kind == MEMORY_USABLE && range_contains(region->range, address))
            return region;
    }
    return NULL;
}

/* Whether the usable regions together hold every byte of the range. */
/*@ requires machine_readable(machine) && valid(host);
    assigns \nothing;
    ensures \result ==> \forall integer x; in(x, host) ==> usable(x, machine); */
static bool is_usable(const struct machine *machine, struct range host)
{
    uint64_t at = host.base, left = host.size;
    /*@ loop invariant at + left == host.base + host.size && at >= host.base;
        loop invariant \forall integer x; host.base <= x < at ==> usable(x, machine);
        loop assigns at, left;
        loop variant left; */
    while (left != 0) {
        const struct machine_region *region = usable_at(machine, at);
        if (region == NULL)
            return false;
        uint64_t step = region->range.size - (at - region->range.base);
        if (step > left)
            step = left;
        at += step;
        left -= step;
    }
    return true;
}

/*@ requires readable(c) && valid(host) && host.size != 0;
    assigns \nothing;
    ensures \result ==> \forall integer x; in(x, host) ==> may_be_given(x, c->machine); */
static bool check_host_owner(const struct check *c, struct range host)
{
    const struct machine *m = c->machine;
    uint64_t base = host.base;
    if (base < FIRST_GIVEN_ADDRESS)
        return plan_check_broken(c, "memory at 0x%lx is below 1 MiB\n", base);
    if (range_overlaps(host, m->hypervisor))
        return plan_check_broken(c, "memory at 0x%lx overlaps the hypervisor\n", base);
    /*@ loop invariant 0 <= i <= m->module_count;
        loop invariant \forall integer x, k; 0 <= k < i && in(x, host) ==> !in(x, m->modules[k].range);
        loop assigns i;
        loop variant m->module_count - i; */
    for (uint32_t i = 0; i < m->module_count; i++)
        if (range_overlaps(host, m->modules[i].range))
            return plan_check_broken(c, "memory at 0x%lx overlaps module '%s'\n", base, m->modules[i].name);
    /*@ loop invariant 0 <= i <= m->region_count;
        loop invariant \forall integer x, r; 0 <= r < i && in(x, host) && m->regions[r].kind != MEMORY_USABLE ==>
          !in(x, m->regions[r].range);
        loop assigns i;
        loop variant m->region_count - i; */
    for (uint32_t i = 0; i < m->region_count; i++)
        if (m->regions[i].kind != MEMORY_USABLE && range_overlaps(host, m->regions[i].range))
            return plan_check_broken(c, "memory at 0x%lx overlaps a reserved region at 0x%lx\n", base,
                                     m->regions[i].range.base);
    if (!is_usable(m, host))
        return plan_check_broken(c, "memory at 0x%lx is not all usable\n", base);
    if (m->caps.physical_bits < 52 && (range_end(host) - 1) >> m->caps.physical_bits != 0)
        return plan_check_broken(c, "memory at 0x%lx is beyond the CPU's %u address bits\n", base,
                                 m->caps.physical_bits);
    return true;
}

/* Against every chunk before this one, of this partition and of those before it. */
/*@ requires readable(c) && last <= PLAN_MAX_CHUNKS;
    requires \forall integer q; 0 <= q < c->number ==> c->plan->partitions[q].chunk_count <= PLAN_MAX_CHUNKS;
    assigns \nothing;
    ensures \result ==> \forall integer x, q, k; before(q, k, c->number, last) &&
      k < c->plan->partitions[q].chunk_count && in(x, host) ==> !in_chunk(x, c->plan, q, k); */
static bool check_host_shared(const struct check *c, struct range host, uint32_t last)
{
    /*@ loop invariant 0 <= q <= c->number + 1;
        loop invariant \forall integer x, r, k; before(r, k, c->number, last) && r < q &&
          k < c->plan->partitions[r].chunk_count && in(x, host) ==> !in_chunk(x, c->plan, r, k);
        loop assigns q;
        loop variant c->number + 1 - q; */
    for (uint32_t q = 0; q <= c->number; q++) {
        const struct plan_partition *p = &c->plan->partitions[q];
        uint32_t count = q == c->number ? last : p->chunk_count;
        /*@ loop invariant 0 <= i <= count;
            loop invariant \forall integer x, k; 0 <= k < i && in(x, host) ==> !in_chunk(x, c->plan, q, k);
            loop assigns i;
            loop variant count - i; */
        for (uint32_t i = 0; i < count; i++)
            if (range_overlaps(host, (struct range){p->chunks[i].hpa.raw, p->chunks[i].size}))
                return plan_check_broken(c, "memory at 0x%lx belongs to partition '%s' already\n", host.base,
                                         p->config->name);
    }
    return true;
}

/* ---- the guest's side ---- */

/* Bytes below 4 GiB, in whole pages, that a firmware partition needs for its image; 0: none are needed. */
/*@ requires readable(c);
    assigns \nothing;
    ensures \result <= PLAN_FIRMWARE_MAX; */
static uint64_t firmware_memory(const struct check *c)
{
    const struct plan_partition *p = c->partition;
    if (p->config->boot != BOOT_FIRMWARE || p->kernel < 0 || (uint32_t)p->kernel >= c->machine->module_count)
        return 0;
    uint64_t size = c->machine->modules[p->kernel].range.size;
    return size <= PLAN_FIRMWARE_MAX ? align_down(size + PAGE_SIZE - 1, PAGE_SIZE) : 0;
}

/*@ logic integer guest_base(integer low, integer rom, integer seen) =
      seen < low ? seen :
      seen < low + rom ? PLAN_FIRMWARE_END - rom + seen - low : PLAN_HIGH_RAM_BASE + seen - low - rom; */

/*
 * Where guest memory must go on after `seen` bytes of it, and how much may follow there: from 0 without a gap up to the
 * hole, then the pages of a firmware image up to 4 GiB, then the rest from 4 GiB on.
 */
/*@ requires low <= memory <= GUEST_END && low <= PLAN_LOW_RAM_END && rom <= PLAN_FIRMWARE_MAX && seen <= memory + rom;
    assigns \nothing;
    ensures \result.base == guest_base(low, rom, seen) && \result.size <= memory + rom - seen;
    ensures \forall integer s; 0 < s <= \result.size ==> \result.base + s <= guest_base(low, rom, seen + s); */
static struct range guest_area(uint64_t memory, uint64_t low, uint64_t rom, uint64_t seen)
{
    if (seen < low)
        return (struct range){seen, low - seen};
    if (seen - low < rom)
        return (struct range){PLAN_FIRMWARE_END - rom + (seen - low), rom - (seen - low)};
    return (struct range){PLAN_HIGH_RAM_BASE + (seen - low - rom), memory + rom - seen};
}

/*@ requires \valid_read(chunk);
    assigns \nothing;
    ensures \result ==> chunk->size != 0 && chunk->gpa.raw + chunk->size <= UINT64_MAX &&
      chunk->hpa.raw + chunk->size <= UINT64_MAX; */
static bool is_well_formed(const struct plan_chunk *chunk)
{
    return chunk->size != 0 && is_aligned(chunk->gpa.raw | chunk->hpa.raw | chunk->size, PAGE_SIZE) &&
           range_valid((struct range){chunk->gpa.raw, chunk->size}) &&
           range_valid((struct range){chunk->hpa.raw, chunk->size});
}

/*@ requires readable(c) && c->partition->chunk_count <= PLAN_MAX_CHUNKS;
    assigns \nothing;
    ensures \result ==> 0 < c->partition->chunk_count && guest_ascends(c->partition, c->partition->chunk_count);
    ensures \result ==> chunks_well_formed(c->partition, c->partition->chunk_count); */
static bool check_guest_layout(const struct check *c)
{
    const struct plan_partition *p = c->partition;
    uint64_t memory = p->config->memory, rom = firmware_memory(c);
    uint64_t low = memory < PLAN_LOW_RAM_END ? memory : PLAN_LOW_RAM_END;
    uint64_t seen = 0, end = 0;
    if (memory > GUEST_END)
        return plan_check_broken(c, "0x%lx bytes of memory, beyond %d address bits\n", memory, GUEST_BITS);
    /*@ loop invariant 0 <= i <= p->chunk_count && seen <= memory + rom;
        loop invariant i == 0 || 0 < end;
        loop invariant guest_ascends(p, i) && guest_below(p, i, end);
        loop invariant chunks_well_formed(p, i);
        loop invariant end <= guest_base(low, rom, seen);
        loop assigns i, seen, end;
        loop variant p->chunk_count - i; */
    for (uint32_t i = 0; i < p->chunk_count; i++) {
        struct range chunk = {p->chunks[i].gpa.raw, p->chunks[i].size};
        struct range area = guest_area(memory, low, rom, seen);
        if (!is_well_formed(&p->chunks[i]))
            return plan_check_broken(c, "piece %u of the memory is empty, unaligned or too large\n", i);
        if (chunk.base != area.base || chunk.size > area.size)
            return plan_check_broken(c, "guest memory 0x%lx of 0x%lx bytes, expected it at 0x%lx\n", chunk.base,
                                     chunk.size, area.base);
        seen += chunk.size;
        end = range_end(chunk);
    }
    if (seen != memory + rom || p->chunk_count == 0)
        return plan_check_broken(c, "%lu bytes of the configured memory are missing\n", memory + rom - seen);
    uint32_t bits = c->machine->caps.physical_bits < GUEST_BITS ? c->machine->caps.physical_bits : GUEST_BITS;
    if ((end - 1) >> bits != 0)
        return plan_check_broken(c, "guest memory ends at 0x%lx, beyond %u address bits\n", end, bits);
    return true;
}

bool plan_check_memory(const struct check *c)
{
    const struct plan_partition *p = c->partition;
    if (p->chunk_count > PLAN_MAX_CHUNKS)
        return plan_check_broken(c, "%u pieces of memory, at most %d are possible\n", p->chunk_count, PLAN_MAX_CHUNKS);
    if (!check_guest_layout(c))
        return false;
    /*@ loop invariant 0 <= i <= p->chunk_count;
        loop invariant \forall integer k; 0 <= k < i ==> chunk_is_free(c->plan, c->number, k) &&
          (\forall integer x; in_chunk(x, c->plan, c->number, k) ==> may_be_given(x, c->machine));
        loop assigns i;
        loop variant p->chunk_count - i; */
    for (uint32_t i = 0; i < p->chunk_count; i++) {
        struct range host = {p->chunks[i].hpa.raw, p->chunks[i].size};
        if (!check_host_owner(c, host) || !check_host_shared(c, host, i))
            return false;
    }
    return true;
}
