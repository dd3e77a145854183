/*
 * Strings that a boot protocol points to, written one behind the other. Private to the loaders.
 */
#pragma once

#include "core/loader_protocol.h"

/*
 * Writes `text` at *at, sets *address to where it begins and moves *at behind its terminator, which zeroed RAM has
 * already. The caller has seen that all of its strings fit. False with a line on `errors` where there is no RAM.
 */
bool must_check loader_string_write(const struct partition *p, struct slice text, uint32_t *at, uint32_t *address,
                                    struct sink *errors);
