#include "arch/x86_64/paging.h"

#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/heap.h"
#include "arch/x86_64/layout.h"
#include "arch/x86_64/msr_index.h"
#include "core/phys.h"
#include "core/range.h"

/* SDM vol. 3, "4-Level Paging and 5-Level Paging". */
#define PTE_PRESENT   (1ull << 0)
#define PTE_WRITE     (1ull << 1)
#define PTE_PWT       (1ull << 3)
#define PTE_PCD       (1ull << 4)
#define PTE_NX        (1ull << 63)
#define PTE_ADDRESS   0x000ffffffffff000ull

enum { ENTRIES = 512, LEVELS = 4 };

extern uint64_t paging_pml4[ENTRIES], paging_pd_image[ENTRIES], paging_pt_image[ENTRIES];
extern char image_start[], image_text_end[], image_rodata_end[], image_end[], boot_stack_guard[];

static void image_map(const char *from, const char *to, uint64_t rights)
{
    for (uint64_t at = (uint64_t)from; at < (uint64_t)to; at += PAGE_SIZE)
        paging_pt_image[(at / PAGE_SIZE) % ENTRIES] = at | PTE_PRESENT | rights;
}

void paging_init(void)
{
    image_map(image_start, image_text_end, 0);
    image_map(image_text_end, image_rodata_end, PTE_NX);
    image_map(image_rodata_end, image_end, PTE_WRITE | PTE_NX);
    paging_pt_image[((uint64_t)boot_stack_guard / PAGE_SIZE) % ENTRIES] = 0;
    paging_pd_image[1] = (uint64_t)paging_pt_image | PTE_PRESENT | PTE_WRITE;
    cr3_write((uint64_t)paging_pml4);
}

static uint64_t entry_load(hpa_t at)
{
    uint64_t entry;
    phys_read(at, &entry, sizeof entry);
    return entry;
}

/* Finds the last-level entry for an address, making tables on the way when `make` is set. */
static bool entry_find(uint64_t address, bool make, hpa_t *out)
{
    hpa_t table = hpa((uint64_t)paging_pml4);
    for (unsigned level = LEVELS - 1;; level--) {
        hpa_t at = hpa(table.raw + 8 * ((address >> (12 + 9 * level)) % ENTRIES));
        if (level == 0) {
            *out = at;
            return true;
        }
        uint64_t entry = entry_load(at);
        if (!(entry & PTE_PRESENT)) {
            hpa_t fresh;
            if (!make || !heap_take_page(&fresh))
                return false;
            entry = fresh.raw | PTE_PRESENT | PTE_WRITE;
            phys_write(at, &entry, sizeof entry);
        }
        table = hpa(entry & PTE_ADDRESS);
    }
}

bool paging_map(uint64_t address, hpa_t to, uint64_t size, unsigned rights)
{
    if ((rights & PAGING_WRITE) && (rights & PAGING_EXECUTE))
        return false;
    uint64_t bits = PTE_PRESENT | (rights & PAGING_WRITE ? PTE_WRITE : 0) | (rights & PAGING_EXECUTE ? 0 : PTE_NX) |
                    (rights & PAGING_UNCACHED ? PTE_PCD | PTE_PWT : 0);
    for (uint64_t done = 0; done < size; done += PAGE_SIZE) {
        hpa_t at;
        if (!entry_find(address + done, true, &at) || (entry_load(at) & PTE_PRESENT))
            return false;
        uint64_t entry = (to.raw + done) | bits;
        phys_write(at, &entry, sizeof entry);
    }
    return true;
}

void paging_unmap(uint64_t address)
{
    hpa_t at;
    if (!entry_find(address, false, &at))
        return;
    uint64_t none = 0;
    phys_write(at, &none, sizeof none);
    invlpg(address);
}
