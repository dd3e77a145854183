/*
 * What the boot protocols have in common, and how core/loader.c calls each. Private to the loaders.
 *
 * Each protocol decodes the image and decides where everything goes without writing (check), and only then writes
 * (load).
 */
#pragma once

#include "core/e820.h"
#include "core/loader.h"
#include "core/loader_image.h"

/* Selectors of the flat segments a guest starts with. Linux asks for these ("32-bit boot protocol"), others do not
 * care. */
enum {
    LOADER_CODE_SELECTOR = 0x10,
    LOADER_DATA_SELECTOR = 0x18,
};

/*
 * The most that command line and module names can take, each with its terminator: they are pieces of one text. Its
 * reader refuses a longer one.
 */
enum { LOADER_STRINGS_MAX = CONFIG_MAX_SIZE + 1 + CONFIG_MAX_MODULES };

/* The range an image may be loaded to: RAM above the first MiB (which holds what the loader itself writes), below 4
 * GiB. */
static inline struct range loader_image_area(const struct plan_partition *plan)
{
    uint64_t end = e820_low_ram_end(plan->config->memory);
    return (struct range){1 * MIB, end > 1 * MIB ? end - 1 * MIB : 0};
}

/*
 * Writes the ACPI tables to GUEST_ACPI_BASE, and what restarts the machine to F000:FFF0. False with a line on `errors`
 * when the partition has no RAM there.
 */
bool must_check loader_write_acpi(const struct partition *p, struct sink *errors);

/* partition_write that says what failed to go where. */
bool must_check loader_write(const struct partition *p, uint64_t to, const void *from, size_t size, const char *what,
                             struct sink *errors);

/* A start in 32-bit protected mode at `rip`, general registers zero. */
static inline struct vcpu_entry loader_flat_entry(uint64_t rip)
{
    return (struct vcpu_entry){
        .mode = VCPU_MODE_FLAT32, .cs_selector = LOADER_CODE_SELECTOR, .ds_selector = LOADER_DATA_SELECTOR, .rip = rip};
}

bool must_check loader_linux_check(const struct plan_partition *plan, const struct machine *machine,
                                   struct sink *errors);
bool must_check loader_linux_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors);

bool must_check loader_multiboot1_check(const struct plan_partition *plan, const struct machine *machine,
                                        struct sink *errors);
bool must_check loader_multiboot1_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors);

bool must_check loader_multiboot2_check(const struct plan_partition *plan, const struct machine *machine,
                                        struct sink *errors);
bool must_check loader_multiboot2_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors);

bool must_check loader_pvh_check(const struct plan_partition *plan, const struct machine *machine, struct sink *errors);
bool must_check loader_pvh_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors);

bool must_check loader_firmware_check(const struct plan_partition *plan, const struct machine *machine,
                                      struct sink *errors);
bool must_check loader_firmware_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors);

bool must_check loader_flat_check(const struct plan_partition *plan, const struct machine *machine,
                                  struct sink *errors);
bool must_check loader_flat_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors);
