/*
 * phys_compare: on the way of hot exits, so the window moves only when the next word lies in other 2 MiB. It is closed
 * at the end like every window.
 */
#include "arch/x86_64/phys_window.h"
#include "core/phys.h"

bool phys_compare(const struct phys_word *words, uint32_t count)
{
    unsigned slot = window_slot(WINDOW_FROM);
    uint64_t window = window_address(slot), mapped = words[0].at.raw;
    const struct phys_word *word = words, *end = words + count;
    bool same;

    paging_pd_window[slot] = window_entry(WINDOW_FROM, mapped);
    do {
        if ((word->at.raw ^ mapped) >= PAGE_SIZE_2M) {
            mapped = word->at.raw;
            paging_pd_window[slot] = window_entry(WINDOW_FROM, mapped);
            invlpg(window);
        }
        uint64_t value = *(const volatile uint64_t *)(window + word->at.raw % PAGE_SIZE_2M);
        same = ((value ^ word->value) & word->mask) == 0;
    } while (++word < end && same);
    paging_pd_window[slot] = 0;
    invlpg(window);
    return same;
}
