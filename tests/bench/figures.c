/*
 * Figures as text, and the comparison with what they were.
 */
#include "tests/bench/figures.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const struct figure *figures_find(const struct figures *figures, const char *name)
{
    for (size_t i = 0; i < figures->count; i++)
        if (strcmp(figures->list[i].name, name) == 0)
            return &figures->list[i];
    return NULL;
}

static struct figure *add(struct box *box, struct figures *figures, const char *name)
{
    if (figures->count == FIGURES_MAX || strlen(name) >= FIGURE_NAME_SIZE)
        box_fail(box, "figure '%s': expected at most %d figures with names below %d characters", name, FIGURES_MAX,
                 FIGURE_NAME_SIZE);
    if (figures_find(figures, name) != NULL)
        box_fail(box, "figure '%s' came twice", name);
    struct figure *figure = &figures->list[figures->count++];
    *figure = (struct figure){.count = 1};
    strcpy(figure->name, name);
    return figure;
}

void figures_add(struct box *box, struct figures *figures, const char *name, uint64_t value)
{
    struct figure *figure = add(box, figures, name);
    figure->minimum = figure->median = figure->maximum = value;
}

void figures_add_absent(struct box *box, struct figures *figures, const char *name, const char *reason)
{
    struct figure *figure = add(box, figures, name);
    figure->absent = true;
    snprintf(figure->reason, sizeof figure->reason, "%s", reason);
}

/* "hypercall 50 50 90 1000" or "xapic_tpr absent: reason". False: a line of another form. */
static bool take_line(struct box *box, struct figures *figures, const char *line, const char *suffix)
{
    char word[FIGURE_NAME_SIZE], name[2 * FIGURE_NAME_SIZE], reason[FIGURE_REASON_SIZE];
    uint64_t minimum, median, maximum, count;
    if (sscanf(line, "%47[a-z0-9_] %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, word, &minimum, &median, &maximum,
               &count) == 5) {
        snprintf(name, sizeof name, "%s%s", word, suffix);
        struct figure *figure = add(box, figures, name);
        figure->minimum = minimum;
        figure->median = median;
        figure->maximum = maximum;
        figure->count = count;
        return true;
    }
    if (sscanf(line, "%47[a-z0-9_] absent: %95[^\n]", word, reason) == 2) {
        snprintf(name, sizeof name, "%s%s", word, suffix);
        figures_add_absent(box, figures, name, reason);
        return true;
    }
    return false;
}

void figures_collect(struct box *box, struct figures *figures, const char *suffix)
{
    static const char head[] = "bench: ";
    for (;;) {
        const char *at = box_expect_line(box, "^bench: ") + sizeof head - 1;
        if (strcmp(at, "end") == 0)
            return;
        if (strncmp(at, "entered at ", 11) != 0 && !take_line(box, figures, at, suffix))
            box_fail(box, "'%s' is no line of a figure", at);
    }
}

void figures_run(struct box *box, struct figures *figures, const char *suffix)
{
    box_expect(box, "ringfence> ");
    box_command(box, "start bench");
    const char *line = box_expect_line(box, "bench: (stopped|not running): ");
    if (strstr(line, "powered off by the guest") == NULL)
        box_fail(box, "the bench guest did not come to its end: %s", line);
    box_command(box, "log bench");
    figures_collect(box, figures, suffix);
}

static int compare_ticks(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

void figures_restart(struct box *box, struct figures *figures)
{
    enum { TIMES = 5 };
    uint64_t ticks[TIMES];
    box_expect(box, "ringfence> ");
    box_attach(box, "bench");
    for (unsigned i = 0; i < TIMES; i++) {
        box_expect_line(box, "bench: resets at ([0-9]+)");
        uint64_t from = box_number(box, 1);
        box_expect_line(box, "bench: entered at ([0-9]+)");
        ticks[i] = box_number(box, 1) - from;
    }
    qsort(ticks, TIMES, sizeof ticks[0], compare_ticks);
    struct figure *figure = add(box, figures, "restart_ticks");
    figure->minimum = ticks[0];
    figure->median = ticks[TIMES / 2];
    figure->maximum = ticks[TIMES - 1];
    figure->count = TIMES;
}

void figures_append(struct box *box, const struct figures *figures, const char *file)
{
    FILE *to = fopen(file, "a");
    if (to == NULL)
        box_fail(box, "%s: %s", file, strerror(errno));
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *f = &figures->list[i];
        if (f->absent)
            fprintf(to, "%s absent %s\n", f->name, f->reason);
        else
            fprintf(to, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", f->name, f->minimum, f->median,
                    f->maximum, f->count);
    }
    if (fclose(to) != 0)
        box_fail(box, "%s: %s", file, strerror(errno));
}

/* Whether `to` is more than `percent` above `from`. Whole numbers: 19 to 20 is more than 5 %, 20 to 21 is not. */
static bool is_above(uint64_t to, uint64_t from, unsigned percent) { return to * 100 > from * (100 + percent); }

static unsigned compare(const struct figures *measured, const char *name, uint64_t expected, unsigned percent,
                        FILE *report)
{
    const struct figure *figure = figures_find(measured, name);
    if (figure == NULL || figure->absent) {
        fprintf(report, "%s was not measured, expected %" PRIu64 " ticks\n", name, expected);
        return 1;
    }
    if (is_above(figure->median, expected, percent)) {
        fprintf(report, "%s takes %" PRIu64 " ticks, expected %" PRIu64 ", at most %u %% more\n", name, figure->median,
                expected, percent);
        return 1;
    }
    if (is_above(expected, figure->median, percent))
        fprintf(report, "%s takes only %" PRIu64 " ticks, expected %" PRIu64 ": 'make bench-accept' notes it\n", name,
                figure->median, expected);
    return 0;
}

unsigned figures_compare(struct box *box, const struct figures *measured, const char *file, unsigned percent,
                         FILE *report)
{
    char line[256], name[FIGURE_NAME_SIZE];
    unsigned worse = 0, number = 0;
    uint64_t expected;
    FILE *from = fopen(file, "r");
    if (from == NULL)
        box_fail(box, "%s: %s", file, strerror(errno));
    while (fgets(line, sizeof line, from) != NULL) {
        number++;
        if (line[0] == '#' || line[0] == '\n')
            continue;
        if (sscanf(line, "%47[a-z0-9_] %" SCNu64, name, &expected) != 2)
            box_fail(box, "%s:%u: '%.*s' is no line 'NAME TICKS'", file, number, (int)strcspn(line, "\n"), line);
        worse += compare(measured, name, expected, percent, report);
    }
    fclose(from);
    return worse;
}
