/*
 * The end of the box: the raw record on the console, every other CPU stopped.
 */
#pragma once

#include "core/types.h"

struct trap_frame;

void panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void panic_trap(const struct trap_frame *frame) __attribute__((noreturn));
