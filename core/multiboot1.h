/*
 * The Multiboot Specification version 0.6.96: "OS image format" (the header in the image) and "Boot information format"
 * (what the guest finds at EBX).
 */
#pragma once

#include <assert.h>

#include "core/e820.h"

#define MULTIBOOT1_HEADER_MAGIC     0x1badb002u
#define MULTIBOOT1_BOOTLOADER_MAGIC 0x2badb002u /* in EAX */

enum {
    MULTIBOOT1_SEARCH = 8192, /* the header lies wholly within as many bytes of the image */
    /* header flags; bits 0 to 15 are requirements */
    MULTIBOOT1_ALIGN_MODULES = 1u << 0,
    MULTIBOOT1_WANT_MEMORY = 1u << 1,
    MULTIBOOT1_HAS_ADDRESSES = 1u << 16,
    MULTIBOOT1_REQUIRED = 0xffff,
    MULTIBOOT1_OFFERED = MULTIBOOT1_ALIGN_MODULES | MULTIBOOT1_WANT_MEMORY,
    /* information flags */
    MULTIBOOT1_INFO_MEMORY = 1u << 0,
    MULTIBOOT1_INFO_CMDLINE = 1u << 2,
    MULTIBOOT1_INFO_MODULES = 1u << 3,
    MULTIBOOT1_INFO_MMAP = 1u << 6,
    MULTIBOOT1_INFO_LOADER_NAME = 1u << 9,
};

struct multiboot1_header {
    uint32_t magic;
    uint32_t flags;
    uint32_t checksum; /* the sum of all three is 0 */
} __attribute__((packed));
static_assert(sizeof(struct multiboot1_header) == 12, "multiboot1 header");

/* Follows the header when MULTIBOOT1_HAS_ADDRESSES is set. */
struct multiboot1_addresses {
    uint32_t header_addr;
    uint32_t load_addr;
    uint32_t load_end_addr; /* 0: to the end of the image */
    uint32_t bss_end_addr;  /* 0: no bss */
    uint32_t entry_addr;
} __attribute__((packed));
static_assert(sizeof(struct multiboot1_addresses) == 20, "multiboot1 addresses");

struct multiboot1_info {
    uint32_t flags;
    uint32_t mem_lower; /* KiB from 0 */
    uint32_t mem_upper; /* KiB from 1 MiB */
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count;
    uint32_t mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length; /* bytes */
    uint32_t mmap_addr;
    uint32_t drives_length;
    uint32_t drives_addr;
    uint32_t config_table;
    uint32_t boot_loader_name;
    uint8_t unused[116 - 68]; /* APM, VBE and framebuffer: their flags stay clear */
} __attribute__((packed));
static_assert(offsetof(struct multiboot1_info, mods_addr) == 24, "multiboot1 information");
static_assert(offsetof(struct multiboot1_info, mmap_addr) == 48, "multiboot1 information");
static_assert(offsetof(struct multiboot1_info, boot_loader_name) == 64, "multiboot1 information");
static_assert(sizeof(struct multiboot1_info) == 116, "multiboot1 information");

struct multiboot1_module {
    uint32_t start;
    uint32_t end; /* exclusive */
    uint32_t string;
    uint32_t reserved;
} __attribute__((packed));
static_assert(sizeof(struct multiboot1_module) == 16, "multiboot1 module");

struct multiboot1_mmap_entry {
    uint32_t size; /* of what follows */
    struct e820_entry entry;
} __attribute__((packed));
static_assert(sizeof(struct multiboot1_mmap_entry) == 24, "multiboot1 memory map entry");
