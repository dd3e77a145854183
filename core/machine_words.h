/*
 * The words of the machine text: private to core/machine_text.c, which writes it, and tools/machine_parse.c, which
 * reads it.
 */
#pragma once

#include "core/machine.h"
#include "core/text_value.h"

enum {
    MACHINE_TEXT_VERSION = 1,
    MACHINE_MEMORY_KINDS = MEMORY_BAD + 1,
    MACHINE_CPU_STATES = 2,
    MACHINE_CAPS = 6,
};

/* A capability that is there or not. */
struct machine_cap {
    const char *name;
    size_t offset; /* of its bool in struct cpu_caps */
};
_Static_assert(sizeof(struct cpu_caps) == MACHINE_CAPS + 1, "a field of struct cpu_caps is missing in the text");

extern const struct text_choice machine_memory_kinds[MACHINE_MEMORY_KINDS]; /* enum memory_kind */
extern const struct text_choice machine_cpu_states[MACHINE_CPU_STATES];     /* online: 1 */
extern const struct machine_cap machine_caps[MACHINE_CAPS];

/* Bytes of a module's name that the text shows as \xNN: they would end the name, or do harm on a terminal. */
bool machine_name_escapes(char byte);
