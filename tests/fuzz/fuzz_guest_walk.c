/*
 * The guest page-table walk over random tables. A second walker, written as the manual draws the formats (one function
 * a mode), must find the same address; and nothing but accessed and dirty bits may change, only after success.
 */
#include "core/guest_walk.h"

#include "tests/fuzz/input.h"

enum { RAM_SIZE = 0x4000, ENTRY_A_D = 0x60, MAX_WRITES = 5 };

#define CR0_PG   ((uint64_t)1 << 31)
#define CR4_PSE  ((uint64_t)1 << 4)
#define CR4_PAE  ((uint64_t)1 << 5)
#define CR4_LA57 ((uint64_t)1 << 12)
#define EFER_LMA ((uint64_t)1 << 10)
#define PS       ((uint64_t)1 << 7)

static uint8_t ram[RAM_SIZE];
static unsigned writes;

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    (void)context;
    if (from.raw > RAM_SIZE || size > RAM_SIZE - from.raw)
        return false;
    memcpy(to, ram + from.raw, size);
    return true;
}

static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    (void)context;
    if (to.raw > RAM_SIZE || size > RAM_SIZE - to.raw)
        return false;
    memcpy(ram + to.raw, from, size);
    writes++;
    return true;
}

static uint64_t entry_at(uint64_t at, unsigned size)
{
    uint64_t entry = 0;
    require(at <= RAM_SIZE - size);
    memcpy(&entry, ram + at, size);
    return entry;
}

static const uint64_t frame = 0x000ffffffffff000;

/* The walks below are for addresses that were found to be mapped: they look at no right and no reserved bit. */
static uint64_t reference_long(const struct vcpu_state_view *view, uint64_t linear)
{
    uint64_t table = view->cr3 & frame;
    if ((view->cr4 & CR4_LA57) != 0)
        table = entry_at(table + (linear >> 48 & 511) * 8, 8) & frame;
    table = entry_at(table + (linear >> 39 & 511) * 8, 8) & frame;
    uint64_t pdpte = entry_at(table + (linear >> 30 & 511) * 8, 8);
    if (pdpte & PS)
        return (pdpte & 0x000fffffc0000000) | (linear & 0x3fffffff);
    uint64_t pde = entry_at((pdpte & frame) + (linear >> 21 & 511) * 8, 8);
    if (pde & PS)
        return (pde & 0x000fffffffe00000) | (linear & 0x1fffff);
    return (entry_at((pde & frame) + (linear >> 12 & 511) * 8, 8) & frame) | (linear & 0xfff);
}

static uint64_t reference_pae(const struct vcpu_state_view *view, uint64_t linear)
{
    uint64_t pdpte = entry_at((view->cr3 & 0xffffffe0) + (linear >> 30 & 3) * 8, 8);
    uint64_t pde = entry_at((pdpte & frame) + (linear >> 21 & 511) * 8, 8);
    if (pde & PS)
        return (pde & 0x000fffffffe00000) | (linear & 0x1fffff);
    return (entry_at((pde & frame) + (linear >> 12 & 511) * 8, 8) & frame) | (linear & 0xfff);
}

static uint64_t reference_32(const struct vcpu_state_view *view, uint64_t linear)
{
    uint64_t pde = entry_at((view->cr3 & 0xfffff000) + (linear >> 22 & 1023) * 4, 4);
    if ((pde & PS) && (view->cr4 & CR4_PSE))
        return (pde & 0xffc00000) | (pde >> 13 & 0xff) << 32 | (linear & 0x3fffff);
    return (entry_at((pde & 0xfffff000) + (linear >> 12 & 1023) * 4, 4) & 0xfffff000) | (linear & 0xfff);
}

static uint64_t reference(const struct vcpu_state_view *view, uint64_t linear)
{
    if ((view->efer & EFER_LMA) == 0)
        linear &= UINT32_MAX;
    if ((view->cr0 & CR0_PG) == 0)
        return linear;
    if (view->efer & EFER_LMA)
        return reference_long(view, linear);
    return view->cr4 & CR4_PAE ? reference_pae(view, linear) : reference_32(view, linear);
}

