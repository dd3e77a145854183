/*
 * The hypervisor's own messages: log_line (core/console.h) stamps a line with the time and keeps it in a ring, from
 * any CPU; the console shows it and the command `log` dumps it. Not for NMI handlers and panics: it takes a lock.
 */
#pragma once

#include "core/console.h"

enum { LOG_LINE_SIZE = 256 }; /* bytes of a line with its stamp and line feed; a longer text is cut and ends in "..." */

/*
 * From now on stamps count from `now` (TSC ticks) at `tsc_hz` ticks a second; before that they are 0.000. Only the
 * first call counts, on the boot CPU: console_init makes one, boot/ may have made it earlier.
 */
void log_set_clock(uint64_t tsc_hz, uint64_t now);

/* The ring that holds the lines: "[   12.345] text\n", printable ASCII only. */
struct ring *log_ring(void);

/* Reads the log line by line. All zero: from the oldest line on. */
struct log_reader {
    uint64_t at; /* position in the ring */
    uint32_t length;
    char line[LOG_LINE_SIZE]; /* the line being collected */
};

/*
 * The next whole line with its line feed, good until the next call; false when there is none yet. *lost is how many
 * bytes were overwritten before they could be read, usually 0.
 */
bool must_check log_reader_next(struct log_reader *reader, struct slice *line, uint64_t *lost);
bool log_reader_done(const struct log_reader *reader);

/* The text of a line without its stamp. */
struct slice log_text(struct slice line);

/*
 * A sink whose lines become log lines: for functions that report in many lines. Text without a line feed at its end
 * waits for log_sink_flush; a line too long for the log goes on in the next one.
 */
struct log_sink {
    struct sink sink; /* first */
    uint32_t length;
    char line[LOG_LINE_SIZE / 2];
};

void log_sink_init(struct log_sink *log);
void log_sink_flush(struct log_sink *log);
