/*
 * What became of the attacks of one run: a line GROUP, ATTACK, OUTCOME with tabs between, written as it happens.
 */
#pragma once

#include <stdbool.h>

/* Begins the file of that path; NULL or "": nothing is written. False: it cannot be. */
bool attack_table_open(const char *path);
/* The lines that follow are of this group. */
void attack_table_group(const char *group);
/* Begins a line: "NO ANSWER" stands in it when nothing else comes. */
void attack_table_note(const char *attack);
/* The outcome of the attack noted last, from the line that told it; `held`: it was as it must be. */
void attack_table_outcome(bool held, const char *line);
/* What is to be said of that outcome. */
void attack_table_remark(const char *text);
/* False: something could not be written. */
bool attack_table_close(void);
