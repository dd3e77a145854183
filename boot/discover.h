/*
 * What box is this: GRUB's tags, the firmware's tables and the CPU's own word, into one struct machine.
 */
#pragma once

#include "boot/multiboot2.h"

/*
 * Copies the structure at physical address `info` to `copy`, where *extra points into it, and parses it, then the ACPI
 * tables. False with lines on `errors`: without a memory map nothing can run. Fills everything but caps, the clocks,
 * which CPUs are online and their cores.
 */
bool must_check discover_machine(uint32_t info, char copy[MULTIBOOT2_MAX_SIZE], struct machine *machine,
                                 struct multiboot2_info *extra, struct sink *errors);

/*
 * Fills tsc_hz and tsc_told_by, from what is most exact: the 8254, the ACPI PM timer where firmware has switched that
 * off, and the CPU's own word where both stand still. False, said on `errors`: none of them tells it.
 */
bool must_check discover_clock(struct machine *machine, struct sink *errors);

/* Who this is, in two lines. */
void discover_print(const struct machine *machine, const struct multiboot2_info *extra, struct sink *out);
