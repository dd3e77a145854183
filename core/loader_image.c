/* Reading boot modules and copying them into guest RAM. */
#include "core/loader_image.h"

#include "core/bytes.h"
#include "core/phys.h"

bool loader_image_open(const struct plan_partition *plan, const struct machine *machine, int index, const char *role,
                       struct sink *errors, struct loader_image *out)
{
    if (index < 0 || (uint32_t)index >= machine->module_count) {
        sink_print(errors, "partition '%s': %s is boot module %d, expected one of the %u that there are\n",
                   plan->config->name, role, index, machine->module_count);
        return false;
    }
    const struct machine_module *module = &machine->modules[index];
    *out = (struct loader_image){
        .plan = plan, .role = role, .name = module->name, .range = module->range, .errors = errors};
    if (!range_valid(module->range))
        return loader_image_error(out, "passes the end of the address space (0x%lx bytes at 0x%lx)", module->range.size,
                                  module->range.base);
    return true;
}

static bool holds(const struct loader_image *image, struct range part)
{
    return range_includes((struct range){0, image->range.size}, part);
}

bool loader_image_read(const struct loader_image *image, uint64_t offset, void *to, size_t size)
{
    if (!holds(image, (struct range){offset, size}))
        return false;
    phys_read(hpa(image->range.base + offset), to, size);
    return true;
}

bool loader_image_copy(const struct loader_image *image, struct range part, gpa_t to)
{
    if (!holds(image, part))
        return loader_image_error(image, "has %lu bytes, expected %lu at offset 0x%lx", image->range.size, part.size,
                                  part.base);
    if (!plan_copy(image->plan, to, hpa(image->range.base + part.base), part.size))
        return loader_image_error(image, "does not fit: no RAM for %lu bytes at 0x%lx", part.size, to.raw);
    return true;
}

/* The configuration's key that names this module; the section's header when there is none. */
static struct config_place named_at(const struct loader_image *image)
{
    const struct config_partition *config = image->plan->config;
    if (strcmp(image->role, "kernel") == 0 && config->kernel.place.line != 0)
        return config->kernel.place;
    if (strcmp(image->role, "initrd") == 0 && config->initrd.place.line != 0)
        return config->initrd.place;
    for (uint32_t i = 0; i < config->module_count; i++)
        if (strcmp(image->role, "module") == 0 && slice_equals(config->modules[i].text, image->name))
            return config->modules[i].place;
    return config->place;
}

bool loader_image_error(const struct loader_image *image, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct config_place place = named_at(image);
    if (image->plan->config->file != NULL)
        sink_print(image->errors, "%s:%u:%u: ", image->plan->config->file, place.line, place.column);
    sink_print(image->errors, "partition '%s': %s '%s' ", image->plan->config->name, image->role, image->name);
    sink_vprint(image->errors, format, arguments);
    sink_print(image->errors, "\n");
    va_end(arguments);
    return false;
}
