/*
 * Error lines about a text that a person wrote: "FILE:LINE:COLUMN: what 'offending text' (hint)".
 * Used by the readers of ringfence.conf and of the machine text.
 */
#pragma once

#include "core/config.h"

enum {
    TEXT_REPORT_MAX_LINES = 64, /* then errors are only counted: a serial line is slow and a file may be all rubbish */
    TEXT_REPORT_MAX_QUOTE = 40, /* bytes of the offending text that are shown */
};

struct text_report {
    const char *file;
    struct sink *errors;
    unsigned count; /* errors so far */
};

/* One error. `hint` says what was expected and goes between the parentheses. */
/*@ requires \valid(report) && slice_readable(at.text);
    assigns report->count; */
void text_error(struct text_report *report, struct config_text at, const char *what, const char *hint, ...)
    __attribute__((format(printf, 4, 5)));

/* The same in pieces: the hint is what the caller prints on the returned sink before text_error_close. */
/*@ requires \valid(report) && slice_readable(at.text);
    assigns report->count; */
struct sink *text_error_open(struct text_report *report, struct config_text at, const char *what);
/*@ requires \valid_read(report);
    assigns \nothing; */
void text_error_close(struct text_report *report);

/* Says how many errors were counted but not shown, if any were. */
/*@ requires \valid_read(report);
    assigns \nothing; */
void text_report_finish(struct text_report *report);

/* `text` between single quotes on one line: other bytes than printable ASCII as \xNN, a long text cut. */
/*@ requires slice_readable(text);
    assigns \nothing; */
void text_print_quoted(struct sink *out, struct slice text);

/* Bytes [from, from + length) of a text, which must be inside, with the place where they stand. */
/*@ requires from + length <= whole.text.length;
    assigns \nothing;
    ensures \result.text.at == whole.text.at + from && \result.text.length == length; */
struct config_text text_part(struct config_text whole, size_t from, size_t length);
