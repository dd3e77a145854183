#include "arch/x86_64/heap.h"

#include "arch/x86_64/layout.h"
#include "arch/x86_64/paging.h"
#include "core/phys.h"

static struct range heap;
static uint64_t used; /* bytes, from the base on */
static bool closed;

#define HEAP_BASE LAYOUT_SLOT((uint64_t)PML4_HEAP)

void heap_init(struct range range) { heap = range; }
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
    uint64_t whole;
    if (closed || size == 0 || !align_up(size, PAGE_SIZE, &whole) || heap.size - used < whole)
        return NULL;
    uint64_t offset = used;
    used += whole;
    phys_zero(hpa(heap.base + offset), whole);
    if (!paging_map(HEAP_BASE + offset, hpa(heap.base + offset), whole, PAGING_WRITE))
        return NULL;
    return (void *)(HEAP_BASE + offset);
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
