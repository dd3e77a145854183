/*
 * A PVH kernel: an ELF executable with a note that gives its 32-bit entry, such as the vmlinux of a Linux with
 * CONFIG_PVH. Its boot modules go behind it; Linux takes the first one as its initrd.
 *
 * Guest-physical layout of what the loader writes:
 *     0x10000  start information, memory map, module list, strings      0xe0000  ACPI tables
 */
#include "core/loader_protocol.h"
#include "core/pvh.h"

#define START_AT    0x10000u
#define MEMORY_AT   0x10100u
#define MODULES_AT  0x10200u
#define STRINGS_AT  0x10400u
#define STRINGS_END 0x20000u
static_assert(START_AT + sizeof(struct pvh_start) <= MEMORY_AT, "low memory layout");
static_assert(MEMORY_AT + E820_MAX_ENTRIES * sizeof(struct pvh_memory) <= MODULES_AT, "low memory layout");
static_assert(MODULES_AT + CONFIG_MAX_MODULES * sizeof(struct pvh_module) <= STRINGS_AT, "low memory layout");
static_assert(STRINGS_END <= E820_LOW_END, "low memory layout");
static_assert(LOADER_STRINGS_MAX <= STRINGS_END - STRINGS_AT, "whatever a configuration says fits");

static bool decode(struct loader_layout *l)
{
    if (!loader_elf_decode(&l->kernel, &l->program))
        return false;
    if (!loader_elf_note_find(&l->kernel, PVH_NOTE_OWNER, PVH_NOTE_PHYS32_ENTRY, &l->program.entry))
        return loader_image_error(&l->kernel, "is not a PVH kernel (no ELF note of owner '%s' and type %u)",
                                  PVH_NOTE_OWNER, (unsigned)PVH_NOTE_PHYS32_ENTRY);
    return loader_layout_finish(l, (struct range){0, 0});
}

static void write(struct loader_writer *w, const struct loader_layout *l, struct vcpu_entry *entry)
{
    const struct config_partition *config = w->p->plan->config;
    struct pvh_memory memory[E820_MAX_ENTRIES];
    struct pvh_module modules[CONFIG_MAX_MODULES];
    struct e820_map map;
    e820_build(config->memory, &map);
    for (uint32_t i = 0; i < map.count; i++)
        memory[i] = (struct pvh_memory){map.entries[i].base, map.entries[i].size, map.entries[i].kind, 0};
    loader_write_acpi(w);
    loader_write(w, MEMORY_AT, memory, map.count * sizeof memory[0], "memory map");
    w->at = STRINGS_AT;
    struct pvh_start start = {
        .magic = PVH_START_MAGIC,
        .version = PVH_START_VERSION,
        .module_count = l->module_count,
        .modules = l->module_count != 0 ? MODULES_AT : 0,
        .cmdline = loader_write_string(w, config->cmdline.text),
        .rsdp = GUEST_ACPI_BASE,
        .memory_map = MEMORY_AT,
        .memory_map_count = map.count,
    };
    for (uint32_t i = 0; i < l->module_count; i++)
        modules[i] = (struct pvh_module){.address = l->modules[i].at,
                                         .size = l->modules[i].image.range.size,
                                         .cmdline = loader_write_string(w, config->modules[i].text)};
    loader_write(w, MODULES_AT, modules, l->module_count * sizeof modules[0], "module list");
    loader_write(w, START_AT, &start, sizeof start, "start information");
    entry->gpr[GPR_RBX] = START_AT;
}

const struct loader_protocol loader_pvh = {decode, write};
