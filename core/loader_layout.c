/* Checking a layout against images and memory, and copying it. */
#include "core/loader_layout.h"

static bool segment_check(const struct loader_image *image, uint32_t number, const struct loader_segment *segment,
                          struct range low, struct range area)
{
    if (segment->file.size > segment->memory.size)
        return loader_image_error(image,
                                  "has segment %u with %lu bytes in the file, expected at most its %lu in memory",
                                  number, segment->file.size, segment->memory.size);
    if (!range_includes((struct range){0, image->range.size}, segment->file))
        return loader_image_error(image, "is truncated: segment %u is %lu bytes at 0x%lx, the module has %lu", number,
                                  segment->file.size, segment->file.base, image->range.size);
    if (!range_includes(area, segment->memory) && !range_includes(low, segment->memory))
        return loader_image_error(image, "does not fit: segment %u is %lu bytes at 0x%lx, RAM for it is 0x%lx to 0x%lx",
                                  number, segment->memory.size, segment->memory.base, area.base, range_end(area));
    return true;
}

static bool overlap_check(const struct loader_image *image, const struct loader_program *program, uint32_t number)
{
    const struct range *memory = &program->segments[number].memory;
    for (uint32_t i = 0; i < number; i++)
        if (range_overlaps(program->segments[i].memory, *memory))
            return loader_image_error(image, "has segments %u and %u that overlap at 0x%lx", i, number, memory->base);
    return true;
}

/* Sets *end to the first address after what is in `area`. */
static bool program_check(const struct loader_image *image, const struct loader_program *program, struct range low,
                          struct range area, uint64_t *end)
{
    bool entry_found = false;
    *end = area.base;
    if (program->count == 0)
        return loader_image_error(image, "has nothing to load, expected at least one segment");
    for (uint32_t i = 0; i < program->count; i++) {
        const struct loader_segment *segment = &program->segments[i];
        if (!segment_check(image, i, segment, low, area) || !overlap_check(image, program, i))
            return false;
        if (range_end(segment->memory) > *end)
            *end = range_end(segment->memory);
        entry_found |= range_contains(segment->memory, program->entry);
    }
    if (!entry_found)
        return loader_image_error(image, "has its entry at 0x%lx, expected an address of a segment", program->entry);
    return true;
}

bool loader_module_open(struct loader_layout *l, uint32_t index)
{
    return loader_image_open(l->kernel.plan, l->machine, l->kernel.plan->modules[index], "module", l->kernel.errors,
                             &l->modules[index].image);
}

bool loader_layout_finish(struct loader_layout *l, struct range low)
{
    struct range area = loader_image_area(l->kernel.plan);
    uint64_t area_end = range_end(area), next;
    if (!program_check(&l->kernel, &l->program, low, area, &next))
        return false;
    l->module_count = l->kernel.plan->config->module_count;
    /* All is below 4 GiB, so that rounding up and adding what fits cannot wrap. */
    for (uint32_t i = 0; i < l->module_count; i++) {
        struct loader_module *module = &l->modules[i];
        if (!loader_module_open(l, i))
            return false;
        uint64_t size = module->image.range.size;
        if (!align_up(next, PAGE_SIZE, &module->at) || module->at > area_end || size > area_end - module->at)
            return loader_image_error(&module->image, "does not fit: %lu bytes, there are %lu between 0x%lx and 0x%lx",
                                      size, module->at < area_end ? area_end - module->at : 0, module->at, area_end);
        next = module->at + size;
    }
    return true;
}

static bool copy(const struct loader_image *image, struct range part, uint64_t to)
{
    return part.size == 0 || loader_image_copy(image, part, gpa(to));
}

bool loader_layout_copy(const struct loader_layout *l)
{
    for (uint32_t i = 0; i < l->program.count; i++)
        if (!copy(&l->kernel, l->program.segments[i].file, l->program.segments[i].memory.base))
            return false;
    for (uint32_t i = 0; i < l->module_count; i++)
        if (!copy(&l->modules[i].image, (struct range){0, l->modules[i].image.range.size}, l->modules[i].at))
            return false;
    return true;
}
