/*
 * What became of each attack on each engine: collected while the tests run, written as one table at the end.
 */
#pragma once

#include <stdbool.h>

/* Begins a line: what stands here when nothing else comes. */
void attack_table_note(const char *engine, const char *attack, const char *outcome);
/* The outcome of the attack noted last, from the line that told it; `held`: it was as it must be. */
void attack_table_outcome(bool held, const char *line);
/* Writes $RINGFENCE_BUILD/attack.txt and prints it. False: the file cannot be written. */
bool attack_table_write(void);
