/*
 * The Linux/x86 boot protocol, 2.12 and later (Linux documentation, "The Linux/x86 Boot Protocol", "The Real-Mode
 * Kernel Header", and "Zero Page"). All multi-byte fields are little-endian.
 */
#pragma once

#include <assert.h>

#include "core/e820.h"

#define LINUX_MAGIC 0x53726448u /* "HdrS" */

enum {
    LINUX_HEADER_OFFSET = 0x1f1, /* of the setup header, in the image and in the zero page */
    LINUX_MAGIC_OFFSET = 0x202,
    LINUX_HEADER_LIMIT = 0x290,      /* the header never reaches past here: other zero page fields follow */
    LINUX_HEADER_NEEDED_END = 0x268, /* where the header of version 2.12 ends */
    LINUX_BOOT_FLAG = 0xaa55,
    LINUX_VERSION_NEEDED = 0x020c, /* 2.12 */
    LINUX_SECTOR = 512,
    LINUX_DEFAULT_SETUP_SECTORS = 4, /* what a setup_sects of 0 means */
    LINUX_PARAGRAPH = 16,            /* unit of syssize */
    LINUX_LOADED_HIGH = 1u << 0,     /* loadflags: a bzImage, its code goes above 1 MiB */
    LINUX_LOADER_UNDEFINED = 0xff,   /* type_of_loader of a loader without an assigned number */
};

struct linux_setup_header {
    uint8_t setup_sects; /* sectors of real-mode code after the boot sector */
    uint16_t root_flags;
    uint32_t syssize; /* protected-mode code, in units of 16 bytes */
    uint16_t ram_size;
    uint16_t vid_mode;
    uint16_t root_dev;
    uint16_t boot_flag;
    uint8_t jump_opcode;
    uint8_t jump_distance; /* the header ends this many bytes after `magic` begins */
    uint32_t magic;
    uint16_t version; /* major in the high byte */
    uint32_t realmode_swtch;
    uint16_t start_sys_seg;
    uint16_t kernel_version;
    uint8_t type_of_loader;
    uint8_t loadflags;
    uint16_t setup_move_size;
    uint32_t code32_start;
    uint32_t ramdisk_image;
    uint32_t ramdisk_size;
    uint32_t bootsect_kludge;
    uint16_t heap_end_ptr;
    uint8_t ext_loader_ver;
    uint8_t ext_loader_type;
    uint32_t cmd_line_ptr;
    uint32_t initrd_addr_max; /* the highest address a byte of the initrd may have */
    uint32_t kernel_alignment;
    uint8_t relocatable_kernel;
    uint8_t min_alignment;
    uint16_t xloadflags;
    uint32_t cmdline_size; /* characters, without the terminator */
    uint32_t hardware_subarch;
    uint64_t hardware_subarch_data;
    uint32_t payload_offset; /* compressed kernel, from the start of the protected-mode code */
    uint32_t payload_length;
    uint64_t setup_data;
    uint64_t pref_address;
    uint32_t init_size; /* memory that it needs from its start address until it reads the memory map */
    uint32_t handover_offset;
    uint8_t later[LINUX_HEADER_LIMIT - LINUX_HEADER_NEEDED_END]; /* fields of later versions */
} __attribute__((packed));
#define AT(field, offset)                                                                                              \
    static_assert(offsetof(struct linux_setup_header, field) + LINUX_HEADER_OFFSET == (offset), #field)
AT(setup_sects, 0x1f1);
AT(syssize, 0x1f4);
AT(boot_flag, 0x1fe);
AT(jump_distance, 0x201);
AT(magic, LINUX_MAGIC_OFFSET);
AT(version, 0x206);
AT(type_of_loader, 0x210);
AT(loadflags, 0x211);
AT(code32_start, 0x214);
AT(ramdisk_image, 0x218);
AT(ramdisk_size, 0x21c);
AT(cmd_line_ptr, 0x228);
AT(initrd_addr_max, 0x22c);
AT(kernel_alignment, 0x230);
AT(relocatable_kernel, 0x234);
AT(xloadflags, 0x236);
AT(cmdline_size, 0x238);
AT(hardware_subarch_data, 0x240);
AT(payload_offset, 0x248);
AT(payload_length, 0x24c);
AT(setup_data, 0x250);
AT(pref_address, 0x258);
AT(init_size, 0x260);
AT(later, LINUX_HEADER_NEEDED_END);
#undef AT
static_assert(sizeof(struct linux_setup_header) == LINUX_HEADER_LIMIT - LINUX_HEADER_OFFSET, "setup header");

/* Bytes of the real-mode code, with the boot sector; the protected-mode code follows. */
static inline uint32_t linux_setup_size(const struct linux_setup_header *header)
{
    uint32_t sectors = header->setup_sects != 0 ? header->setup_sects : LINUX_DEFAULT_SETUP_SECTORS;
    return (sectors + 1) * LINUX_SECTOR;
}

enum { LINUX_E820_MAX = 128 };

/* The zero page, struct boot_params: only what the loader fills has a name, the rest stays zero. */
struct linux_zero_page {
    uint8_t screen_and_bios[0x70];
    uint64_t acpi_rsdp_addr; /* since 2.14; older kernels search for the RSDP and ignore this */
    uint8_t firmware_and_disks[0x1e8 - 0x78];
    uint8_t e820_entries;
    uint8_t keyboard_and_sentinel[LINUX_HEADER_OFFSET - 0x1e9];
    struct linux_setup_header header;
    uint8_t disk_signatures[0x2d0 - LINUX_HEADER_LIMIT];
    struct e820_entry e820_table[LINUX_E820_MAX];
    uint8_t disk_data[0x1000 - 0xcd0];
} __attribute__((packed));
static_assert(offsetof(struct linux_zero_page, acpi_rsdp_addr) == 0x70, "acpi_rsdp_addr");
static_assert(offsetof(struct linux_zero_page, e820_entries) == 0x1e8, "e820_entries");
static_assert(offsetof(struct linux_zero_page, header) == LINUX_HEADER_OFFSET, "header");
static_assert(offsetof(struct linux_zero_page, e820_table) == 0x2d0, "e820_table");
static_assert(offsetof(struct linux_zero_page, disk_data) == 0xcd0, "disk_data");
static_assert(sizeof(struct linux_zero_page) == 4096, "the zero page is a page");
static_assert((int)E820_MAX_ENTRIES <= (int)LINUX_E820_MAX, "every map fits");
