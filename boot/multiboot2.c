/*
 * Two steps: walk the chain of tags and remember where each is, then read what they say. No byte is used before
 * its tag was found to lie wholly inside the structure.
 * Multiboot2 specification 2.0, "Boot information format".
 */
#include "boot/multiboot2.h"

enum {
    INFO_HEADER_SIZE = 8, /* total size, reserved */
    TAG_HEADER_SIZE = 8,  /* type, size */
    TAG_ALIGNMENT = 8,

    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_LOADER_NAME = 2,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_RSDP_1 = 14,
    TAG_RSDP_2 = 15,
    TAGS_KNOWN = 16,

    MODULE_START = 8,
    MODULE_END = 12,
    MODULE_STRING = 16,

    MAP_ENTRY_SIZE = 8,
    MAP_ENTRIES = 16,
    MAP_ENTRY_MIN = 24, /* base, length, type, reserved */
    MAP_TYPE_USABLE = 1,
    MAP_TYPE_ACPI = 3,
    MAP_TYPE_NVS = 4,
    MAP_TYPE_BAD = 5,
};

/* No x86 CPU has more than 52 bits of physical address: SDM vol. 1, "Physical address space". */
#define PHYSICAL_END ((uint64_t)1 << 52)

/* A tag's bytes, header included. size 0: there is no such tag. */
struct tag {
    const uint8_t *at;
    uint32_t size;
};

struct parser {
    const uint8_t *info;
    struct machine *out;
    struct multiboot2_info *extra;
    struct sink *errors;
    struct tag tags[TAGS_KNOWN]; /* the first of each type, but for modules, which are many */
    struct tag modules[MACHINE_MAX_MODULES];
    uint32_t module_count; /* of all module tags, also of those that did not fit */
};

/* Where a tag is in the structure, for messages. */
static unsigned offset_of(const struct parser *parser, struct tag tag) { return (unsigned)(tag.at - parser->info); }

static void remember(struct parser *parser, uint32_t type, struct tag tag)
{
    if (type == TAG_MODULE) {
        if (parser->module_count < MACHINE_MAX_MODULES)
            parser->modules[parser->module_count] = tag;
        parser->module_count++;
    } else if (type < TAGS_KNOWN && parser->tags[type].size != 0) {
        sink_print(parser->errors, "multiboot2: second tag of type %u at offset 0x%x is not used, expected one\n", type,
                   offset_of(parser, tag));
    } else if (type < TAGS_KNOWN) {
        parser->tags[type] = tag;
    }
}

/* Finds every tag of the `total` bytes. False when the chain is broken or has no end. */
static bool walk(struct parser *parser, uint32_t total)
{
    uint64_t at = INFO_HEADER_SIZE;
    while (at < total && total - at >= TAG_HEADER_SIZE) {
        const uint8_t *tag = parser->info + at;
        uint32_t type = load32(tag);
        uint32_t size = load32(tag + 4);
        if (size < TAG_HEADER_SIZE || size > total - at) {
            sink_print(parser->errors, "multiboot2: tag of type %u at offset 0x%x has size %u, expected 8 to %u\n",
                       type, (unsigned)at, size, (unsigned)(total - at));
            return false;
        }
        if (type == TAG_END)
            return true;
        remember(parser, type, (struct tag){tag, size});
        at = align_down(at + size + TAG_ALIGNMENT - 1, TAG_ALIGNMENT); /* far below 2^64 */
    }
    sink_print(parser->errors, "multiboot2: no end tag in %u bytes, expected one of type 0\n", total);
    return false;
}

/* The zero-terminated text that begins `offset` bytes into a tag; empty, with a line, when its end is missing. */
static struct slice tag_text(const struct parser *parser, struct tag tag, uint32_t offset)
{
    if (tag.size == 0)
        return (struct slice){"", 0};
    struct slice text = {(const char *)tag.at + offset, 0};
    for (uint32_t i = offset; i < tag.size; i++) {
        if (tag.at[i] == 0)
            return text;
        text.length++;
    }
    sink_print(parser->errors, "multiboot2: text of the tag at offset 0x%x is not used, expected a zero at its end\n",
               offset_of(parser, tag));
    return (struct slice){"", 0};
}

/* Prefers the newer form, which has the 64-bit address, and falls back to the older one. */
static void read_rsdp(struct parser *parser)
{
    static const uint32_t types[] = {TAG_RSDP_2, TAG_RSDP_1};
    for (size_t i = 0; i < array_size(types) && parser->extra->rsdp_size == 0; i++) {
        struct tag tag = parser->tags[types[i]];
        size_t wanted = types[i] == TAG_RSDP_2 ? ACPI_RSDP_SIZE_2 : ACPI_RSDP_SIZE_1;
        if (tag.size == 0)
            continue;
        const uint8_t *rsdp = tag.at + TAG_HEADER_SIZE;
        size_t size = tag.size - TAG_HEADER_SIZE;
        if (size < wanted)
            sink_print(parser->errors, "multiboot2: tag %u holds %zu bytes, expected an RSDP of %zu\n", types[i], size,
                       wanted);
        if (size < wanted || !acpi_rsdp_valid(rsdp, size, "multiboot2", parser->errors))
            continue;
        memcpy(parser->extra->rsdp, rsdp, wanted);
        parser->extra->rsdp_size = wanted;
    }
}

