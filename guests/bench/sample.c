/*
 * Readings of one case, sorted for their median.
 */
#include "guests/bench/sample.h"

#include <stdbool.h>

#include "guests/common/console.h"

static uint64_t work[SAMPLES], empty[SAMPLES];
static bool has_empty;

void sample_put(unsigned index, uint64_t ticks) { work[index] = ticks; }

void sample_empty(unsigned index, uint64_t ticks)
{
    empty[index] = ticks;
    has_empty = true;
}

/* Shell sort: a thousand readings that are nearly all equal need nothing better, and no stack. */
static void sort(uint64_t values[SAMPLES])
{
    for (unsigned gap = SAMPLES / 2; gap > 0; gap /= 2) {
        for (unsigned i = gap; i < SAMPLES; i++) {
            uint64_t value = values[i];
            unsigned j = i;
            for (; j >= gap && values[j - gap] > value; j -= gap)
                values[j] = values[j - gap];
            values[j] = value;
        }
    }
}

static uint64_t less(uint64_t ticks, uint64_t by) { return ticks > by ? ticks - by : 0; }

void sample_report(const char *name)
{
    uint64_t by = 0;
    if (has_empty) {
        sort(empty);
        by = empty[SAMPLES / 2];
    }
    sort(work);
    print("bench: %s %lu %lu %lu %u\n", name, less(work[0], by), less(work[SAMPLES / 2], by),
          less(work[SAMPLES - 1], by), (unsigned)SAMPLES);
    has_empty = false;
}

void sample_absent(const char *name, const char *reason) { print("bench: %s absent: %s\n", name, reason); }

void sample_figure(const char *name, uint64_t value) { print("bench: %s %lu %lu %lu 1\n", name, value, value, value); }
