/*
 * The keys of the machine text as a table: private to tools/machine_keys.c and tools/machine_parse.c.
 */
#pragma once

#include "core/machine_words.h"
#include "core/text_line.h"

struct machine_key {
    const char *name;
    /* Reads the value into `machine`, or reports what is wrong with it. */
    void (*set)(struct text_report *report, struct machine *machine, struct config_text value);
    bool repeats;
    bool needed;
};

enum { MACHINE_KEYS = 10 };

extern const struct machine_key machine_keys[MACHINE_KEYS];
