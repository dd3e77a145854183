/*
 * A multiboot1 kernel: ELF, or any image whose multiboot header says where it goes.
 *
 * Guest-physical layout of what the loader writes:
 *     0x8f000  information, memory map, module list, strings
 *     0xe0000  ACPI tables      0xf0000  coreboot's table, which GRUB as a guest wants besides
 *     kernel where it says, from 1 MiB up or in the low memory below the information; modules behind it, each on a page
 *     of its own
 */
#include "core/coreboot_table.h"
#include "core/loader_multiboot_header.h"
#include "core/multiboot1.h"

#define INFO_AT     0x8f000u
#define MMAP_AT     0x8f100u
#define MODULES_AT  0x8f200u
#define STRINGS_AT  0x8f400u
#define STRINGS_END 0x9f000u
#define COREBOOT_AT 0xf0000u
static_assert(INFO_AT + sizeof(struct multiboot1_info) <= MMAP_AT, "low memory layout");
static_assert(MMAP_AT + E820_MAX_ENTRIES * sizeof(struct multiboot1_mmap_entry) <= MODULES_AT, "low memory layout");
static_assert(MODULES_AT + CONFIG_MAX_MODULES * sizeof(struct multiboot1_module) <= STRINGS_AT, "low memory layout");
static_assert(STRINGS_END <= E820_LOW_END, "low memory layout");
static_assert(GUEST_ACPI_BASE + sizeof(struct acpi_tables) <= COREBOOT_AT, "low memory layout");

/* Low memory that a kernel may be loaded to: not what the loader writes, nor what real-mode code begins with. */
static const struct range low_area = {PAGE_SIZE, INFO_AT - PAGE_SIZE};

static_assert(sizeof LOADER_NAME + LOADER_STRINGS_MAX <= STRINGS_END - STRINGS_AT,
              "whatever a configuration says fits");

/* A kernel may lie in low memory alone, but what it is told lies there too. */
static bool decode(struct loader_layout *l)
{
    uint64_t memory = l->kernel.plan->config->memory;
    if (memory < MIB)
        return loader_image_error(&l->kernel, "takes at least 1 MiB of memory, the partition has %lu bytes", memory);
    return loader_multiboot1_decode(&l->kernel, &l->program) && loader_layout_finish(l, low_area);
}

/* Returns the bytes of the memory map. */
static uint32_t maps_write(struct loader_writer *w)
{
    struct e820_map map;
    struct coreboot_table table;
    struct multiboot1_mmap_entry entries[E820_MAX_ENTRIES];
    e820_build(w->p->plan->config->memory, &map);
    for (uint32_t i = 0; i < map.count; i++)
        entries[i] = (struct multiboot1_mmap_entry){sizeof entries[i].entry, map.entries[i]};
    uint32_t size = map.count * (uint32_t)sizeof entries[0];
    loader_write(w, MMAP_AT, entries, size, "memory map");
    loader_write(w, COREBOOT_AT, &table, coreboot_table_build(&map, &table), "coreboot's table");
    return size;
}

static void modules_write(struct loader_writer *w, const struct loader_layout *l)
{
    struct multiboot1_module modules[CONFIG_MAX_MODULES];
    for (uint32_t i = 0; i < l->module_count; i++) {
        uint32_t start = (uint32_t)l->modules[i].at;
        modules[i] = (struct multiboot1_module){
            .start = start,
            .end = start + (uint32_t)l->modules[i].image.range.size,
            .string = loader_write_string(w, w->p->plan->config->modules[i].text),
        };
    }
    loader_write(w, MODULES_AT, modules, l->module_count * sizeof modules[0], "module list");
}

/* A guest finds the ACPI tables by searching the BIOS area. */
static void write(struct loader_writer *w, const struct loader_layout *l, struct vcpu_entry *entry)
{
    w->at = STRINGS_AT;
    struct multiboot1_info info = {
        .flags = MULTIBOOT1_INFO_MEMORY | MULTIBOOT1_INFO_CMDLINE | MULTIBOOT1_INFO_MODULES | MULTIBOOT1_INFO_MMAP |
                 MULTIBOOT1_INFO_LOADER_NAME,
        .mem_lower = E820_LOW_END / KIB,
        .mem_upper = (uint32_t)(loader_image_area(w->p->plan).size / KIB),
        .mods_count = l->module_count,
        .mods_addr = MODULES_AT,
        .mmap_length = maps_write(w),
        .mmap_addr = MMAP_AT,
    };
    info.boot_loader_name = loader_write_string(w, (struct slice){LOADER_NAME, sizeof LOADER_NAME - 1});
    info.cmdline = loader_write_string(w, w->p->plan->config->cmdline.text);
    modules_write(w, l);
    loader_write(w, INFO_AT, &info, sizeof info, "boot information");
    loader_write_acpi(w);
    entry->gpr[GPR_RAX] = MULTIBOOT1_BOOTLOADER_MAGIC;
    entry->gpr[GPR_RBX] = INFO_AT;
}

const struct loader_protocol loader_multiboot1 = {decode, write};
