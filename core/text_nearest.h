/*
 * Which known word somebody meant who wrote an unknown one.
 */
#pragma once

#include "core/bytes.h"

enum { TEXT_NEAREST_MAX = 32 }; /* longer words are not compared */

struct text_nearest {
    struct slice word;
    const char *name; /* the best so far, or NULL when none is near enough to be a slip of the keyboard */
    uint32_t distance;
};

/*@ requires \valid(nearest);
    assigns *nearest;
    ensures nearest->word == word; */
void text_nearest_init(struct text_nearest *nearest, struct slice word);
/*@ requires \valid(nearest) && slice_readable(nearest->word);
    assigns nearest->name, nearest->distance; */
void text_nearest_consider(struct text_nearest *nearest, const char *name);
