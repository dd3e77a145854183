/*
 * The Multiboot2 Specification version 2.0, as a loader sees it: "OS image format" (the header in the image) and "Boot
 * information format" (what the guest finds at EBX). boot/multiboot2.c is the other side, where we are the kernel.
 */
#pragma once

#include <assert.h>

#include "core/e820.h"

#define MULTIBOOT2_HEADER_MAGIC     0xe85250d6u
#define MULTIBOOT2_BOOTLOADER_MAGIC 0x36d76289u /* in EAX */

enum {
    MULTIBOOT2_SEARCH = 32768, /* the header lies wholly within as many bytes of the image */
    MULTIBOOT2_ALIGNMENT = 8,  /* of header, tags and information */
    MULTIBOOT2_I386 = 0,       /* architecture */

    /* types of the header's tags */
    MULTIBOOT2_HEADER_END = 0,
    MULTIBOOT2_HEADER_REQUEST = 1,
    MULTIBOOT2_HEADER_ADDRESS = 2,
    MULTIBOOT2_HEADER_ENTRY = 3,
    MULTIBOOT2_HEADER_CONSOLE = 4,
    MULTIBOOT2_HEADER_FRAMEBUFFER = 5,
    MULTIBOOT2_HEADER_ALIGN_MODULES = 6,
    MULTIBOOT2_HEADER_EFI_SERVICES = 7,
    MULTIBOOT2_HEADER_EFI32_ENTRY = 8,
    MULTIBOOT2_HEADER_EFI64_ENTRY = 9,
    MULTIBOOT2_HEADER_RELOCATABLE = 10,

    MULTIBOOT2_HEADER_OPTIONAL = 1u << 0,  /* flags of a tag: the loader may ignore it */
    MULTIBOOT2_CONSOLE_REQUIRED = 1u << 0, /* console_flags */

    /* types of the information's tags */
    MULTIBOOT2_INFO_END = 0,
    MULTIBOOT2_INFO_CMDLINE = 1,
    MULTIBOOT2_INFO_LOADER_NAME = 2,
    MULTIBOOT2_INFO_MODULE = 3,
    MULTIBOOT2_INFO_MEMORY = 4,
    MULTIBOOT2_INFO_MMAP = 6,
    MULTIBOOT2_INFO_RSDP2 = 15,
};

struct multiboot2_header {
    uint32_t magic;
    uint32_t architecture;
    uint32_t length;   /* bytes, with the tags */
    uint32_t checksum; /* the sum of all four is 0 */
} __attribute__((packed));
static_assert(sizeof(struct multiboot2_header) == 16, "multiboot2 header");

struct multiboot2_header_tag {
    uint16_t type;
    uint16_t flags;
    uint32_t size; /* bytes, without the padding to 8 */
} __attribute__((packed));
static_assert(sizeof(struct multiboot2_header_tag) == 8, "multiboot2 header tag");

struct multiboot2_addresses {
    uint32_t header_addr;
    uint32_t load_addr;     /* UINT32_MAX: the image begins where the header does not reach, at its first byte */
    uint32_t load_end_addr; /* 0: to the end of the image */
    uint32_t bss_end_addr;  /* 0: no bss */
} __attribute__((packed));
static_assert(sizeof(struct multiboot2_addresses) == 16, "multiboot2 address tag");

struct multiboot2_info {
    uint32_t total_size; /* bytes, with this */
    uint32_t reserved;
} __attribute__((packed));
static_assert(sizeof(struct multiboot2_info) == 8, "multiboot2 information");

struct multiboot2_info_tag {
    uint32_t type;
    uint32_t size; /* bytes, without the padding to 8 */
} __attribute__((packed));
static_assert(sizeof(struct multiboot2_info_tag) == 8, "multiboot2 information tag");

struct multiboot2_memory {
    uint32_t lower; /* KiB from 0 */
    uint32_t upper; /* KiB from 1 MiB */
} __attribute__((packed));
static_assert(sizeof(struct multiboot2_memory) == 8, "multiboot2 basic memory information");

struct multiboot2_mmap {
    uint32_t entry_size;
    uint32_t entry_version;
} __attribute__((packed));
static_assert(sizeof(struct multiboot2_mmap) == 8, "multiboot2 memory map");

struct multiboot2_mmap_entry {
    struct e820_entry entry;
    uint32_t reserved;
} __attribute__((packed));
static_assert(sizeof(struct multiboot2_mmap_entry) == 24, "multiboot2 memory map entry");

struct multiboot2_module {
    uint32_t start;
    uint32_t end; /* exclusive; the name follows */
} __attribute__((packed));
static_assert(sizeof(struct multiboot2_module) == 8, "multiboot2 module");
