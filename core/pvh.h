/*
 * The PVH boot protocol: an ELF note says where the kernel starts in 32-bit protected mode, and EBX holds the address
 * of a start-of-day structure (Xen documentation, "x86/HVM direct boot ABI"; public header
 * "arch-x86/hvm/start_info.h").
 */
#pragma once

#include <assert.h>

#include "core/types.h"

#define PVH_NOTE_OWNER  "Xen"
#define PVH_START_MAGIC 0x336ec578u

enum {
    PVH_NOTE_PHYS32_ENTRY = 18, /* "XEN_ELFNOTE_PHYS32_ENTRY": the physical address of the entry */
    PVH_START_VERSION = 1,      /* with a memory map */
};

struct pvh_start {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules; /* guest-physical addresses, all four; 0: none */
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t memory_map;
    uint32_t memory_map_count;
    uint32_t reserved;
} __attribute__((packed));
static_assert(offsetof(struct pvh_start, rsdp) == 32, "hvm_start_info");
static_assert(offsetof(struct pvh_start, memory_map_count) == 48, "hvm_start_info");
static_assert(sizeof(struct pvh_start) == 56, "hvm_start_info");

struct pvh_module {
    uint64_t address;
    uint64_t size;
    uint64_t cmdline; /* address of its name */
    uint64_t reserved;
} __attribute__((packed));
static_assert(sizeof(struct pvh_module) == 32, "hvm_modlist_entry");

struct pvh_memory {
    uint64_t address;
    uint64_t size;
    uint32_t kind; /* as in E820 */
    uint32_t reserved;
} __attribute__((packed));
static_assert(sizeof(struct pvh_memory) == 24, "hvm_memmap_table_entry");
