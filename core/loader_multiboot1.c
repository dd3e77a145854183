/*
 * A multiboot1 kernel: ELF, or any image whose multiboot header says where it goes.
 *
 * Guest-physical layout of what the loader writes:
 *     0x8f000  information, memory map, module list, strings
 *     0xe0000  ACPI tables      0xf0000  coreboot's table, which GRUB as a guest wants besides
 *     kernel where it says, from 1 MiB up or in the low memory below the information; modules behind it, each on a page
 *     of its own
 */
#include "core/acpi_tables.h"
#include "core/coreboot_table.h"
#include "core/loader_modules.h"
#include "core/loader_protocol.h"
#include "core/loader_program.h"
#include "core/loader_strings.h"
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

static const char loader_name[] = "Ringfence";
static_assert(sizeof loader_name + LOADER_STRINGS_MAX <= STRINGS_END - STRINGS_AT,
              "whatever a configuration says fits");

/* Everything decided, nothing written. */
struct multiboot1_layout {
    struct loader_image kernel;
    struct loader_program program;
    struct range modules[CONFIG_MAX_MODULES]; /* guest-physical */
};

/* Finds the header; nothing but the magic number with the right checksum counts as one. */
static bool header_find(const struct loader_image *kernel, struct multiboot1_header *header, uint32_t *at)
{
    for (uint32_t offset = 0; offset + sizeof *header <= MULTIBOOT1_SEARCH; offset += 4) {
        if (!loader_image_read(kernel, offset, header, sizeof *header))
            break;
        if (header->magic != MULTIBOOT1_HEADER_MAGIC || header->magic + header->flags + header->checksum != 0)
            continue;
        *at = offset;
        return true;
    }
    return loader_image_error(kernel,
                              "is not a multiboot1 kernel (no header with magic 0x%x and right checksum in its "
                              "first %u bytes)",
                              MULTIBOOT1_HEADER_MAGIC, (unsigned)MULTIBOOT1_SEARCH);
}

/* The one segment that the header's address fields describe ("The address fields of Multiboot header"). */
static bool addresses_decode(const struct loader_image *kernel, uint32_t header_at, struct loader_program *program)
{
    struct multiboot1_addresses a;
    uint64_t at = header_at + sizeof(struct multiboot1_header);
    if (at + sizeof a > MULTIBOOT1_SEARCH || !loader_image_read(kernel, at, &a, sizeof a))
        return loader_image_error(kernel, "has a multiboot1 header at 0x%x that is cut off", header_at);
    if (a.header_addr < a.load_addr || a.header_addr - a.load_addr > header_at)
        return loader_image_error(kernel, "has load_addr 0x%x, expected at most 0x%x below header_addr 0x%x",
                                  a.load_addr, header_at, a.header_addr);
    uint64_t offset = header_at - (a.header_addr - a.load_addr);
    uint64_t load_end = a.load_end_addr != 0 ? a.load_end_addr : a.load_addr + (kernel->range.size - offset);
    uint64_t bss_end = a.bss_end_addr != 0 ? a.bss_end_addr : load_end;
    if (load_end < a.load_addr || bss_end < load_end)
        return loader_image_error(kernel,
                                  "has load_addr 0x%x, load_end_addr 0x%lx, bss_end_addr 0x%lx, expected them "
                                  "to ascend",
                                  a.load_addr, load_end, bss_end);
    *program = (struct loader_program){.count = 1, .entry = a.entry_addr};
    program->segments[0] =
        (struct loader_segment){{offset, load_end - a.load_addr}, {a.load_addr, bss_end - a.load_addr}};
    return true;
}

static bool program_decode(const struct loader_image *kernel, struct loader_program *program)
{
    struct multiboot1_header header;
    uint32_t at = 0;
    if (!header_find(kernel, &header, &at))
        return false;
    uint32_t unknown = header.flags & MULTIBOOT1_REQUIRED & ~(uint32_t)MULTIBOOT1_OFFERED;
    if (unknown != 0)
        return loader_image_error(kernel, "requires multiboot1 features 0x%x (flags 0x%x), offered are 0x%x", unknown,
                                  header.flags, (unsigned)MULTIBOOT1_OFFERED);
    if (header.flags & MULTIBOOT1_HAS_ADDRESSES)
        return addresses_decode(kernel, at, program);
    return loader_elf_decode(kernel, program);
}

/* A kernel may lie in low memory alone, but what it is told lies there too. */
static bool memory_check(const struct plan_partition *plan, const struct loader_image *kernel)
{
    if (plan->config->memory >= MIB)
        return true;
    return loader_image_error(kernel, "takes at least 1 MiB of memory, the partition has %lu bytes",
                              plan->config->memory);
}