/* Which bits a successful walk changed. */
static void require_only_used_bits(const uint8_t *before)
{
    for (size_t i = 0; i < RAM_SIZE; i++) {
        require((before[i] & ~ram[i]) == 0);
        require(((before[i] ^ ram[i]) & ~ENTRY_A_D) == 0);
    }
}

static void require_fault_code(const struct vcpu_state_view *view, unsigned access, uint32_t code)
{
    bool user = view->cpl == 3 || (view->rflags & 1u << 17) != 0;
    require((code & ~0x1fu) == 0);
    require(((code & PAGE_FAULT_WRITE) != 0) == ((access & WALK_WRITE) != 0));
    require(((code & PAGE_FAULT_USER) != 0) == user);
    require((code & PAGE_FAULT_FETCH) == 0 || (access & WALK_FETCH) != 0);
    require((code & PAGE_FAULT_RESERVED) == 0 || (code & PAGE_FAULT_PRESENT) != 0);
}

/*
 * What was allowed stays allowed, at the same place, and has nothing left to mark. Not so where a table of PAE's four
 * top entries, in which the accessed bit is reserved, may lie inside another table.
 */
static void require_stable(const struct vcpu_state_view *view, const struct guest_memory *memory, uint64_t linear,
                           unsigned access, uint64_t address)
{
    struct walk_outcome again;
    unsigned before = writes;
    if ((view->efer & EFER_LMA) == 0 && (view->cr4 & CR4_PAE) != 0 && writes != 0)
        return;
    require(guest_walk(view, memory, linear, access, &again) == WALK_OK);
    require(again.address.raw == address && writes == before);
    if (access == WALK_WRITE)
        require(guest_walk(view, memory, linear, 0, &again) == WALK_OK && again.address.raw == address);
}

static void walk(const struct vcpu_state_view *view, const struct guest_memory *memory, uint64_t linear,
                 unsigned access)
{
    static uint8_t before[RAM_SIZE];
    struct walk_outcome out;
    memcpy(before, ram, sizeof ram);
    writes = 0;
    switch (guest_walk(view, memory, linear, access, &out)) {
    case WALK_OK:
        require(writes <= MAX_WRITES);
        require(out.address.raw == reference(view, linear));
        require_only_used_bits(before);
        require_stable(view, memory, linear, access, out.address.raw);
        return;
    case WALK_FAULT:
        require_fault_code(view, access, out.error_code);
        break;
    case WALK_NOT_CANONICAL:
        require((view->efer & EFER_LMA) != 0 && linear + ((uint64_t)1 << 47) >= (uint64_t)1 << 48);
        break;
    case WALK_NOT_RAM:
        require(out.address.raw > RAM_SIZE - 8);
        break;
    }
    require(writes == 0 && memcmp(before, ram, sizeof ram) == 0);
}

/* Table entries that lead somewhere: anything, pointed back into the RAM when the input says so. */
static void put_entry(struct input *in)
{
    uint16_t where = input_16(in);
    uint64_t entry = input_64(in);
    unsigned size = where & 0x8000 ? 8 : 4;
    if (where & 0x4000)
        entry = (entry & ~frame) | (entry & frame & (RAM_SIZE - 1));
    memcpy(ram + where % (RAM_SIZE / size) * size, &entry, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct vcpu_state_view view = {.rip = 0};
    uint8_t flags = input_8(&in);
    view.cr0 = input_32(&in) | (flags & 1 ? CR0_PG : 0);
    view.cr3 = input_64(&in) & (flags & 2 ? RAM_SIZE - 1 : UINT64_MAX);
    view.cr4 = input_32(&in);
    view.efer = input_16(&in);
    view.rflags = input_32(&in);
    view.cpl = flags >> 2 & 3;
    struct guest_memory memory = {ram_read, ram_write, ram, input_8(&in) % 53};
    if (memory.physical_bits < 32)
        memory.physical_bits = 0;
    uint64_t linear = input_64(&in);
    unsigned access = (unsigned[]){0, WALK_WRITE, WALK_FETCH, 0}[flags >> 4 & 3];
    memset(ram, 0, sizeof ram);
    while (in.left != 0)
        put_entry(&in);
    walk(&view, &memory, linear, access);
    walk(&view, &memory, linear ^ 0x1000, access);
    return 0;
}
