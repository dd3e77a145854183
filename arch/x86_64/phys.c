/*
 * core/phys.h: two moving 2 MiB windows per CPU. A window is closed after each use, so that no guest memory stays
 * mapped (and none can be reached by speculation) while guests run.
 */
#include "core/phys.h"

#include "arch/x86_64/phys_window.h"
#include "arch/x86_64/wide.h"
#include "core/bytes.h"

static void *window_open(enum window which, uint64_t address)
{
    unsigned slot = window_slot(which);
    paging_pd_window[slot] = window_entry(which, address);
    return (void *)(window_address(slot) + (address & (PAGE_SIZE_2M - 1)));
}

static void window_close(enum window which)
{
    unsigned slot = window_slot(which);
    paging_pd_window[slot] = 0;
    invlpg(window_address(slot));
}

/* How much of `size` lies in the same 2 MiB as `address`. */
static uint64_t piece(uint64_t address, uint64_t size)
{
    uint64_t left = PAGE_SIZE_2M - (address & (PAGE_SIZE_2M - 1));
    return size < left ? size : left;
}

void phys_read(hpa_t from, void *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        uint64_t part = piece(from.raw + done, size - done);
        memcpy((char *)to + done, window_open(WINDOW_FROM, from.raw + done), part);
        window_close(WINDOW_FROM);
        done += part;
    }
}

void phys_write(hpa_t to, const void *from, size_t size)
{
    for (size_t done = 0; done < size;) {
        uint64_t part = piece(to.raw + done, size - done);
        memcpy(window_open(WINDOW_TO, to.raw + done), (const char *)from + done, part);
        window_close(WINDOW_TO);
        done += part;
    }
}

void phys_zero(hpa_t to, uint64_t size)
{
    for (uint64_t done = 0; done < size;) {
        uint64_t part = piece(to.raw + done, size - done);
        wide_zero(window_open(WINDOW_TO, to.raw + done), part);
        window_close(WINDOW_TO);
        done += part;
    }
}

void phys_copy(hpa_t to, hpa_t from, uint64_t size)
{
    for (uint64_t done = 0; done < size;) {
        uint64_t part = piece(to.raw + done, piece(from.raw + done, size - done));
        wide_copy(window_open(WINDOW_TO, to.raw + done), window_open(WINDOW_FROM, from.raw + done), part);
        window_close(WINDOW_TO);
        window_close(WINDOW_FROM);
        done += part;
    }
}
