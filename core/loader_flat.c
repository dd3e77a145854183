/* A flat image: bytes that go to one address and start, in 32-bit protected mode, at another. */
#include "core/loader_protocol.h"

/* Checks; gives the image, opened. */
static bool decode(const struct plan_partition *plan, const struct machine *machine, struct sink *errors,
                   struct loader_image *image)
{
    const struct config_partition *config = plan->config;
    if (!loader_image_open(plan, machine, plan->kernel, "kernel", errors, image))
        return false;

    struct range ram = {0, e820_low_ram_end(config->memory)};
    struct range target = {config->load, image->range.size};
    if (target.size == 0)
        return loader_image_error(image, "is empty, expected at least one byte");
    if (!range_includes(ram, target))
        return loader_image_error(image, "does not fit: %lu bytes at load address 0x%lx, RAM is 0x0 to 0x%lx",
                                  target.size, target.base, range_end(ram));
    if (!range_contains(target, config->entry))
        return loader_image_error(image, "has its entry at 0x%lx, expected an address of the image, 0x%lx to 0x%lx",
                                  config->entry, target.base, range_end(target));
    return true;
}

bool loader_flat_check(const struct plan_partition *plan, const struct machine *machine, struct sink *errors)
{
    struct loader_image image;
    return decode(plan, machine, errors, &image);
}

bool loader_flat_load(const struct partition *p, struct vcpu_entry *entry, struct sink *errors)
{
    const struct config_partition *config = p->plan->config;
    struct loader_image image;
    if (!decode(p->plan, p->machine, errors, &image))
        return false;
    if (!loader_image_copy(&image, (struct range){0, image.range.size}, gpa(config->load)))
        return false;
    *entry = loader_flat_entry(config->entry);
    return true;
}
