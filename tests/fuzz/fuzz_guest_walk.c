/*
 * The guest page-table walk over random tables. A second walker, written as the manual draws the formats (one function
 * a mode), must come to the same result; and nothing but accessed and dirty bits may change, only after success.
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

static const uint64_t frame = 0x000ffffffffff000;

/* The second walker: what the manual's figures say of each mode's entries, as literal masks. */
struct reference {
    enum walk_result result;
    uint64_t address;
    uint32_t code;
    bool writable, user, executable; /* as far as every entry so far says so */
};

static void fail(struct reference *r, uint32_t code)
{
    r->result = WALK_FAULT;
    r->code = code;
}

/* Looks at one entry; false: the walk ends here. `reserved` are the bits that must be 0 in this one. */
static bool step(struct reference *r, const struct vcpu_state_view *view, uint64_t entry, uint64_t reserved)
{
    bool xd = (view->efer & 1u << 11) != 0;
    if ((entry & 1) == 0)
        fail(r, 0);
    else if ((entry & reserved) != 0 || (!xd && entry >> 63 != 0))
        fail(r, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED);
    r->writable &= (entry & 2) != 0;
    r->user &= (entry & 4) != 0;
    r->executable &= entry >> 63 == 0;
    return r->result == WALK_OK;
}

static bool fetch(struct reference *r, uint64_t at, unsigned size, uint64_t *entry)
{
    *entry = 0;
    if (ram_read(NULL, gpa(at), entry, size))
        return true;
    r->result = WALK_NOT_RAM;
    return false;
}

/* Levels 2 and 1 of 8-byte entries: `wide` are the address bits that this CPU lacks, and what the mode adds. */
static void reference_low(struct reference *r, const struct vcpu_state_view *view, uint64_t table, uint64_t linear,
                          uint64_t wide)
{
    uint64_t entry;
    if (!fetch(r, table + (linear >> 21 & 511) * 8, 8, &entry) ||
        !step(r, view, entry, wide | (entry & PS ? 0x1fe000 : 0)))
        return;
    r->address = (entry & 0x000fffffffe00000) | (linear & 0x1fffff);
    if ((entry & PS) == 0 && fetch(r, (entry & frame) + (linear >> 12 & 511) * 8, 8, &entry) &&
        step(r, view, entry, wide))
        r->address = (entry & frame) | (linear & 0xfff);
}

static void reference_long(struct reference *r, const struct vcpu_state_view *view, uint64_t linear, uint64_t wide)
{
    uint64_t table = view->cr3 & frame, entry;
    for (unsigned shift = view->cr4 & CR4_LA57 ? 48 : 39; shift >= 39; shift -= 9) {
        if (!fetch(r, table + (linear >> shift & 511) * 8, 8, &entry) || !step(r, view, entry, wide | PS))
            return;
        table = entry & frame;
    }
    if (!fetch(r, table + (linear >> 30 & 511) * 8, 8, &entry) ||
        !step(r, view, entry, wide | (entry & PS ? 0x3fffe000 : 0)))
        return;
    r->address = (entry & 0x000fffffc0000000) | (linear & 0x3fffffff);
    if ((entry & PS) == 0)
        reference_low(r, view, entry & frame, linear, wide);
}

static void reference_pae(struct reference *r, const struct vcpu_state_view *view, uint64_t linear, uint64_t wide)
{
    uint64_t entry;
    wide |= 0x7ff0000000000000;
    if (!fetch(r, (view->cr3 & 0xffffffe0) + (linear >> 30 & 3) * 8, 8, &entry) ||
        !step(r, view, entry, wide | (uint64_t)1 << 63 | 0x1e6))
        return;
    r->writable = r->user = true; /* these four entries have no rights */
    reference_low(r, view, entry & frame, linear, wide);
}