/* The memory map tag, its header checked. */
struct map {
    const uint8_t *entries;
    uint32_t count;
    uint32_t entry_size;
};

struct map_entry {
    uint64_t base;
    uint64_t size;
    enum memory_kind kind;
};

static enum memory_kind kind_of(uint32_t type)
{
    switch (type) {
    case MAP_TYPE_USABLE:
        return MEMORY_USABLE;
    case MAP_TYPE_ACPI:
    case MAP_TYPE_NVS:
        return MEMORY_ACPI;
    case MAP_TYPE_BAD:
        return MEMORY_BAD;
    default:
        return MEMORY_RESERVED; /* also what later specifications may add */
    }
}

static struct map_entry map_raw(const struct map *map, uint32_t index)
{
    const uint8_t *at = map->entries + (size_t)index * map->entry_size;
    return (struct map_entry){load64(at), load64(at + 8), kind_of(load32(at + 16))};
}

static bool is_physical(struct map_entry entry)
{
    return entry.base <= PHYSICAL_END && entry.size <= PHYSICAL_END - entry.base;
}

/*
 * An entry as it is used: one that leaves the physical address space is empty when it claims to be usable, and is cut
 * at the end of that space when it forbids something.
 */
static struct map_entry map_entry(const struct map *map, uint32_t index)
{
    struct map_entry entry = map_raw(map, index);
    if (is_physical(entry))
        return entry;
    if (entry.kind == MEMORY_USABLE || entry.base > PHYSICAL_END)
        return (struct map_entry){0, 0, entry.kind};
    entry.size = PHYSICAL_END - entry.base;
    return entry;
}

/* Where entries overlap, the larger number holds. */
static unsigned strictness(enum memory_kind kind)
{
    static const uint8_t order[] = {[MEMORY_USABLE] = 0, [MEMORY_ACPI] = 1, [MEMORY_RESERVED] = 2, [MEMORY_BAD] = 3};
    return order[kind];
}

/* What holds from `at` on, and up to where (*end). False: no entry names it. */
static bool map_run(const struct map *map, uint64_t at, uint64_t *end, enum memory_kind *kind)
{
    bool named = false;
    *end = PHYSICAL_END;
    *kind = MEMORY_USABLE;
    for (uint32_t i = 0; i < map->count; i++) {
        struct map_entry entry = map_entry(map, i);
        if (at < entry.base) {
            if (entry.size != 0 && entry.base < *end)
                *end = entry.base;
        } else if (at - entry.base < entry.size) {
            named = true;
            if (entry.base + entry.size < *end)
                *end = entry.base + entry.size;
            if (strictness(entry.kind) > strictness(*kind))
                *kind = entry.kind;
        }
    }
    return named;
}

/* Appends to the sorted list, or lengthens its last region. False when the list is full. */
static bool add_region(struct machine *out, struct range range, enum memory_kind kind)
{
    struct machine_region *last = out->region_count != 0 ? &out->regions[out->region_count - 1] : NULL;
    if (last != NULL && last->kind == kind && range_end(last->range) == range.base) {
        last->range.size += range.size;
        return true;
    }
    if (out->region_count == MACHINE_MAX_REGIONS)
        return false;
    out->regions[out->region_count++] = (struct machine_region){range, kind};
    return true;
}

/* Goes up through the address space from one change to the next, so the regions come out sorted and disjoint. */
static void read_regions(struct parser *parser, const struct map *map)
{
    enum memory_kind kind;
    for (uint64_t at = 0, end = 0; at < PHYSICAL_END; at = end) {
        if (!map_run(map, at, &end, &kind) || add_region(parser->out, (struct range){at, end - at}, kind))
            continue;
        sink_print(parser->errors, "multiboot2: more than %d memory regions: nothing from address 0x%llx on is used\n",
                   MACHINE_MAX_REGIONS, (unsigned long long)at);
        return;
    }
}

