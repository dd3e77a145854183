#include "arch/x86_64/heap.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/paging.h"
#include "core/phys.h"

static struct range heap;
static uint64_t used; /* bytes, from the base on */
static bool closed;

/* Where the next object that fills no whole pages may go: offsets, behind the last one and at the end of its pages. */
static uint64_t loose, loose_end;

#define HEAP_BASE LAYOUT_SLOT((uint64_t)PML4_HEAP)

void heap_init(struct range range)
{
    heap = range;
    used = loose = loose_end = 0;
    closed = false;
}

void heap_close(void) { closed = true; }
uint64_t heap_used(void) { return used; }

bool heap_take_page(hpa_t *out)
{
    if (closed || heap.size - used < PAGE_SIZE)
        return false;
    *out = hpa(heap.base + used);
    used += PAGE_SIZE;
    phys_zero(*out, PAGE_SIZE);
    return true;
}

void *heap_alloc(uint64_t size)
{
    bool whole = is_aligned(size, PAGE_SIZE);
    uint64_t rounded, more, from = used, at = used, end = used;
    if (closed || size == 0 || !align_up(size, HEAP_ALIGNMENT, &rounded))
        return NULL;
    if (!whole && (loose_end == used || rounded <= loose_end - loose)) {
        at = loose;
        end = loose_end;
    }
    if (rounded > end - at) {
        if (!align_up(rounded - (end - at), PAGE_SIZE, &more) || heap.size - used < more)
            return NULL;
        used += more; /* before the mapping, which may take pages for itself */
        end = from + more;
        phys_zero(hpa(heap.base + from), more);
        if (!paging_map(HEAP_BASE + from, hpa(heap.base + from), more, PAGING_WRITE))
            return NULL;
    }
    if (!whole) {
        loose = at + rounded;
        loose_end = end;
    }
    return (void *)(HEAP_BASE + at);
}

hpa_t heap_phys(const void *pointer)
{
    uint64_t address = (uint64_t)pointer;
    return hpa(address >= HEAP_BASE ? address - HEAP_BASE + heap.base : address);
}

static bool source_take(struct page_source *self, hpa_t *out)
{
    (void)self;
    return heap_take_page(out);
}

struct page_source heap_pages = {source_take};
