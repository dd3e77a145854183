/*
 * A PVH kernel: an ELF executable with a note that gives its 32-bit entry, such as the vmlinux of a Linux with
 * CONFIG_PVH. Its boot modules go behind it; Linux takes the first one as its initrd.
 *
 * Guest-physical layout of what the loader writes:
 *     0x10000  start information, memory map, module list, strings      0xe0000  ACPI tables
 */
#include "core/acpi_tables.h"
#include "core/loader_modules.h"
#include "core/loader_program.h"
#include "core/loader_strings.h"
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

/* Everything decided, nothing written. */
struct pvh_layout {
    struct loader_image kernel;
    struct loader_program program;
    struct range modules[CONFIG_MAX_MODULES]; /* guest-physical */
};

static bool program_decode(const struct loader_image *kernel, struct loader_program *program)
{
    if (!loader_elf_decode(kernel, program))
        return false;
    if (!loader_elf_note_find(kernel, PVH_NOTE_OWNER, PVH_NOTE_PHYS32_ENTRY, &program->entry))
        return loader_image_error(kernel, "is not a PVH kernel (no ELF note of owner '%s' and type %u)", PVH_NOTE_OWNER,
                                  (unsigned)PVH_NOTE_PHYS32_ENTRY);
    return true;
}

static bool decode(const struct plan_partition *plan, const struct machine *machine, struct sink *errors,
                   struct pvh_layout *l)
{
    uint64_t program_end;
    return loader_image_open(plan, machine, plan->kernel, "kernel", errors, &l->kernel) &&
           program_decode(&l->kernel, &l->program) &&
           loader_program_check(&l->kernel, &l->program, (struct range){0, 0}, loader_image_area(plan), &program_end) &&
           loader_modules_place(plan, machine, program_end, errors, l->modules);
}

bool loader_pvh_check(const struct plan_partition *plan, const struct machine *machine, struct sink *errors)
{
    struct pvh_layout layout;
    return decode(plan, machine, errors, &layout);
}

static bool modules_write(const struct partition *p, const struct pvh_layout *l, uint32_t *string_at,
                          struct sink *errors)
{
    for (uint32_t i = 0; i < p->plan->config->module_count; i++) {
        struct pvh_module module = {.address = l->modules[i].base, .size = l->modules[i].size};
        uint32_t name;
        if (!loader_string_write(p, p->plan->config->modules[i].text, string_at, &name, errors))
            return false;
        module.cmdline = name;
        if (!loader_write(p, MODULES_AT + i * sizeof module, &module, sizeof module, "module list", errors))
            return false;
    }
    return true;
}

/* Returns the number of entries written, 0 after an error. */
static uint32_t memory_write(const struct partition *p, struct sink *errors)
{
    struct e820_map map;
    struct pvh_memory entries[E820_MAX_ENTRIES];
    e820_build(p->plan->config->memory, &map);
    for (uint32_t i = 0; i < map.count; i++)
        entries[i] = (struct pvh_memory){map.entries[i].base, map.entries[i].size, map.entries[i].kind, 0};
    return loader_write(p, MEMORY_AT, entries, map.count * sizeof entries[0], "memory map", errors) ? map.count : 0;
}

static bool start_write(const struct partition *p, const struct pvh_layout *l, struct sink *errors)
{
    const struct config_partition *config = p->plan->config;
    uint32_t string_at = STRINGS_AT, cmdline_at;
    uint32_t map_count = memory_write(p, errors);
    if (map_count == 0 || !loader_string_write(p, config->cmdline.text, &string_at, &cmdline_at, errors) ||
        !modules_write(p, l, &string_at, errors))
        return false;
    struct pvh_start start = {
        .magic = PVH_START_MAGIC,
        .version = PVH_START_VERSION,
        .module_count = config->module_count,
        .modules = config->module_count != 0 ? MODULES_AT : 0,
        .cmdline = cmdline_at,
        .rsdp = GUEST_ACPI_BASE,
        .memory_map = MEMORY_AT,
        .memory_map_count = map_count,
    };
    return loader_write(p, START_AT, &start, sizeof start, "start information", errors);
}

bool loader_pvh_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors)
{
    struct pvh_layout layout;
    if (!decode(p->plan, p->machine, errors, &layout) || !loader_program_copy(&layout.kernel, &layout.program) ||
        !loader_modules_copy(p->plan, p->machine, layout.modules, errors) || !loader_write_acpi(p, errors) ||
        !start_write(p, &layout, errors))
        return false;
    *entry = loader_flat_entry(layout.program.entry);
    entry->gpr[GPR_RBX] = START_AT;
    return true;
}
