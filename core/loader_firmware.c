/*
 * A firmware image, such as SeaBIOS: it ends at 4 GiB, and the guest starts as a CPU does after reset, 16 bytes below
 * that.
 *
 * Guest-physical layout:
 *     4 GiB - size    the image; memory of its own, which plan_build has set aside
 *     1 MiB - 256 KiB its last 256 KiB once more, where real-mode code finds it on every PC
 *
 * Both are RAM. A PC's are ROM until the firmware has programmed its chipset to put RAM there, which is what firmware
 * wants them to be: so it finds that done. There are no ACPI tables but those that it makes.
 */
#include "core/loader_firmware_items.h"
#include "core/loader_protocol.h"

enum { SHADOW_SIZE = 256 * 1024, RESET_VECTOR_SIZE = 16, RESET_SELECTOR = 0xf000, RESET_IP = 0xfff0 };
#define RESET_BASE 0xffff0000u
static_assert(RESET_BASE + (uint64_t)RESET_IP == PLAN_FIRMWARE_END - RESET_VECTOR_SIZE,
              "SDM vol. 3, \"First Instruction Executed\"");

static bool image_check(const struct loader_image *image)
{
    const struct plan_partition *plan = image->plan;
    uint64_t size = image->range.size, memory = plan->config->memory;
    if (size < RESET_VECTOR_SIZE || size > PLAN_FIRMWARE_MAX)
        return loader_image_error(image, "is no firmware: %lu bytes, expected %u to %lu", size,
                                  (unsigned)RESET_VECTOR_SIZE, (unsigned long)PLAN_FIRMWARE_MAX);
    if (memory < 1 * MIB)
        return loader_image_error(image, "does not fit: it needs RAM up to 0x%lx, there is RAM up to 0x%lx",
                                  (unsigned long)MIB, memory);
    if (!plan->virtual_interrupts)
        return loader_image_error(image, "is firmware, which needs interrupts = virtual");
    return true;
}

static bool decode(const struct plan_partition *plan, const struct machine *machine, struct sink *errors,
                   struct loader_image *image)
{
    return loader_image_open(plan, machine, plan->kernel, "kernel", errors, image) && image_check(image) &&
           loader_firmware_items_check(plan, machine, errors);
}

bool loader_firmware_check(const struct plan_partition *plan, const struct machine *machine, struct sink *errors)
{
    struct loader_image image;
    return decode(plan, machine, errors, &image);
}

bool loader_firmware_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors)
{
    struct loader_image image;
    if (!decode(p->plan, p->machine, errors, &image))
        return false;
    uint64_t size = image.range.size;
    uint64_t shadow = size < SHADOW_SIZE ? size : SHADOW_SIZE;
    if (!loader_image_copy(&image, (struct range){0, size}, gpa(PLAN_FIRMWARE_END - size)) ||
        !loader_image_copy(&image, (struct range){size - shadow, shadow}, gpa(1 * MIB - shadow)) ||
        !loader_firmware_items_add(p, errors))
        return false;
    uint64_t low = e820_low_ram_end(p->plan->config->memory);
    platform_set_memory(p->platform, low, p->plan->config->memory - low, p->vcpu_count);
    *entry = (struct vcpu_entry){
        .mode = VCPU_MODE_REAL, .cs_selector = RESET_SELECTOR, .cs_base = RESET_BASE, .rip = RESET_IP};
    return true;
}
