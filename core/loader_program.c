/* Checking a program against image and memory, and copying it. */
#include "core/loader_program.h"

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

bool loader_program_check(const struct loader_image *image, const struct loader_program *program, struct range low,
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

bool loader_program_copy(const struct loader_image *image, const struct loader_program *program)
{
    for (uint32_t i = 0; i < program->count; i++) {
        const struct loader_segment *segment = &program->segments[i];
        if (segment->file.size != 0 && !loader_image_copy(image, segment->file, gpa(segment->memory.base)))
            return false;
    }
    return true;
}
