/*
 * Edit distance: how many letters must be added, removed, changed or swapped with their neighbour
 * to make one word of the other. Case does not count.
 */
#include "core/text_nearest.h"

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool same(char a, char b) { return lower(a) == lower(b); }

static uint32_t min(uint32_t a, uint32_t b) { return a < b ? a : b; }

struct rows {
    uint32_t before[TEXT_NEAREST_MAX + 1];   /* distances two letters of a ago */
    uint32_t previous[TEXT_NEAREST_MAX + 1]; /* one letter ago */
    uint32_t current[TEXT_NEAREST_MAX + 1];
};

/* Fills current[] for the letter a[i], where i counts from 1. */
static void next_row(struct rows *rows, struct slice a, struct slice b, size_t i)
{
    rows->current[0] = (uint32_t)i;
    for (size_t j = 1; j <= b.length; j++) {
        uint32_t change = rows->previous[j - 1] + (same(a.at[i - 1], b.at[j - 1]) ? 0 : 1);
        uint32_t best = min(change, min(rows->previous[j], rows->current[j - 1]) + 1);
        if (i > 1 && j > 1 && same(a.at[i - 1], b.at[j - 2]) && same(a.at[i - 2], b.at[j - 1]))
            best = min(best, rows->before[j - 2] + 1);
        rows->current[j] = best;
    }
}

static uint32_t distance(struct slice a, struct slice b)
{
    struct rows rows;

    for (size_t j = 0; j <= b.length; j++)
        rows.before[j] = rows.previous[j] = rows.current[j] = (uint32_t)j;
    for (size_t i = 1; i <= a.length; i++) {
        next_row(&rows, a, b, i);
        memcpy(rows.before, rows.previous, sizeof rows.before);
        memcpy(rows.previous, rows.current, sizeof rows.previous);
    }
    return rows.previous[b.length];
}

void text_nearest_init(struct text_nearest *nearest, struct slice word)
{
    /* About one slip in three letters; beyond that a suggestion confuses more than it helps. */
    uint32_t limit = (uint32_t)(min((uint32_t)word.length, TEXT_NEAREST_MAX) + 2) / 3;

    *nearest = (struct text_nearest){.word = word, .name = NULL, .distance = limit + 1};
}

void text_nearest_consider(struct text_nearest *nearest, const char *name)
{
    struct slice known = {name, strlen(name)};

    if (nearest->word.length == 0 || nearest->word.length > TEXT_NEAREST_MAX || known.length > TEXT_NEAREST_MAX)
        return;
    uint32_t d = distance(nearest->word, known);
    if (d < nearest->distance) {
        nearest->distance = d;
        nearest->name = name;
    }
}
