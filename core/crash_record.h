/*
 * The box's crash record: what the boot before this one left, and what this one leaves. From any CPU.
 */
#pragma once

#include "core/crash.h"
#include "core/sink.h"

/*
 * Takes over the page at `place`: keeps a copy of the record that it holds, if it holds one, and begins a new one. On
 * the boot CPU, once; before that lines are not kept. `tsc_hz` and `wall_clock` (seconds since 1970 when the TSC was 0)
 * are for the date in front of each line.
 */
void crash_record_open(struct crash_page *place, uint64_t tsc_hz, uint64_t wall_clock);

/* The record of the boot before; NULL: it left none, or nothing is in it. Never changes after crash_record_open. */
const struct crash_page *crash_record_last(void);

/* Adds "DATE TIME UTC text\n", with other bytes than printable ASCII as '?'; a text longer than a line is cut. */
void crash_record_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The same for a panic, whose text may have several lines. Takes no lock: all other CPUs are stopped, and one of them
 * may hold it.
 */
void crash_record_panic(const char *text, size_t length);
