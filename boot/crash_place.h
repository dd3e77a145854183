/*
 * Where the crash record lies: a page that every boot of the same box finds at the same address, and nobody else
 * writes.
 */
#pragma once

#include "core/machine.h"

/*
 * Takes the page out of the map, before anybody else is given memory. The choice depends on the machine's map and on
 * what the loader has put where, which are the same at each boot. False: there is none; the box runs without a record.
 */
bool must_check crash_place_take(struct machine *machine, hpa_t *page);

/* Maps the page with `map` (uncached: what is written must not wait in a cache for a reset) and opens the record. */
void crash_place_open(const struct machine *machine, hpa_t page, void *(*map)(hpa_t page), struct sink *out);
