/*
 * COM1, polled, and a small printf.
 */
#pragma once

#include <stdbool.h>

void console_init(void);
void console_put(char c);
bool console_get(char *c); /* false: nothing has arrived */

/* Conversions: %% %c %s %d %u %x with the lengths l and ll, the flag 0 and a width. A new line becomes CR LF. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
