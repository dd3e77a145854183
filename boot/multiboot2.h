/*
 * The information structure that a multiboot2 loader (GRUB) leaves: memory map, modules, command line, RSDP. Pure.
 */
#pragma once

#include "boot/acpi.h"
#include "core/bytes.h"
#include "core/machine.h"
#include "drivers/hw/screen.h"

enum { MULTIBOOT2_MAX_SIZE = 64 * 1024 };   /* bytes of the whole structure; GRUB's takes a few KiB */
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289u /* in EAX at entry; the caller checks it */

/* What later stages need but is no part of the machine. Slices point into the structure that was parsed. */
struct multiboot2_info {
    struct slice command_line; /* of the hypervisor; empty when there is none */
    struct slice loader_name;  /* "GRUB 2.06-..."; foreign text, not made safe for printing */
    struct screen_info screen; /* kind SCREEN_NONE: the loader left none that is described */
    size_t rsdp_size;          /* bytes in rsdp: 0 none, ACPI_RSDP_SIZE_1 or ACPI_RSDP_SIZE_2 */
    uint8_t rsdp[ACPI_RSDP_SIZE_2];
};

/*
 * Parses the structure at `info`, of which `size` bytes may be read (a copy: nothing else may change it), into
 * out->regions, out->modules and *extra; what these held before is replaced, out->rsdp becomes 0.
 *
 * Regions come sorted and merged. Where entries overlap, the stricter kind holds (bad, reserved, ACPI, usable); an
 * address that no region holds is as good as reserved. When they are more than MACHINE_MAX_REGIONS, the highest
 * addresses are left out. A module must lie in usable memory; it may be empty, and may lie at address 0.
 *
 * Every problem is one line on `errors`. A bad module, memory map entry or RSDP is left out and the rest holds. Returns
 * false when the structure itself is damaged (its size, the chain of tags, a missing end) or no usable memory is left.
 */
bool must_check multiboot2_parse(const void *info, size_t size, struct machine *out, struct multiboot2_info *extra,
                                 struct sink *errors);
