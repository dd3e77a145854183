/* Placing and copying boot modules, for the protocols that hand a list of them to their kernel. */
#include "core/loader_modules.h"

#include "core/loader_protocol.h"

static bool module_open(const struct plan_partition *plan, const struct machine *machine, uint32_t number,
                        struct sink *errors, struct loader_image *out)
{
    return loader_image_open(plan, machine, plan->modules[number], "module", errors, out);
}

bool loader_modules_place(const struct plan_partition *plan, const struct machine *machine, uint64_t from,
                          struct sink *errors, struct range out[CONFIG_MAX_MODULES])
{
    uint64_t area_end = range_end(loader_image_area(plan));
    uint64_t next = from; /* below 4 GiB, so that rounding up and adding what fits cannot wrap */
    for (uint32_t i = 0; i < plan->config->module_count; i++) {
        struct loader_image module;
        if (!module_open(plan, machine, i, errors, &module))
            return false;
        if (!align_up(next, PAGE_SIZE, &next) || next > area_end || module.range.size > area_end - next)
            return loader_image_error(&module, "does not fit: %lu bytes, there are %lu between 0x%lx and 0x%lx",
                                      module.range.size, next < area_end ? area_end - next : 0, next, area_end);
        out[i] = (struct range){next, module.range.size};
        next += module.range.size;
    }
    return true;
}

bool loader_modules_copy(const struct plan_partition *plan, const struct machine *machine,
                         const struct range places[CONFIG_MAX_MODULES], struct sink *errors)
{
    for (uint32_t i = 0; i < plan->config->module_count; i++) {
        struct loader_image module;
        if (!module_open(plan, machine, i, errors, &module))
            return false;
        if (module.range.size != 0 &&
            !loader_image_copy(&module, (struct range){0, module.range.size}, gpa(places[i].base)))
            return false;
    }
    return true;
}
