#include "boot/crash_place.h"

#include "core/crash_record.h"

/*
 * Above what GRUB uses for itself and below what firmware uses when it starts from a reset, which is the top of memory
 * below 4 GiB, and for UEFI the first megabytes.
 */
#define PLACE_FLOOR   (16 * MIB)
#define PLACE_CEILING (64 * MIB)

bool crash_place_take(struct machine *machine, hpa_t *page)
{
    uint64_t base;
    if (!machine_find_free(machine, CRASH_PAGE_SIZE, PLACE_FLOOR, PLACE_CEILING, &base) ||
        !machine_reserve(machine, (struct range){base, CRASH_PAGE_SIZE}))
        return false;
    *page = hpa(base);
    return true;
}

void crash_place_open(const struct machine *machine, hpa_t page, void *(*map)(hpa_t page), struct sink *out)
{
    struct crash_page *place = map(page);
    if (place == NULL) {
        sink_print(out, "There is no memory to map the crash record at %lx: nothing is kept of a crash.\n", page.raw);
        return;
    }
    crash_record_open(place, machine->tsc_hz, machine->wall_clock);
    if (crash_record_last() != NULL)
        sink_print(out, "The last boot left a crash record: 'log crash' shows it.\n");
}
