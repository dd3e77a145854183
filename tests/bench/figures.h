/*
 * Figures of the bench guest and of the box around it, as lines of a file: "NAME MINIMUM MEDIAN MAXIMUM COUNT", or
 * "NAME absent REASON". A single figure is its own minimum, median and maximum.
 */
#pragma once

#include <stdio.h>

#include "tests/system/box.h"

enum { FIGURES_MAX = 256, FIGURE_NAME_SIZE = 48, FIGURE_REASON_SIZE = 96 };

struct figure {
    char name[FIGURE_NAME_SIZE];
    bool absent;
    char reason[FIGURE_REASON_SIZE];
    uint64_t minimum, median, maximum, count;
};

struct figures {
    size_t count;
    struct figure list[FIGURES_MAX];
};

/* The figure of that name, or NULL. */
const struct figure *figures_find(const struct figures *figures, const char *name);

/* A figure that is one number. Fails the case when the list is full or has that name already. */
void figures_add(struct box *box, struct figures *figures, const char *name, uint64_t value);
void figures_add_absent(struct box *box, struct figures *figures, const char *name, const char *reason);

/* Takes the lines of a bench guest from the console until its last one; `suffix` is added to each name. */
void figures_collect(struct box *box, struct figures *figures, const char *suffix);

/*
 * Starts the partition "bench" (start = manual) at the prompt, waits until it has switched itself off, and takes the
 * lines it left, as figures_collect: so that no message of the box can stand in the middle of one.
 */
void figures_run(struct box *box, struct figures *figures, const char *suffix);

/*
 * Attaches to the partition "bench", which restarts itself (cmdline = restart), and takes "restart_ticks": from its
 * request to the first instruction of its next life.
 */
void figures_restart(struct box *box, struct figures *figures);

/* Adds to the end of `file`. Fails the case when that is not possible. */
void figures_append(struct box *box, const struct figures *figures, const char *file);

/*
 * Holds `measured` against a file of "NAME TICKS" lines ('#' starts a comment). Writes one line to `report` for every
 * name that is missing or whose median is more than `percent` above what is expected, and returns how many there are.
 * Medians that are as much below are told too, but not counted: the file wants to be renewed then.
 */
unsigned figures_compare(struct box *box, const struct figures *measured, const char *file, unsigned percent,
                         FILE *report);
