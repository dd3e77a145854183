/* A flat image: bytes that go to one address and start, in 32-bit protected mode, at another. */
#include "core/loader_protocol.h"

static bool decode(struct loader_layout *l)
{
    const struct config_partition *config = l->kernel.plan->config;
    struct range ram = {0, e820_low_ram_end(config->memory)};
    struct range target = {config->load, l->kernel.range.size};
    if (target.size == 0)
        return loader_image_error(&l->kernel, "is empty, expected at least one byte");
    if (!range_includes(ram, target))
        return loader_image_error(&l->kernel, "does not fit: %lu bytes at load address 0x%lx, RAM is 0x0 to 0x%lx",
                                  target.size, target.base, range_end(ram));
    if (!range_contains(target, config->entry))
        return loader_image_error(&l->kernel,
                                  "has its entry at 0x%lx, expected an address of the image, 0x%lx to 0x%lx",
                                  config->entry, target.base, range_end(target));
    loader_program_add(&l->program, (struct range){0, target.size}, target);
    l->program.entry = config->entry;
    return true;
}

const struct loader_protocol loader_flat = {.decode = decode};
