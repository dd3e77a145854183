/*
 * Typed values out of a configuration-like text. Each function reports its error itself, with the
 * caller's word for what the value is, leaves *out alone then and returns false.
 */
#pragma once

#include "core/text_report.h"

struct text_choice {
    const char *name;
    int value;
};

/* Decimal or 0x hexadecimal, from min to max. `noun`: what it is, such as "a CPU number". */
/*@ requires \valid(report) && \valid(out) && \separated(report, out) && slice_readable(text.text);
    assigns *out, report->count;
    ensures \result ==> min <= *out <= max; */
bool must_check text_value_number(struct text_report *report, struct config_text text, const char *noun, uint64_t min,
                                  uint64_t max, uint64_t *out);

/* "N" or "N-M", both of at most `max`; the caller judges whether M is the larger one. */
/*@ requires \valid(report) && \valid(out) && \separated(report, out) && slice_readable(text.text);
    assigns *out, report->count; */
bool must_check text_value_range(struct text_report *report, struct config_text text, const char *noun, uint32_t max,
                                 struct config_range *out);

/* Bytes: a number, with K, M, G or T for the powers of 1024, from 0 to max. */
/*@ requires \valid(report) && \valid(out) && \separated(report, out) && slice_readable(text.text);
    assigns *out, report->count; */
bool must_check text_value_size(struct text_report *report, struct config_text text, const char *noun, uint64_t max,
                                uint64_t *out);

/* One word of a list. */
/*@ requires \valid_read(choices + (0 .. count - 1));
    requires \valid(report) && \valid(out) && \separated(report, out) && slice_readable(text.text);
    assigns *out, report->count;
    ensures \result ==> \exists integer i; 0 <= i < count && *out == choices[i].value; */
bool must_check text_value_choice(struct text_report *report, struct config_text text,
                                  const struct text_choice *choices, size_t count, int *out);

/* The name of `value`, which is one of the choices; "?" otherwise. */
/*@ requires \valid_read(choices + (0 .. count - 1));
    assigns \nothing; */
const char *text_choice_name(const struct text_choice *choices, size_t count, int value);