static bool read_map(struct parser *parser)
{
    struct tag tag = parser->tags[TAG_MEMORY_MAP];
    if (tag.size < MAP_ENTRIES) {
        sink_print(parser->errors, "multiboot2: memory map of %u bytes, expected a tag of type 6 with entries\n",
                   tag.size);
        return false;
    }
    uint32_t entry_size = load32(tag.at + MAP_ENTRY_SIZE);
    if (entry_size < MAP_ENTRY_MIN || !is_aligned(entry_size, 8)) {
        sink_print(parser->errors, "multiboot2: memory map entries of %u bytes, expected a multiple of 8 from %d on\n",
                   entry_size, MAP_ENTRY_MIN);
        return false;
    }
    uint32_t bytes = tag.size - MAP_ENTRIES;
    struct map map = {tag.at + MAP_ENTRIES, bytes / entry_size, entry_size};
    if (bytes % entry_size != 0)
        sink_print(parser->errors, "multiboot2: memory map ends with %u bytes, expected whole entries of %u\n",
                   bytes % entry_size, entry_size);
    for (uint32_t i = 0; i < map.count; i++) {
        struct map_entry entry = map_raw(&map, i);
        if (!is_physical(entry))
            sink_print(parser->errors, "multiboot2: memory map entry %u, 0x%llx bytes at 0x%llx, passes 2^52\n", i,
                       (unsigned long long)entry.size, (unsigned long long)entry.base);
    }
    read_regions(parser, &map);
    for (uint32_t i = 0; i < parser->out->region_count; i++)
        if (parser->out->regions[i].kind == MEMORY_USABLE)
            return true;
    sink_print(parser->errors, "multiboot2: memory map of %u entries has no usable memory\n", map.count);
    return false;
}

/* Loaders put modules into free memory; anything else would make a guest's image out of a device's registers. */
static bool is_usable(const struct machine *machine, struct range range)
{
    for (uint32_t i = 0; i < machine->region_count; i++)
        if (machine->regions[i].kind == MEMORY_USABLE && range_includes(machine->regions[i].range, range))
            return true;
    return false;
}

/* The first word, safe to print. */
static void read_name(const struct parser *parser, struct slice text, char name[MACHINE_MODULE_NAME_SIZE])
{
    while (text.length != 0 && (*text.at == ' ' || *text.at == '\t')) {
        text.at++;
        text.length--;
    }
    struct slice word = {text.at, 0};
    while (word.length < text.length && word.at[word.length] != ' ' && word.at[word.length] != '\t')
        word.length++;
    bool whole = slice_copy(word, name, MACHINE_MODULE_NAME_SIZE);
    for (char *c = name; *c != '\0'; c++)
        if (*c < '!' || *c > '~')
            *c = '?';
    if (!whole)
        sink_print(parser->errors, "multiboot2: module name '%s' is cut, expected at most %d characters\n", name,
                   MACHINE_MODULE_NAME_SIZE - 1);
}

static void read_module(struct parser *parser, struct tag tag)
{
    if (tag.size <= MODULE_STRING) {
        sink_print(parser->errors, "multiboot2: module tag at offset 0x%x has size %u, expected %d or more\n",
                   offset_of(parser, tag), tag.size, MODULE_STRING + 1);
        return;
    }
    uint32_t start = load32(tag.at + MODULE_START);
    uint32_t end = load32(tag.at + MODULE_END);
    struct machine_module module = {.range = {start, end - start}}; /* meaningless unless start <= end */
    if (end < start || (start != end && !is_usable(parser->out, module.range))) {
        sink_print(parser->errors,
                   "multiboot2: module at 0x%x to 0x%x is not used, expected a range in usable memory\n", start, end);
        return;
    }
    read_name(parser, tag_text(parser, tag, MODULE_STRING), module.name);
    if (module.name[0] == '\0')
        sink_print(parser->errors, "multiboot2: module at 0x%x has no name, expected one after its file name\n", start);
    else if (machine_find_module(parser->out, module.name) >= 0)
        sink_print(parser->errors, "multiboot2: module at 0x%x has the name '%s' of an earlier one\n", start,
                   module.name);
    parser->out->modules[parser->out->module_count++] = module;
}

static void read_modules(struct parser *parser)
{
    uint32_t count = parser->module_count;
    if (count > MACHINE_MAX_MODULES) {
        sink_print(parser->errors, "multiboot2: %u modules, expected at most %d: the last ones are not used\n", count,
                   MACHINE_MAX_MODULES);
        count = MACHINE_MAX_MODULES;
    }
    for (uint32_t i = 0; i < count; i++)
        read_module(parser, parser->modules[i]);
}

bool multiboot2_parse(const void *info, size_t size, struct machine *out, struct multiboot2_info *extra,
                      struct sink *errors)
{
    struct parser parser = {.info = info, .out = out, .extra = extra, .errors = errors};
    memset(extra, 0, sizeof *extra);
    out->region_count = 0;
    out->module_count = 0;
    out->rsdp = hpa(0);

    uint32_t total = size >= INFO_HEADER_SIZE ? load32(info) : 0;
    if (total < INFO_HEADER_SIZE + TAG_HEADER_SIZE || total > size || total > MULTIBOOT2_MAX_SIZE) {
        sink_print(errors, "multiboot2: information of %u bytes where %zu can be read, expected 16 to %d\n", total,
                   size, MULTIBOOT2_MAX_SIZE);
        return false;
    }
    if (!walk(&parser, total))
        return false;
    extra->command_line = tag_text(&parser, parser.tags[TAG_COMMAND_LINE], TAG_HEADER_SIZE);
    extra->loader_name = tag_text(&parser, parser.tags[TAG_LOADER_NAME], TAG_HEADER_SIZE);
    read_rsdp(&parser);
    if (!read_map(&parser))
        return false;
    read_modules(&parser);
    return true;
}
