/*
 * Two steps: walk the chain of tags and remember where each is, then read what they say. No byte is used before
 * its tag was found to lie wholly inside the structure.
 * Multiboot2 specification 2.0, "Boot information format".
 */
#include "boot/multiboot2_map.h"

enum {
    INFO_HEADER_SIZE = 8, /* total size, reserved */
    TAG_HEADER_SIZE = 8,  /* type, size */
    TAG_ALIGNMENT = 8,

    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_LOADER_NAME = 2,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_RSDP_1 = 14,
    TAG_RSDP_2 = 15,
    TAGS_KNOWN = 16,

    MODULE_START = 8,
    MODULE_END = 12,
    MODULE_STRING = 16,
};

struct multiboot2_parser {
    const uint8_t *info;
    struct machine *out;
    struct multiboot2_info *extra;
    struct sink *errors;
    struct multiboot2_tag tags[TAGS_KNOWN]; /* the first of each type, but for modules, which are many */
    struct multiboot2_tag modules[MACHINE_MAX_MODULES];
    uint32_t module_count; /* of all module tags, also of those that did not fit */
};

/* Where a tag is in the structure, for messages. */
static unsigned offset_of(const struct multiboot2_parser *parser, struct multiboot2_tag tag)
{
    return (unsigned)(tag.at - parser->info);
}

static void remember(struct multiboot2_parser *parser, uint32_t type, struct multiboot2_tag tag)
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
static bool walk(struct multiboot2_parser *parser, uint32_t total)
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
        remember(parser, type, (struct multiboot2_tag){tag, size});
        at = align_down(at + size + TAG_ALIGNMENT - 1, TAG_ALIGNMENT); /* far below 2^64 */
    }
    sink_print(parser->errors, "multiboot2: no end tag in %u bytes, expected one of type 0\n", total);
    return false;
}

/* The zero-terminated text that begins `offset` bytes into a tag; empty, with a line, when its end is missing. */
static struct slice tag_text(const struct multiboot2_parser *parser, struct multiboot2_tag tag, uint32_t offset)
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
static void read_rsdp(struct multiboot2_parser *parser)
{
    static const uint32_t types[] = {TAG_RSDP_2, TAG_RSDP_1};
    for (size_t i = 0; i < array_size(types) && parser->extra->rsdp_size == 0; i++) {
        struct multiboot2_tag tag = parser->tags[types[i]];
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

/* "Framebuffer info": address, pitch, width, height, depth, type; for RGB the colours' places follow. */
static void read_screen(struct multiboot2_parser *parser)
{
    enum { SIZE = 32, SIZE_RGB = 38, TYPE_RGB = 1, TYPE_TEXT = 2 };
    struct multiboot2_tag tag = parser->tags[TAG_FRAMEBUFFER];
    if (tag.size == 0)
        return;
    uint8_t type = tag.size >= SIZE ? tag.at[29] : 0;
    if ((type != TYPE_RGB && type != TYPE_TEXT) || (type == TYPE_RGB && tag.size < SIZE_RGB)) {
        sink_print(parser->errors, "multiboot2: framebuffer of type %u in %u bytes is not used, expected RGB or text\n",
                   type, tag.size);
        return;
    }
    parser->extra->screen = (struct screen_info){
        .kind = type == TYPE_RGB ? SCREEN_PIXELS : SCREEN_TEXT,
        .address = hpa(load64(tag.at + 8)),
        .pitch = load32(tag.at + 16),
        .width = load32(tag.at + 20),
        .height = load32(tag.at + 24),
        .bits_per_pixel = tag.at[28],
    };
    if (type != TYPE_RGB)
        return;
    const uint8_t *colours = tag.at + SIZE;
    struct screen_info *screen = &parser->extra->screen;
    screen->red_position = colours[0];
    screen->red_size = colours[1];
    screen->green_position = colours[2];
    screen->green_size = colours[3];
    screen->blue_position = colours[4];
    screen->blue_size = colours[5];
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
static void read_name(const struct multiboot2_parser *parser, struct slice text, char name[MACHINE_MODULE_NAME_SIZE])
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

static void read_module(struct multiboot2_parser *parser, struct multiboot2_tag tag)
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

static void read_modules(struct multiboot2_parser *parser)
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
    struct multiboot2_parser parser = {.info = info, .out = out, .extra = extra, .errors = errors};
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
    read_screen(&parser);
    if (!multiboot2_map_read(&parser.tags[TAG_MEMORY_MAP], out, errors))
        return false;
    read_modules(&parser);
    return true;
}
