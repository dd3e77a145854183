/* The guest page-table walk: one loop over the levels, with each paging mode as a row of numbers. */
#include "core/guest_walk.h"

#include "core/bytes.h"
#include "core/register_bits.h"

/* SDM vol. 3, "Formats of CR3 and Paging-Structure Entries". */
#define ENTRY_P  ((uint64_t)1 << 0)
#define ENTRY_RW ((uint64_t)1 << 1)
#define ENTRY_US ((uint64_t)1 << 2)
#define ENTRY_A  ((uint64_t)1 << 5)
#define ENTRY_D  ((uint64_t)1 << 6)
#define ENTRY_PS ((uint64_t)1 << 7)
#define ENTRY_XD ((uint64_t)1 << 63)

enum { LOW_BITS = 12, ARCHITECTURAL_BITS = 52, PSE36_BITS = 40 };

/* A paging mode: level 1 is the table of 4 KiB pages. */
struct paging {
    uint8_t levels;
    uint8_t entry_size;  /* bytes */
    uint8_t index_bits;  /* per level */
    uint8_t large_level; /* highest level at which an entry may map a page; 1: only 4 KiB pages */
    bool pae_top;        /* the top level are PAE's four page-directory-pointer entries, which have no rights */
    uint64_t root_mask;  /* address bits of CR3 */
};

/* What the walk has gathered. */
struct walk {
    const struct vcpu_state_view *view;
    const struct guest_memory *memory;
    struct paging paging;
    uint64_t linear;
    unsigned access;
    unsigned level;
    uint64_t rights; /* RW and US as far as every level grants them, XD as soon as one says so */
    uint64_t entry;
};

/* Bits first to last, both included; none when last < first. */
static uint64_t bits(unsigned first, unsigned last)
{
    if (last < first)
        return 0;
    return (UINT64_MAX >> (63 - last)) & (UINT64_MAX << first);
}

static struct paging paging_of(const struct vcpu_state_view *view)
{
    if (view->efer & EFER_LMA)
        return (struct paging){.levels = view->cr4 & CR4_LA57 ? 5 : 4,
                               .entry_size = 8,
                               .index_bits = 9,
                               .large_level = 3,
                               .root_mask = bits(12, 51)};
    if (view->cr4 & CR4_PAE)
        return (struct paging){
            .levels = 3, .entry_size = 8, .index_bits = 9, .large_level = 2, .pae_top = true, .root_mask = bits(5, 31)};
    return (struct paging){.levels = 2,
                           .entry_size = 4,
                           .index_bits = 10,
                           .large_level = view->cr4 & CR4_PSE ? 2 : 1,
                           .root_mask = bits(12, 31)};
}

static bool user_mode(const struct vcpu_state_view *view) { return view->cpl == 3 || (view->rflags & RFLAGS_VM) != 0; }

static bool has_xd(const struct walk *w) { return w->paging.entry_size == 8 && (w->view->efer & EFER_NXE) != 0; }

static unsigned physical_bits(const struct guest_memory *memory)
{
    if (memory->physical_bits == 0 || memory->physical_bits > ARCHITECTURAL_BITS)
        return ARCHITECTURAL_BITS;
    return memory->physical_bits;
}

static enum walk_result fault(const struct walk *w, uint32_t cause, struct walk_outcome *out)
{
    uint32_t code = cause;
    if (w->access & WALK_WRITE)
        code |= PAGE_FAULT_WRITE;
    if (user_mode(w->view))
        code |= PAGE_FAULT_USER;
    /* The fetch bit exists only where the CPU can forbid a fetch at all. */
    if ((w->access & WALK_FETCH) && ((w->view->cr4 & CR4_SMEP) || has_xd(w)))
        code |= PAGE_FAULT_FETCH;
    out->error_code = code;
    return WALK_FAULT;
}

static bool is_leaf(const struct walk *w)
{
    return w->level == 1 || (w->level <= w->paging.large_level && (w->entry & ENTRY_PS) != 0);
}

/* How many low bits of the address the entry of this level leaves to the levels below or to the page. */
static unsigned shift_of(const struct walk *w) { return LOW_BITS + (w->level - 1) * w->paging.index_bits; }

/* Reserved bits of a 32-bit entry: only 4 MiB pages have some, above the widest address they can hold. */
static uint64_t reserved32(const struct walk *w)
{
    if (w->level == 1 || !is_leaf(w))
        return 0;
    unsigned width = physical_bits(w->memory);
    if (width > PSE36_BITS)
        width = PSE36_BITS;
    return bits(width < 32 ? 13 : width - 19, 21);
}

static uint64_t reserved64(const struct walk *w)
{
    uint64_t mask = bits(physical_bits(w->memory), ARCHITECTURAL_BITS - 1);
    bool long_mode = w->paging.levels >= 4;

    if (!long_mode)
        mask |= bits(52, 62);
    if (w->paging.pae_top && w->level == w->paging.levels)
        return mask | ENTRY_XD | bits(1, 2) | bits(5, 8);
    if (!has_xd(w))
        mask |= ENTRY_XD;
    if (w->level > w->paging.large_level)
        mask |= ENTRY_PS;
    else if (w->level > 1 && is_leaf(w))
        mask |= bits(13, shift_of(w) - 1);
    return mask;
}

