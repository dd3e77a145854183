/*
 * SDM vol. 3, "MSR-Bitmap Address": four bitmaps of 1 KiB - read low, read high, write low, write high; low is MSRs
 * 0-1FFFh, high C0000000h-C0001FFFh. A set bit exits; MSRs outside always do.
 */
#include "arch/x86_64/heap.h"
#include "arch/x86_64/vmx/vmx.h"
#include "core/bytes.h"
#include "core/msr.h"

enum { HIGH = 1024, WRITE = 2048 };
#define MSR_HIGH_FIRST 0xc0000000u
#define MSR_RANGE      0x2000u

void vmx_msr_bitmap_open(uint64_t *page, uint32_t first, uint32_t last, bool write)
{
    for (uint32_t number = first; number <= last; number++) {
        bool high = number >= MSR_HIGH_FIRST;
        uint32_t bit = high ? number - MSR_HIGH_FIRST : number;
        uint8_t *bitmap = (uint8_t *)page + (write ? WRITE : 0) + (high ? HIGH : 0);
        if (bit < MSR_RANGE)
            bitmap[bit / 8] &= (uint8_t) ~(1u << bit % 8);
    }
}

bool vmx_msr_bitmap_create(uint64_t **page, bool virtual_interrupts)
{
    if (*page != NULL)
        return true;
    *page = heap_alloc(PAGE_SIZE);
    if (*page == NULL)
        return false;
    memset(*page, 0xff, PAGE_SIZE);
    for (size_t i = 0; i < msr_rule_count; i++) {
        const struct msr_rule *rule = &msr_rules[i];
        if (msr_is_direct(rule->read, virtual_interrupts))
            vmx_msr_bitmap_open(*page, rule->first, rule->last, false);
        if (msr_is_direct(rule->write, virtual_interrupts))
            vmx_msr_bitmap_open(*page, rule->first, rule->last, true);
    }
    return true;
}
