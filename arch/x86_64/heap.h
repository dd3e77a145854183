/*
 * The hypervisor's memory: one physically contiguous piece, taken from the map at boot, handed out and never given
 * back. After heap_close nothing is handed out any more: the plan is committed.
 */
#pragma once

#include "core/nested.h"
#include "core/range.h"

/* Takes [range) as the heap; it is mapped as it is handed out. */
void heap_init(struct range range);

/* One zeroed 4 KiB page, for tables; not mapped. False: none left, or closed. */
bool must_check heap_take_page(hpa_t *out);

/*
 * `size` bytes, zeroed, mapped read-write; NULL: none left, or closed. A multiple of 4 KiB begins a page of its own;
 * other sizes are rounded up to HEAP_ALIGNMENT and lie close together, as long as no pages are taken between them.
 */
enum { HEAP_ALIGNMENT = 64 };
void *heap_alloc(uint64_t size);

/* The physical address of something that heap_alloc returned (or inside it), or of the image. */
hpa_t heap_phys(const void *pointer);

void heap_close(void);
uint64_t heap_used(void); /* bytes handed out, whole pages */

/* heap_take_page for the nested-table builder. */
extern struct page_source heap_pages;
