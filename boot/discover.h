/*
 * What box is this: GRUB's tags, the firmware's tables and the CPU's own word, into one struct machine.
 */
#pragma once

#include "boot/multiboot2.h"

/*
 * Copies the structure at physical address `info` to `copy`, where *extra points into it, and parses it, then the ACPI
 * tables. False with lines on `errors`: without a memory map nothing can run. Fills everything but caps, tsc_hz, which
 * CPUs are online and their cores.
 */
bool must_check discover_machine(uint32_t info, char copy[MULTIBOOT2_MAX_SIZE], struct machine *machine,
                                 struct multiboot2_info *extra, struct sink *errors);

/* Who this is, in two lines. */
void discover_print(const struct machine *machine, const struct multiboot2_info *extra, struct sink *out);
