/*
 * A multiboot2 kernel: ELF, or any image whose multiboot2 header says where it goes.
 *
 * Guest-physical layout of what the loader writes:
 *     0x10000  information: tags one behind the other      0xe0000  ACPI tables
 *     kernel where it says, from 1 MiB up; modules behind it, each on a page of its own
 */
#include "core/acpi_format.h"
#include "core/loader_multiboot_header.h"
#include "core/multiboot2.h"

#define INFO_AT  0x10000u
#define INFO_END 0x20000u
static_assert(INFO_END <= E820_LOW_END, "low memory layout");

/* Every string has a tag, each with its padding; and then there are the tags of a fixed size. */
static_assert(LOADER_STRINGS_MAX + (2 + CONFIG_MAX_MODULES) * (sizeof(struct multiboot2_module) + 16) + 256 <=
                  INFO_END - INFO_AT,
              "whatever a configuration says fits");

static bool decode(struct loader_layout *l)
{
    return loader_multiboot2_decode(&l->kernel, &l->program) && loader_layout_finish(l, (struct range){0, 0});
}

/* A tag whose content is `head` and then `text`, if there is one. Padding and terminator are zero already. */
static void tag_write(struct loader_writer *w, uint32_t type, const void *head, size_t head_size,
                      const struct slice *text)
{
    static const char what[] = "boot information";
    size_t text_size = text != NULL ? text->length + 1 : 0;
    struct multiboot2_info_tag tag = {type, (uint32_t)(sizeof tag + head_size + text_size)};
    loader_write(w, w->at, &tag, sizeof tag, what);
    loader_write(w, w->at + sizeof tag, head, head_size, what);
    if (text != NULL)
        loader_write(w, w->at + sizeof tag + head_size, text->at, text->length, what);
    w->at += (uint32_t)align_down(tag.size + MULTIBOOT2_ALIGNMENT - 1, MULTIBOOT2_ALIGNMENT);
}

static void memory_tags(struct loader_writer *w)
{
    const struct plan_partition *plan = w->p->plan;
    struct multiboot2_memory memory = {E820_LOW_END / KIB, (uint32_t)(loader_image_area(plan).size / KIB)};
    struct {
        struct multiboot2_mmap head;
        struct multiboot2_mmap_entry entries[E820_MAX_ENTRIES];
    } mmap = {.head = {sizeof mmap.entries[0], 0}};
    struct e820_map map;
    e820_build(plan->config->memory, &map);
    for (uint32_t i = 0; i < map.count; i++)
        mmap.entries[i] = (struct multiboot2_mmap_entry){map.entries[i], 0};
    tag_write(w, MULTIBOOT2_INFO_MEMORY, &memory, sizeof memory, NULL);
    tag_write(w, MULTIBOOT2_INFO_MMAP, &mmap, sizeof mmap.head + map.count * sizeof mmap.entries[0], NULL);
}

/* A copy of the RSDP, as the tag wants it. */
static void rsdp_tag(struct loader_writer *w)
{
    struct acpi_rsdp rsdp = {0};
    if (!w->failed && !partition_read(w->p, gpa(GUEST_ACPI_BASE), &rsdp, sizeof rsdp)) {
        sink_print(w->errors, "partition '%s': no RAM at 0x%x, where the RSDP was written\n", partition_name(w->p),
                   GUEST_ACPI_BASE);
        w->failed = true;
    }
    tag_write(w, MULTIBOOT2_INFO_RSDP2, &rsdp, sizeof rsdp, NULL);
}

static void write(struct loader_writer *w, const struct loader_layout *l, struct vcpu_entry *entry)
{
    const struct config_partition *config = w->p->plan->config;
    const struct slice name = {LOADER_NAME, sizeof LOADER_NAME - 1};
    loader_write_acpi(w);
    w->at = INFO_AT + sizeof(struct multiboot2_info);
    tag_write(w, MULTIBOOT2_INFO_CMDLINE, NULL, 0, &config->cmdline.text);
    tag_write(w, MULTIBOOT2_INFO_LOADER_NAME, NULL, 0, &name);
    for (uint32_t i = 0; i < l->module_count; i++) {
        uint32_t start = (uint32_t)l->modules[i].at;
        struct multiboot2_module module = {start, start + (uint32_t)l->modules[i].image.range.size};
        tag_write(w, MULTIBOOT2_INFO_MODULE, &module, sizeof module, &config->modules[i].text);
    }
    memory_tags(w);
    rsdp_tag(w);
    tag_write(w, MULTIBOOT2_INFO_END, NULL, 0, NULL);
    struct multiboot2_info info = {w->at - INFO_AT, 0};
    loader_write(w, INFO_AT, &info, sizeof info, "boot information");
    entry->gpr[GPR_RAX] = MULTIBOOT2_BOOTLOADER_MAGIC;
    entry->gpr[GPR_RBX] = INFO_AT;
}

const struct loader_protocol loader_multiboot2 = {decode, write};
