/*
 * A multiboot2 kernel: ELF, or any image whose multiboot2 header says where it goes.
 *
 * Guest-physical layout of what the loader writes:
 *     0x10000  information: tags one behind the other      0xe0000  ACPI tables
 *     kernel where it says, from 1 MiB up; modules behind it, each on a page of its own
 */
#include "core/acpi_format.h"
#include "core/acpi_tables.h"
#include "core/loader_modules.h"
#include "core/loader_multiboot2_header.h"
#include "core/loader_protocol.h"
#include "core/multiboot2.h"

#define INFO_AT  0x10000u
#define INFO_END 0x20000u
static_assert(INFO_END <= E820_LOW_END, "low memory layout");

static const char loader_name[] = "Ringfence";

/* Every string has a tag, each with its padding; and then there are the tags of a fixed size. */
static_assert(LOADER_STRINGS_MAX + (2 + CONFIG_MAX_MODULES) * (sizeof(struct multiboot2_module) + 16) + 256 <=
                  INFO_END - INFO_AT,
              "whatever a configuration says fits");

/* Everything decided, nothing written. */
struct multiboot2_layout {
    struct loader_image kernel;
    struct loader_program program;
    struct range modules[CONFIG_MAX_MODULES]; /* guest-physical */
};

/* Bytes that a tag with so much content takes, padding and all. */
static uint64_t tag_room(uint64_t content)
{
    return align_down(sizeof(struct multiboot2_info_tag) + content + MULTIBOOT2_ALIGNMENT - 1, MULTIBOOT2_ALIGNMENT);
}

static bool decode(const struct plan_partition *plan, const struct machine *machine, struct sink *errors,
                   struct multiboot2_layout *l)
{
    uint64_t program_end;
    return loader_image_open(plan, machine, plan->kernel, "kernel", errors, &l->kernel) &&
           loader_multiboot2_decode(&l->kernel, &l->program) &&
           loader_program_check(&l->kernel, &l->program, (struct range){0, 0}, loader_image_area(plan), &program_end) &&
           loader_modules_place(plan, machine, program_end, errors, l->modules);
}

bool loader_multiboot2_check(const struct plan_partition *plan, const struct machine *machine, struct sink *errors)
{
    struct multiboot2_layout layout;
    return decode(plan, machine, errors, &layout);
}

/* Where the next tag goes. */
struct info_cursor {
    const struct partition *p;
    struct sink *errors;
    uint32_t at;
};

/* A tag whose content is `head` and then `tail`; padding and a string's terminator are zero already. */
static bool tag_write(struct info_cursor *c, uint32_t type, const void *head, size_t head_size, struct slice tail,
                      uint32_t terminator)
{
    static const char what[] = "boot information";
    uint64_t content = head_size + tail.length + terminator;
    struct multiboot2_info_tag tag = {type, (uint32_t)(sizeof tag + content)};
    uint64_t at = c->at + sizeof tag;
    if (!loader_write(c->p, c->at, &tag, sizeof tag, what, c->errors) ||
        (head_size != 0 && !loader_write(c->p, at, head, head_size, what, c->errors)) ||
        (tail.length != 0 && !loader_write(c->p, at + head_size, tail.at, tail.length, what, c->errors)))
        return false;
    c->at += (uint32_t)tag_room(content);
    return true;
}

static bool string_tag(struct info_cursor *c, uint32_t type, struct slice text)
{
    return tag_write(c, type, NULL, 0, text, 1);
}

static bool module_tags(struct info_cursor *c, const struct multiboot2_layout *l)
{
    const struct config_partition *config = c->p->plan->config;
    for (uint32_t i = 0; i < config->module_count; i++) {
        struct multiboot2_module module = {(uint32_t)l->modules[i].base, (uint32_t)range_end(l->modules[i])};
        if (!tag_write(c, MULTIBOOT2_INFO_MODULE, &module, sizeof module, config->modules[i].text, 1))
            return false;
    }
    return true;
}

static bool memory_tags(struct info_cursor *c)
{
    struct multiboot2_memory memory = {E820_LOW_END / KIB, (uint32_t)(loader_image_area(c->p->plan).size / KIB)};
    struct multiboot2_mmap mmap = {sizeof(struct multiboot2_mmap_entry), 0};
    struct multiboot2_mmap_entry entries[E820_MAX_ENTRIES];
    struct e820_map map;
    e820_build(c->p->plan->config->memory, &map);
    for (uint32_t i = 0; i < map.count; i++)
        entries[i] = (struct multiboot2_mmap_entry){map.entries[i], 0};
    struct slice list = {(const char *)entries, map.count * sizeof entries[0]};
    return tag_write(c, MULTIBOOT2_INFO_MEMORY, &memory, sizeof memory, (struct slice){NULL, 0}, 0) &&
           tag_write(c, MULTIBOOT2_INFO_MMAP, &mmap, sizeof mmap, list, 0);
}

/* A copy of the RSDP, as the tag wants it. */
static bool rsdp_tag(struct info_cursor *c)
{
    struct acpi_rsdp rsdp;
    if (!partition_read(c->p, gpa(GUEST_ACPI_BASE), &rsdp, sizeof rsdp)) {
        sink_print(c->errors, "partition '%s': no RAM at 0x%x, where the RSDP was written\n", partition_name(c->p),
                   GUEST_ACPI_BASE);
        return false;
    }
    return tag_write(c, MULTIBOOT2_INFO_RSDP2, &rsdp, sizeof rsdp, (struct slice){NULL, 0}, 0);
}

static bool info_write(const struct partition *p, const struct multiboot2_layout *l, struct sink *errors)
{
    struct info_cursor c = {p, errors, INFO_AT + sizeof(struct multiboot2_info)};
    if (!string_tag(&c, MULTIBOOT2_INFO_CMDLINE, p->plan->config->cmdline.text) ||
        !string_tag(&c, MULTIBOOT2_INFO_LOADER_NAME, (struct slice){loader_name, sizeof loader_name - 1}) ||
        !module_tags(&c, l) || !memory_tags(&c) || !rsdp_tag(&c) ||
        !tag_write(&c, MULTIBOOT2_INFO_END, NULL, 0, (struct slice){NULL, 0}, 0))
        return false;
    struct multiboot2_info info = {c.at - INFO_AT, 0};
    return loader_write(p, INFO_AT, &info, sizeof info, "boot information", errors);
}

bool loader_multiboot2_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors)
{
    struct multiboot2_layout layout;
    if (!decode(p->plan, p->machine, errors, &layout) || !loader_program_copy(&layout.kernel, &layout.program) ||
        !loader_modules_copy(p->plan, p->machine, layout.modules, errors) || !loader_write_acpi(p, errors) ||
        !info_write(p, &layout, errors))
        return false;
    *entry = loader_flat_entry(layout.program.entry);
    entry->gpr[GPR_RAX] = MULTIBOOT2_BOOTLOADER_MAGIC;
    entry->gpr[GPR_RBX] = INFO_AT;
    return true;
}
