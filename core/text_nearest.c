/*
 * Edit distance: how many letters must be added, removed, changed or swapped with their neighbour
 * to make one word of the other. Case does not count.
 */
#include "core/text_nearest.h"

/*@ assigns \nothing; */
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/*@ assigns \nothing; */
static bool same(char a, char b) { return lower(a) == lower(b); }

/*@ assigns \nothing;
    ensures \result == \min(a, b); */
static uint32_t min(uint32_t a, uint32_t b) { return a < b ? a : b; }

struct row {
    uint32_t at[TEXT_NEAREST_MAX + 1];
};

struct rows {
    struct row before;   /* distances two letters of a ago */
    struct row previous; /* one letter ago */
    struct row current;
};

/* Fills current.at[] for the letter a[i], where i counts from 1. */
/*@ requires \valid(rows) && slice_readable(a) && slice_readable(b);
    requires 1 <= i <= a.length && b.length <= TEXT_NEAREST_MAX;
    assigns rows->current.at[0 .. b.length]; */
static void next_row(struct rows *rows, struct slice a, struct slice b, size_t i)
{
    rows->current.at[0] = (uint32_t)i;
    /*@ loop invariant 1 <= j <= b.length + 1;
        loop assigns j, rows->current.at[1 .. b.length];
        loop variant b.length + 1 - j; */
    for (size_t j = 1; j <= b.length; j++) {
        uint32_t change = rows->previous.at[j - 1] + (same(a.at[i - 1], b.at[j - 1]) ? 0 : 1);
        uint32_t best = min(change, min(rows->previous.at[j], rows->current.at[j - 1]) + 1);
        if (i > 1 && j > 1 && same(a.at[i - 1], b.at[j - 2]) && same(a.at[i - 2], b.at[j - 1]))
            best = min(best, rows->before.at[j - 2] + 1);
        rows->current.at[j] = best;
    }
}

/*@ requires slice_readable(a) && slice_readable(b) && a.length <= TEXT_NEAREST_MAX && b.length <= TEXT_NEAREST_MAX;
    assigns \nothing; */
static uint32_t distance(struct slice a, struct slice b)
{
    struct rows rows;

    /*@ loop invariant 0 <= j <= b.length + 1;
        loop assigns j, rows.before.at[0 .. b.length], rows.previous.at[0 .. b.length], rows.current.at[0 .. b.length];
        loop variant b.length + 1 - j; */
    for (size_t j = 0; j <= b.length; j++)
        rows.before.at[j] = rows.previous.at[j] = rows.current.at[j] = (uint32_t)j;
    /*@ loop invariant 1 <= i <= a.length + 1;
        loop assigns i, rows;
        loop variant a.length + 1 - i; */
    for (size_t i = 1; i <= a.length; i++) {
        next_row(&rows, a, b, i);
        rows.before = rows.previous;
        rows.previous = rows.current;
    }
    return rows.previous.at[b.length];
}

void text_nearest_init(struct text_nearest *nearest, struct slice word)
{
    /* About one slip in three letters; beyond that a suggestion confuses more than it helps. */
    uint32_t limit = (uint32_t)(min((uint32_t)word.length, TEXT_NEAREST_MAX) + 2) / 3;

    *nearest = (struct text_nearest){.word = word, .name = NULL, .distance = limit + 1};
}

void text_nearest_consider(struct text_nearest *nearest, const char *name)
{
    struct slice known = slice_of(name);

    if (nearest->word.length == 0 || nearest->word.length > TEXT_NEAREST_MAX || known.length > TEXT_NEAREST_MAX)
        return;
    uint32_t d = distance(nearest->word, known);
    if (d < nearest->distance) {
        nearest->distance = d;
        nearest->name = name;
    }
}
