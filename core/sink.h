/*
 * Where text goes. A function that reports takes a `struct sink *`, so the same
 * code speaks on the serial console, on a PC's terminal and into a test's buffer.
 */
#pragma once

#include <stdarg.h>

#include "core/types.h"

struct sink {
    void (*put)(struct sink *self, const char *text, size_t length);
};

/*
 * printf into a sink. Conversions: %% %c %s %d %u %x with the lengths l ll z, the flags '-' and '0', a width, and for
 * %s a precision (also '*'). Nothing else: an unknown conversion is printed as it stands.
 */
void sink_print(struct sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sink_vprint(struct sink *sink, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

void sink_repeat(struct sink *sink, char c, size_t count);

/* printf into a buffer, always terminated when size > 0; returns the length the whole text has. */
size_t text_print(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

size_t text_vprint(char *buffer, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Other bytes than printable ASCII become '?': what is shown on a terminal must not move its cursor. */
void text_make_printable(char *text, size_t length);

/* A sink into a buffer: what does not fit is lost; always terminated. */
struct text_sink {
    struct sink sink; /* first */
    char *buffer;
    size_t size;
    size_t length; /* of the whole text, also of what did not fit */
};
void text_sink_init(struct text_sink *to, char *buffer, size_t size);

/* "256 MiB", "1 GiB", "640 KiB", "12 bytes": the largest unit that divides exactly. For %s: size_text(n).text */
struct size_text {
    char text[28];
};
struct size_text size_text(uint64_t bytes);
