/*
 * The loader's tags. The input is the structure itself, or its tags, around which a right header and end are put.
 * Above all: no byte that an entry of the memory map calls anything but usable may end up usable.
 */
#include "boot/multiboot2.h"

#include "tests/fuzz/machine_promises.h"

enum { TAG_END = 0, TAG_MEMORY_MAP = 6, ENTRY_USABLE = 1, HEADER = 8 };

static bool is_inside(const struct slice *s, const uint8_t *info, size_t size)
{
    const uint8_t *at = (const uint8_t *)s->at;
    return s->length == 0 || (at >= info && s->length <= size && (size_t)(at - info) <= size - s->length);
}

static const struct machine_region *region_of(const struct machine *m, uint64_t address)
{
    for (uint32_t i = 0; i < m->region_count; i++)
        if (range_contains(m->regions[i].range, address))
            return &m->regions[i];
    return NULL;
}

static void require_unusable(const struct machine *m, struct range entry)
{
    if (!range_valid(entry)) /* it reaches the end of the address space */
        entry.size = UINT64_MAX - entry.base;
    for (uint32_t i = 0; i < m->region_count; i++)
        require(m->regions[i].kind != MEMORY_USABLE || !range_overlaps(m->regions[i].range, entry));
}

/* Goes through the memory map tag once more; `tag` was accepted by the parser. */
static void require_map_obeyed(const struct machine *m, const uint8_t *tag, uint32_t size)
{
    if (size < 16)
        return;
    uint32_t entry_size = load32(tag + 8);
    if (entry_size < 24 || entry_size % 8 != 0)
        return;
    for (uint32_t at = 16; at <= size && entry_size <= size - at; at += entry_size)
        if (load32(tag + at + 16) != ENTRY_USABLE)
            require_unusable(m, (struct range){load64(tag + at), load64(tag + at + 8)});
}

/* The chain of tags was found sound, so that this walk needs no checks but its own end. */
static void require_tags_obeyed(const struct machine *m, const uint8_t *info)
{
    uint32_t total = load32(info);
    uint32_t at = HEADER;
    while (at + HEADER <= total && load32(info + at) != TAG_END) {
        uint32_t size = load32(info + at + 4);
        if (load32(info + at) == TAG_MEMORY_MAP) {
            require_map_obeyed(m, info + at, size);
            return; /* the first one counts */
        }
        at += (size + 7) & ~7u;
    }
}

static void require_modules_usable(const struct machine *m)
{
    for (uint32_t i = 0; i < m->module_count; i++) {
        struct range module = m->modules[i].range;
        for (uint32_t r = 0; r < m->region_count; r++)
            require(m->regions[r].kind == MEMORY_USABLE || !range_overlaps(m->regions[r].range, module));
        require(module.size == 0 || region_of(m, module.base) != NULL);
        require(module.size == 0 || region_of(m, range_end(module) - 1) != NULL);
    }
}

static void require_merged(const struct machine *m)
{
    for (uint32_t i = 0; i < m->region_count; i++) {
        const struct machine_region *next = &m->regions[i + 1];
        require(m->regions[i].range.size != 0);
        require(i + 1 == m->region_count || m->regions[i].kind != next->kind ||
                range_end(m->regions[i].range) != next->range.base);
    }
}

static void parse(const uint8_t *info, size_t size)
{
    static struct machine machine;
    struct multiboot2_info extra;
    struct line_sink errors = line_sink_new();
    memset(&machine, 0xee, sizeof machine); /* what it held before is replaced */
    memset(&extra, 0xee, sizeof extra);
    bool good = multiboot2_parse(info, size, &machine, &extra, &errors.sink);
    require(good || line_sink_count(&errors) > 0);
    if (!good)
        return;
    (void)line_sink_count(&errors);
    require_regions(&machine);
    require_merged(&machine);
    require_modules(&machine);
    require_modules_usable(&machine);
    require_tags_obeyed(&machine, info);
    require(machine.rsdp.raw == 0);
    require(is_inside(&extra.command_line, info, size) && is_inside(&extra.loader_name, info, size));
    require(extra.rsdp_size == 0 || extra.rsdp_size == ACPI_RSDP_SIZE_1 || extra.rsdp_size == ACPI_RSDP_SIZE_2);
    bool usable = false;
    for (uint32_t i = 0; i < machine.region_count; i++)
        usable |= machine.regions[i].kind == MEMORY_USABLE;
    require(usable);
}

/* The parser wants the structure aligned to 8, as malloc gives it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    bool wrap = (data[0] & 1) != 0;
    size_t tags = (size - 1) & ~(size_t)7;
    size_t total = wrap ? HEADER + tags + HEADER : size - 1;
    uint8_t *info = calloc(1, total);
    require(info != NULL || total == 0);
    if (wrap) {
        uint32_t header[2] = {(uint32_t)total, 0}, end[2] = {TAG_END, HEADER};
        memcpy(info, header, sizeof header);
        memcpy(info + HEADER, data + 1, tags);
        memcpy(info + HEADER + tags, end, sizeof end);
    } else if (total != 0) {
        memcpy(info, data + 1, total);
    }
    parse(info, total);
    free(info);
    return 0;
}
