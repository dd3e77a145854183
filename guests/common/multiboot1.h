/*
 * The part of the multiboot1 information structure that these guests read
 * (Multiboot Specification 0.6.96, "Boot information format").
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    MULTIBOOT1_INFO_MEMORY = 1 << 0,  /* memory_lower and memory_upper are there */
    MULTIBOOT1_INFO_CMDLINE = 1 << 2, /* command_line is there */
    MULTIBOOT1_INFO_MODULES = 1 << 3, /* module_count and modules are there */
};

struct multiboot1_info {
    uint32_t flags;
    uint32_t memory_lower; /* KiB from 0 */
    uint32_t memory_upper; /* KiB from 1 MiB up to the first hole */
    uint32_t boot_device;
    uint32_t command_line; /* physical address of a terminated string */
    uint32_t module_count;
    uint32_t modules;
};
_Static_assert(sizeof(struct multiboot1_info) == 28, "multiboot1 information, first 28 bytes");
_Static_assert(offsetof(struct multiboot1_info, command_line) == 16, "multiboot1 information");
