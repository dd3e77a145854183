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

/*@ predicate slice_inside(char *at, integer length, uint8_t *info) =
      length == 0 || (\valid_read(at + (0 .. length - 1)) && \base_addr(at) == \base_addr(info));

    predicate extra_readable(struct multiboot2_info *e, uint8_t *info) =
      slice_inside(e->command_line.at, e->command_line.length, info) &&
      slice_inside(e->loader_name.at, e->loader_name.length, info) &&
      (e->rsdp_size == 0 || e->rsdp_size == ACPI_RSDP_SIZE_1 || e->rsdp_size == ACPI_RSDP_SIZE_2);

    predicate regions_sorted(struct machine *m) = m->region_count <= MACHINE_MAX_REGIONS &&
      (\forall integer i; 0 <= i < m->region_count ==>
        m->regions[i].range.base + m->regions[i].range.size <= UINT64_MAX) &&
      \forall integer i; 0 <= i < m->region_count - 1 ==>
        m->regions[i].range.base + m->regions[i].range.size <= m->regions[i + 1].range.base;

    predicate has_usable_region(struct machine *m) =
      \exists integer i; 0 <= i < m->region_count && m->regions[i].kind == MEMORY_USABLE; */

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
/*@ requires \valid_read(info + (0 .. size - 1)) && \valid(out) && \valid(extra);
    requires \separated(out, extra, info + (0 .. size - 1));
    assigns out->region_count, out->regions[0 .. MACHINE_MAX_REGIONS - 1], out->rsdp, *extra;
    assigns out->module_count, out->modules[0 .. MACHINE_MAX_MODULES - 1];
    ensures regions_sorted(out) && (\result ==> has_usable_region(out));
    ensures out->module_count <= MACHINE_MAX_MODULES;
    ensures extra_readable(extra, info); */
bool must_check multiboot2_parse(const uint8_t *info, size_t size, struct machine *out, struct multiboot2_info *extra,
                                 struct sink *errors);
