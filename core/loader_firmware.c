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

enum { SHADOW_SIZE = 256 * 1024, RESET_VECTOR_SIZE = 16, RESET_SELECTOR = 0xf000, RESET_IP = 0xfff0 };
#define RESET_BASE 0xffff0000u
static_assert(RESET_BASE + (uint64_t)RESET_IP == PLAN_FIRMWARE_END - RESET_VECTOR_SIZE,
              "SDM vol. 3, \"First Instruction Executed\"");

static bool decode(struct loader_layout *l)
{
    const struct loader_image *image = &l->kernel;
    uint64_t size = image->range.size, memory = image->plan->config->memory;
    if (size < RESET_VECTOR_SIZE || size > PLAN_FIRMWARE_MAX)
        return loader_image_error(image, "is no firmware: %lu bytes, expected %u to %lu", size,
                                  (unsigned)RESET_VECTOR_SIZE, (unsigned long)PLAN_FIRMWARE_MAX);
    if (memory < 1 * MIB)
        return loader_image_error(image, "does not fit: it needs RAM up to 0x%lx, there is RAM up to 0x%lx",
                                  (unsigned long)MIB, memory);
    if (!image->plan->virtual_interrupts)
        return loader_image_error(image, "is firmware, which needs interrupts = virtual");
    uint64_t shadow = size < SHADOW_SIZE ? size : SHADOW_SIZE;
    loader_program_add(&l->program, (struct range){0, size}, (struct range){PLAN_FIRMWARE_END - size, size});
    loader_program_add(&l->program, (struct range){size - shadow, shadow}, (struct range){1 * MIB - shadow, shadow});
    return loader_firmware_items_check(l);
}

static void write(struct loader_writer *w, const struct loader_layout *l, struct vcpu_entry *entry)
{
    const struct partition *p = w->p;
    uint64_t low = e820_low_ram_end(p->plan->config->memory);
    loader_firmware_items_add(w, l);
    platform_set_memory(p->platform, low, p->plan->config->memory - low, p->vcpu_count);
    *entry = (struct vcpu_entry){
        .mode = VCPU_MODE_REAL, .cs_selector = RESET_SELECTOR, .cs_base = RESET_BASE, .rip = RESET_IP};
}

const struct loader_protocol loader_firmware = {decode, write};