static void reference_32(struct reference *r, const struct vcpu_state_view *view, uint64_t linear, unsigned bits)
{
    uint64_t entry;
    uint64_t above = bits >= 40 ? 0x200000 : 0x3fe000 & (UINT64_MAX << (13 + bits - 32)); /* PSE-36 */
    if (!fetch(r, (view->cr3 & 0xfffff000) + (linear >> 22 & 1023) * 4, 4, &entry))
        return;
    bool large = (entry & PS) != 0 && (view->cr4 & CR4_PSE) != 0;
    if (!step(r, view, entry, large ? above : 0))
        return;
    r->address = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (linear & 0x3fffff);
    if (!large && fetch(r, (entry & 0xfffff000) + (linear >> 12 & 1023) * 4, 4, &entry) && step(r, view, entry, 0))
        r->address = (entry & 0xfffff000) | (linear & 0xfff);
}

static bool is_user(const struct vcpu_state_view *view) { return view->cpl == 3 || (view->rflags & 1u << 17) != 0; }

/* "Determination of Access Rights", for a page that is mapped. */
static bool is_permitted(const struct reference *r, const struct vcpu_state_view *view, unsigned access)
{
    if (access == WALK_FETCH && !r->executable)
        return false;
    if (is_user(view))
        return r->user && (access != WALK_WRITE || r->writable);
    if (access == WALK_FETCH)
        return !r->user || (view->cr4 & 1u << 20) == 0;
    if (r->user && (view->cr4 & 1u << 21) != 0 && (view->rflags & 1u << 18) == 0)
        return false;
    return access != WALK_WRITE || r->writable || (view->cr0 & 1u << 16) == 0;
}

static struct reference reference(const struct vcpu_state_view *view, uint64_t linear, unsigned access, unsigned bits)
{
    struct reference r = {.result = WALK_OK, .writable = true, .user = true, .executable = true};
    unsigned physical = bits == 0 ? 52 : bits;
    uint64_t wide = frame & ~(((uint64_t)1 << physical) - 1);
    bool long_mode = (view->efer & EFER_LMA) != 0;
    uint64_t half = (uint64_t)1 << (view->cr4 & CR4_LA57 ? 56 : 47);
    if (!long_mode)
        linear &= UINT32_MAX;
    if ((view->cr0 & CR0_PG) == 0)
        return (struct reference){.result = WALK_OK, .address = linear};
    if (long_mode && linear + half >= 2 * half)
        r.result = WALK_NOT_CANONICAL;
    else if (long_mode)
        reference_long(&r, view, linear, wide);
    else if ((view->cr4 & CR4_PAE) != 0)
        reference_pae(&r, view, linear, wide);
    else
        reference_32(&r, view, linear, physical);
    if (r.result == WALK_OK && !is_permitted(&r, view, access))
        fail(&r, PAGE_FAULT_PRESENT);
    bool fetch_bit =
        (view->cr4 & 1u << 20) != 0 || ((view->efer & 1u << 11) != 0 && (long_mode || (view->cr4 & CR4_PAE) != 0));
    if (r.result == WALK_FAULT)
        r.code |= (access == WALK_WRITE ? PAGE_FAULT_WRITE : 0u) | (is_user(view) ? PAGE_FAULT_USER : 0u) |
                  (access == WALK_FETCH && fetch_bit ? PAGE_FAULT_FETCH : 0u);
    return r;
}

/* Which bits a successful walk changed. */
static void require_only_used_bits(const uint8_t *before)
{
    for (size_t i = 0; i < RAM_SIZE; i++) {
        require((before[i] & ~ram[i]) == 0);
        require(((before[i] ^ ram[i]) & ~ENTRY_A_D) == 0);
    }
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
    struct reference wanted = reference(view, linear, access, memory->physical_bits);
    memcpy(before, ram, sizeof ram);
    writes = 0;
    enum walk_result result = guest_walk(view, memory, linear, access, &out);
    require(result == wanted.result);
    if (result == WALK_OK) {
        require(writes <= MAX_WRITES && out.address.raw == wanted.address);
        require_only_used_bits(before);
        require_stable(view, memory, linear, access, out.address.raw);
        return;
    }
    require(result != WALK_FAULT || out.error_code == wanted.code);
    require(result != WALK_NOT_RAM || out.address.raw > RAM_SIZE - 8);
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