static bool decode(const struct plan_partition *plan, const struct machine *machine, struct sink *errors,
                   struct multiboot1_layout *l)
{
    uint64_t program_end;
    return loader_image_open(plan, machine, plan->kernel, "kernel", errors, &l->kernel) &&
           memory_check(plan, &l->kernel) && program_decode(&l->kernel, &l->program) &&
           loader_program_check(&l->kernel, &l->program, low_area, loader_image_area(plan), &program_end) &&
           loader_modules_place(plan, machine, program_end, errors, l->modules);
}

bool loader_multiboot1_check(const struct plan_partition *plan, const struct machine *machine, struct sink *errors)
{
    struct multiboot1_layout layout;
    return decode(plan, machine, errors, &layout);
}

static bool modules_write(const struct partition *p, const struct multiboot1_layout *l, uint32_t *string_at,
                          struct sink *errors)
{
    for (uint32_t i = 0; i < p->plan->config->module_count; i++) {
        struct multiboot1_module module = {.start = (uint32_t)l->modules[i].base,
                                           .end = (uint32_t)range_end(l->modules[i])};
        uint32_t address;
        if (!loader_string_write(p, p->plan->config->modules[i].text, string_at, &address, errors))
            return false;
        module.string = address;
        if (!loader_write(p, MODULES_AT + i * sizeof module, &module, sizeof module, "module list", errors))
            return false;
    }
    return true;
}

/* Returns the bytes written, 0 for none. */
static uint32_t mmap_write(const struct partition *p, struct sink *errors)
{
    struct e820_map map;
    struct multiboot1_mmap_entry entries[E820_MAX_ENTRIES];
    e820_build(p->plan->config->memory, &map);
    for (uint32_t i = 0; i < map.count; i++)
        entries[i] = (struct multiboot1_mmap_entry){sizeof entries[i].entry, map.entries[i]};
    uint32_t size = map.count * (uint32_t)sizeof entries[0];
    return loader_write(p, MMAP_AT, entries, size, "memory map", errors) ? size : 0;
}

static bool coreboot_write(const struct partition *p, struct sink *errors)
{
    struct e820_map map;
    struct coreboot_table table;
    e820_build(p->plan->config->memory, &map);
    size_t size = coreboot_table_build(&map, &table);
    return loader_write(p, COREBOOT_AT, &table, size, "coreboot's table", errors);
}

static bool info_write(const struct partition *p, const struct multiboot1_layout *l, struct sink *errors)
{
    const struct config_partition *config = p->plan->config;
    uint32_t string_at = STRINGS_AT, name_at, cmdline_at;
    struct slice name = {loader_name, sizeof loader_name - 1};
    uint32_t mmap_size = mmap_write(p, errors);
    if (mmap_size == 0 || !loader_string_write(p, name, &string_at, &name_at, errors) ||
        !loader_string_write(p, config->cmdline.text, &string_at, &cmdline_at, errors) ||
        !modules_write(p, l, &string_at, errors))
        return false;
    struct multiboot1_info info = {
        .flags = MULTIBOOT1_INFO_MEMORY | MULTIBOOT1_INFO_CMDLINE | MULTIBOOT1_INFO_MODULES | MULTIBOOT1_INFO_MMAP |
                 MULTIBOOT1_INFO_LOADER_NAME,
        .mem_lower = E820_LOW_END / KIB,
        .mem_upper = (uint32_t)(loader_image_area(p->plan).size / KIB),
        .cmdline = cmdline_at,
        .mods_count = config->module_count,
        .mods_addr = MODULES_AT,
        .mmap_length = mmap_size,
        .mmap_addr = MMAP_AT,
        .boot_loader_name = name_at,
    };
    return loader_write(p, INFO_AT, &info, sizeof info, "boot information", errors);
}

bool loader_multiboot1_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors)
{
    struct multiboot1_layout layout;
    if (!decode(p->plan, p->machine, errors, &layout) || !loader_program_copy(&layout.kernel, &layout.program) ||
        !loader_modules_copy(p->plan, p->machine, layout.modules, errors) || !info_write(p, &layout, errors) ||
        !loader_write_acpi(p, errors) || !coreboot_write(p, errors))
        return false;
    *entry = loader_flat_entry(layout.program.entry);
    entry->gpr[GPR_RAX] = MULTIBOOT1_BOOTLOADER_MAGIC;
    entry->gpr[GPR_RBX] = INFO_AT;
    return true;
}