static uint64_t reserved(const struct walk *w) { return w->paging.entry_size == 4 ? reserved32(w) : reserved64(w); }

static uint64_t address_of(const struct walk *w)
{
    if (!is_leaf(w))
        return w->entry & (w->paging.entry_size == 4 ? bits(12, 31) : bits(12, ARCHITECTURAL_BITS - 1));
    unsigned shift = shift_of(w);
    uint64_t offset = w->linear & bits(0, shift - 1);
    if (w->paging.entry_size == 8)
        return (w->entry & bits(shift, ARCHITECTURAL_BITS - 1)) | offset;
    /* A 4 MiB page keeps address bits 39:32 in its bits 20:13. */
    uint64_t high = w->level == 2 ? (w->entry & bits(13, 20)) << (32 - 13) : 0;
    return (w->entry & bits(shift, 31)) | high | offset;
}

static bool read_entry(struct walk *w, gpa_t at, struct walk_outcome *out)
{
    uint8_t raw[8] = {0};
    if (!w->memory->read(w->memory->context, at, raw, w->paging.entry_size))
        return false;
    w->entry = load64(raw);
    out->at[out->depth] = at;
    out->entries[out->depth] = w->entry;
    out->depth++;
    return true;
}

static void gather_rights(struct walk *w)
{
    if (w->paging.pae_top && w->level == w->paging.levels)
        return;
    w->rights &= w->entry | ~(ENTRY_RW | ENTRY_US);
    if (has_xd(w))
        w->rights |= w->entry & ENTRY_XD;
}

/* SDM vol. 3, "Determination of Access Rights". */
static bool allowed(const struct walk *w)
{
    bool user_page = (w->rights & ENTRY_US) != 0;
    bool writable = (w->rights & ENTRY_RW) != 0;

    if ((w->access & WALK_FETCH) && (w->rights & ENTRY_XD))
        return false;
    if (user_mode(w->view))
        return user_page && (writable || (w->access & WALK_WRITE) == 0);
    if (w->access & WALK_FETCH)
        return !user_page || (w->view->cr4 & CR4_SMEP) == 0;
    if (user_page && (w->view->cr4 & CR4_SMAP) && (w->view->rflags & RFLAGS_AC) == 0)
        return false;
    return writable || (w->access & WALK_WRITE) == 0 || (w->view->cr0 & CR0_WP) == 0;
}

/*
 * Marks the entries as used. Only the byte that holds the two bits is written, and only when one is missing (the CPU
 * has normally set them itself), so that a change by another vCPU to the address in the entry is never undone.
 */
static enum walk_result mark_used(const struct walk *w, struct walk_outcome *out)
{
    for (unsigned i = 0; i < out->depth; i++) {
        if (w->paging.pae_top && i == 0)
            continue;
        uint64_t wanted = ENTRY_A;
        if (i + 1 == out->depth && (w->access & WALK_WRITE))
            wanted |= ENTRY_D;
        if ((out->entries[i] & wanted) == wanted)
            continue;
        uint8_t low = (uint8_t)(out->entries[i] | wanted);
        if (!w->memory->write(w->memory->context, out->at[i], &low, sizeof low)) {
            out->address = out->at[i];
            return WALK_NOT_RAM;
        }
    }
    return WALK_OK;
}

static enum walk_result walk_levels(struct walk *w, struct walk_outcome *out)
{
    uint64_t table = w->view->cr3 & w->paging.root_mask;
    for (w->level = w->paging.levels;; w->level--) {
        uint64_t index = (w->linear >> shift_of(w)) & bits(0, w->paging.index_bits - 1);
        gpa_t at = gpa(table + index * w->paging.entry_size);
        if (!read_entry(w, at, out)) {
            out->address = at;
            return WALK_NOT_RAM;
        }
        if ((w->entry & ENTRY_P) == 0)
            return fault(w, 0, out);
        if (w->entry & reserved(w))
            return fault(w, PAGE_FAULT_PRESENT | PAGE_FAULT_RESERVED, out);
        gather_rights(w);
        table = address_of(w);
        if (is_leaf(w))
            break;
    }
    if (!allowed(w))
        return fault(w, PAGE_FAULT_PRESENT, out);
    out->address = gpa(table);
    return mark_used(w, out);
}

static bool canonical(const struct paging *paging, uint64_t linear)
{
    unsigned top = LOW_BITS + (unsigned)paging->levels * paging->index_bits - 1;
    uint64_t high = linear & bits(top, 63);
    return high == 0 || high == bits(top, 63);
}

enum walk_result guest_walk(const struct vcpu_state_view *view, const struct guest_memory *memory, uint64_t linear,
                            unsigned access, struct walk_outcome *out)
{
    struct walk w = {.view = view, .memory = memory, .access = access, .rights = ENTRY_RW | ENTRY_US};

    *out = (struct walk_outcome){0};
    bool long_mode = (view->efer & EFER_LMA) != 0;
    w.linear = long_mode ? linear : linear & UINT32_MAX;
    if ((view->cr0 & CR0_PG) == 0) {
        out->address = gpa(w.linear);
        return WALK_OK;
    }
    w.paging = paging_of(view);
    if (long_mode && !canonical(&w.paging, linear))
        return WALK_NOT_CANONICAL;
    return walk_levels(&w, out);
}
