/*
 * The lines of one machine. tests/attack.sh makes one table of all.
 */
#include "tests/system/attack_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 48 };

static FILE *file;
static char group_name[NAME_SIZE], attack_name[NAME_SIZE]; /* the latter empty: nothing is open */

static bool line_is_open;

static void end_line(void)
{
    if (file != NULL && line_is_open) {
        fprintf(file, "\n");
        fflush(file);
    }
    line_is_open = false;
}

/* The outcome, to which a remark may still be added. */
static void write_row(const char *prefix, const char *text, int length)
{
    end_line();
    if (file != NULL && attack_name[0] != '\0') {
        fprintf(file, "%s\t%s\t%s%.*s", group_name, attack_name, prefix, length, text);
        line_is_open = true;
    }
    attack_name[0] = '\0';
}

bool attack_table_open(const char *path)
{
    if (path == NULL || *path == '\0')
        return true;
    file = fopen(path, "w");
    if (file == NULL)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return file != NULL;
}

void attack_table_group(const char *group)
{
    write_row("NO ANSWER", "", 0);
    snprintf(group_name, sizeof group_name, "%s", group);
}

void attack_table_note(const char *attack)
{
    write_row("NO ANSWER", "", 0);
    snprintf(attack_name, sizeof attack_name, "%s", attack);
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
        write_row("refused", "", 0);
    else if (strncmp(text, "goes on", 7) == 0)
        write_row("loops, stopped by the console", "", 0);
    else
        write_row(held ? "" : "WRONG: ", text, length);
}

void attack_table_remark(const char *text)
{
    if (file != NULL && line_is_open)
        fprintf(file, " (%s)", text);
}

bool attack_table_close(void)
{
    write_row("NO ANSWER", "", 0);
    end_line();
    FILE *done = file;
    file = NULL;
    return done == NULL || (ferror(done) == 0 && fclose(done) == 0);
}
