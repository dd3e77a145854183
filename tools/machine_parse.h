/*
 * The machine's description, read back from the text that the console's `machine` prints. Only a PC needs that: the box
 * looks at itself.
 */
#pragma once

#include "core/machine.h"

/*
 * Reads what machine_print wrote. `file` names the text in messages. Every error is one line
 * "FILE:LINE:COLUMN: ..." on `errors`; returns false when there was one.
 */
bool must_check machine_parse(const char *file, const char *text, size_t length, struct machine *out,
                              struct sink *errors);
