/*
 * A row for each attack, a column for each engine.
 */
#include "tests/system/attack_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 512, MAX_ENGINES = 8, TEXT_SIZE = 120, NAME_SIZE = 48 };

struct row {
    char attack[NAME_SIZE];
    char outcomes[MAX_ENGINES][TEXT_SIZE];
};

static struct row rows[MAX_ROWS];
static unsigned row_count, engine_count;
static char engine_names[MAX_ENGINES][NAME_SIZE];
static char *last; /* the outcome noted last */

static unsigned engine_index(const char *engine)
{
    unsigned i = 0;
    while (i < engine_count && strcmp(engine_names[i], engine) != 0)
        i++;
    if (i == engine_count && engine_count < MAX_ENGINES)
        snprintf(engine_names[engine_count++], NAME_SIZE, "%s", engine);
    return i < MAX_ENGINES ? i : MAX_ENGINES - 1;
}

/* The first row of that name which this engine has not filled: an attack may come several times. */
static struct row *find_row(const char *attack, unsigned engine)
{
    for (unsigned i = 0; i < row_count; i++)
        if (strcmp(rows[i].attack, attack) == 0 && rows[i].outcomes[engine][0] == '\0')
            return &rows[i];
    if (row_count == MAX_ROWS)
        return &rows[MAX_ROWS - 1];
    snprintf(rows[row_count].attack, NAME_SIZE, "%s", attack);
    return &rows[row_count++];
}

void attack_table_note(const char *engine, const char *attack, const char *outcome)
{
    unsigned column = engine_index(engine);
    last = find_row(attack, column)->outcomes[column];
    snprintf(last, TEXT_SIZE, "%s", outcome);
}

/* Without the frame that `attach` puts around the news. */
void attack_table_outcome(bool held, const char *line)
{
    const char *from = strstr(line, "[hostile is ");
    const char *text = from != NULL ? from + strlen("[hostile is ") : line;
    const char *end = strstr(text, "; Ctrl-");
    int length = end != NULL ? (int)(end - text) : (int)strlen(text);
    if (strncmp(text, "hostile: ", 9) == 0) {
        text += 9;
        length -= 9;
    }
    if (strstr(text, "PASS ") != NULL) /* something that the attack wrote to the UART may stand before it */
        snprintf(last, TEXT_SIZE, "refused");
    else if (strncmp(text, "goes on", 7) == 0)
        snprintf(last, TEXT_SIZE, "loops, stopped by the console");
    else
        snprintf(last, TEXT_SIZE, "%s%.*s", held ? "" : "WRONG: ", length, text);
}

static void print_table(FILE *to)
{
    fprintf(to, "%-46s", "ATTACK");
    for (unsigned i = 0; i < engine_count; i++)
        fprintf(to, "  %s", engine_names[i]);
    fprintf(to, "\n");
    for (unsigned i = 0; i < row_count; i++) {
        fprintf(to, "%-46s", rows[i].attack);
        for (unsigned j = 0; j < engine_count; j++)
            fprintf(to, "%s%s", j == 0 ? "  " : " | ",
                    rows[i].outcomes[j][0] != '\0' ? rows[i].outcomes[j] : "not run");
        fprintf(to, "\n");
    }
}

bool attack_table_write(void)
{
    const char *build = getenv("RINGFENCE_BUILD");
    char path[512];
    snprintf(path, sizeof path, "%s/attack.txt", build != NULL ? build : "build");
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    print_table(file);
    print_table(stdout);
    return fclose(file) == 0;
}
