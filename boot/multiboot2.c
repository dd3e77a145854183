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

/*@ predicate tag_inside(struct multiboot2_parser *p, uint8_t *at, integer size) = tag_readable(at, size) &&
      (size == 0 || (\base_addr(at) == \base_addr(p->info) && \separated(at + (0 .. size - 1), p->out, p->extra)));

    predicate parser_ready(struct multiboot2_parser *p) = \valid(p->out) && \valid(p->extra) &&
      \base_addr(p) != \base_addr(p->out) && \base_addr(p) != \base_addr(p->extra) && \separated(p->out, p->extra) &&
      (\forall integer i; 0 <= i < TAGS_KNOWN ==> tag_inside(p, p->tags[i].at, p->tags[i].size)) &&
      \forall integer i; 0 <= i < MACHINE_MAX_MODULES && i < p->module_count ==>
        0 < p->modules[i].size && tag_inside(p, p->modules[i].at, p->modules[i].size);

    predicate tag_sizes_kept{A, B}(struct multiboot2_parser *p) =
      \forall integer i; 0 <= i < TAGS_KNOWN ==> \at(p->tags[i].size, A) == \at(p->tags[i].size, B);

    predicate module_sizes_kept{A, B}(struct multiboot2_parser *p) =
      \forall integer i; 0 <= i < MACHINE_MAX_MODULES ==> \at(p->modules[i].size, A) == \at(p->modules[i].size, B);

    predicate places_kept{A, B}(struct multiboot2_parser *p) =
      (\forall integer i; 0 <= i < TAGS_KNOWN ==> \at(p->tags[i].at, A) == \at(p->tags[i].at, B)) &&
      \forall integer i; 0 <= i < MACHINE_MAX_MODULES ==> \at(p->modules[i].at, A) == \at(p->modules[i].at, B);

    predicate regions_kept{A, B}(struct machine *m) = \at(m->region_count, A) == \at(m->region_count, B) &&
      \forall integer i; 0 <= i < MACHINE_MAX_REGIONS ==>
        \at(m->regions[i].range.base, A) == \at(m->regions[i].range.base, B) &&
        \at(m->regions[i].range.size, A) == \at(m->regions[i].range.size, B);

    predicate name_ends(char *name) = \exists integer n; 0 <= n < MACHINE_MODULE_NAME_SIZE && name[n] == 0; */

/* Where a tag is in the structure, for messages. */
/*@ requires \valid_read(parser) && \base_addr(tag.at) == \base_addr(parser->info);
    assigns \nothing; */
static unsigned offset_of(const struct multiboot2_parser *parser, struct multiboot2_tag tag)
{
    return (unsigned)(tag.at - parser->info);
}

/*@ requires \valid(parser) && parser_ready(parser) && tag_inside(parser, tag.at, tag.size) && 0 < tag.size;
    requires parser->module_count < UINT32_MAX;
    assigns parser->tags[0 .. TAGS_KNOWN - 1], parser->modules[0 .. MACHINE_MAX_MODULES - 1], parser->module_count;
    ensures parser_ready(parser) && parser->module_count <= \old(parser->module_count) + 1; */
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
/*@ requires \valid(parser) && parser_ready(parser) && parser->module_count == 0 && total <= MULTIBOOT2_MAX_SIZE;
    requires \valid_read(parser->info + (0 .. total - 1));
    requires \separated(parser->info + (0 .. total - 1), parser->out, parser->extra);
    assigns parser->tags[0 .. TAGS_KNOWN - 1], parser->modules[0 .. MACHINE_MAX_MODULES - 1], parser->module_count;
    ensures parser_ready(parser); */
static bool walk(struct multiboot2_parser *parser, uint32_t total)
{
    uint64_t at = INFO_HEADER_SIZE;
    /*@ loop invariant parser_ready(parser) && parser->module_count <= at <= total + TAG_ALIGNMENT;
        loop assigns at, parser->tags[0 .. TAGS_KNOWN - 1], parser->modules[0 .. MACHINE_MAX_MODULES - 1],
          parser->module_count;
        loop variant total + TAG_ALIGNMENT - at; */
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

/* Bytes as text. Its body is assumed to do that: WP relates no bytes of two types. */
/*@ requires \valid_read(bytes + (0 .. length - 1));
    assigns \nothing;
    ensures slice_readable(\result) && \result.length == length && \base_addr(\result.at) == \base_addr(bytes); */
static struct slice text_of(const uint8_t *bytes, size_t length)
{
    return (struct slice){(const char *)bytes, length};
}

/* The zero-terminated text that begins `offset` bytes into a tag; empty, with a line, when its end is missing. */
/*@ requires \valid_read(parser) && tag_inside(parser, tag.at, tag.size) && (tag.size == 0 || offset <= tag.size);
    assigns \nothing;
    ensures slice_inside(\result.at, \result.length, parser->info); */
static struct slice tag_text(const struct multiboot2_parser *parser, struct multiboot2_tag tag, uint32_t offset)
{
    if (tag.size == 0)
        return (struct slice){"", 0};
    /*@ loop invariant offset <= i <= tag.size;
        loop assigns i;
        loop variant tag.size - i; */
    for (uint32_t i = offset; i < tag.size; i++)
        if (tag.at[i] == 0)
            return text_of(tag.at + offset, i - offset);
    sink_print(parser->errors, "multiboot2: text of the tag at offset 0x%x is not used, expected a zero at its end\n",
               offset_of(parser, tag));
    return (struct slice){"", 0};
}

/* Prefers the newer form, which has the 64-bit address, and falls back to the older one. */
/*@ requires \valid_read(parser) && parser_ready(parser) && parser->extra->rsdp_size == 0;
    assigns parser->extra->rsdp_size, parser->extra->rsdp[0 .. ACPI_RSDP_SIZE_2 - 1];
    ensures parser->extra->rsdp_size == 0 || parser->extra->rsdp_size == ACPI_RSDP_SIZE_1 ||
      parser->extra->rsdp_size == ACPI_RSDP_SIZE_2; */
static void read_rsdp(struct multiboot2_parser *parser)
{
    static const uint32_t types[] = {TAG_RSDP_2, TAG_RSDP_1};
    /*@ loop invariant 0 <= i <= 2;
        loop invariant parser->extra->rsdp_size == 0 || parser->extra->rsdp_size == ACPI_RSDP_SIZE_1 ||
          parser->extra->rsdp_size == ACPI_RSDP_SIZE_2;
        loop assigns i, parser->extra->rsdp_size, parser->extra->rsdp[0 .. ACPI_RSDP_SIZE_2 - 1];
        loop variant 2 - i; */
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
/*@ requires \valid_read(parser) && parser_ready(parser);
    assigns parser->extra->screen; */
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

/* The first word, safe to print. */
/*@ requires \valid_read(parser) && slice_readable(text) && \valid(name + (0 .. MACHINE_MODULE_NAME_SIZE - 1));
    requires text.length == 0 ||
      \separated(name + (0 .. MACHINE_MODULE_NAME_SIZE - 1), text.at + (0 .. text.length - 1));
    assigns name[0 .. MACHINE_MODULE_NAME_SIZE - 1];
    ensures name_ends(name); */
static void read_name(const struct multiboot2_parser *parser, struct slice text, char name[MACHINE_MODULE_NAME_SIZE])
{
    /*@ loop invariant text.length <= \at(text.length, Pre);
        loop invariant text.at == \at(text.at, Pre) + (\at(text.length, Pre) - text.length);
        loop assigns text;
        loop variant text.length; */
    while (text.length != 0 && (*text.at == ' ' || *text.at == '\t')) {
        text.at++;
        text.length--;
    }
    struct slice word = {text.at, 0};
    /*@ loop invariant word.length <= text.length && word.at == text.at;
        loop assigns word.length;
        loop variant text.length - word.length; */
    while (word.length < text.length && word.at[word.length] != ' ' && word.at[word.length] != '\t')
        word.length++;
    bool whole = slice_copy(word, name, MACHINE_MODULE_NAME_SIZE);
    /*@ loop invariant \exists integer n; i <= n < MACHINE_MODULE_NAME_SIZE && name[n] == 0;
        loop assigns i, name[0 .. MACHINE_MODULE_NAME_SIZE - 1];
        loop variant MACHINE_MODULE_NAME_SIZE - i; */
    for (size_t i = 0; name[i] != '\0'; i++)
        if (name[i] < '!' || name[i] > '~')
            name[i] = '?';
    if (!whole)
        sink_print(parser->errors, "multiboot2: module name '%s' is cut, expected at most %d characters\n", name,
                   MACHINE_MODULE_NAME_SIZE - 1);
}

/*@ requires \valid_read(parser) && parser_ready(parser) && tag_inside(parser, tag.at, tag.size) && 0 < tag.size;
    requires parser->out->region_count <= MACHINE_MAX_REGIONS && parser->out->module_count < MACHINE_MAX_MODULES;
    assigns parser->out->module_count, parser->out->modules[0 .. MACHINE_MAX_MODULES - 1];
    ensures parser->out->module_count <= \old(parser->out->module_count) + 1; */
static void read_module(struct multiboot2_parser *parser, struct multiboot2_tag tag)
{
    if (tag.size <= MODULE_STRING) {
        sink_print(parser->errors, "multiboot2: module tag at offset 0x%x has size %u, expected %d or more\n",
                   offset_of(parser, tag), tag.size, MODULE_STRING + 1);
        return;
    }
    uint32_t start = load32(tag.at + MODULE_START);
    uint32_t end = load32(tag.at + MODULE_END);
    struct machine_module module = {.range = {start, start <= end ? end - start : 0}};
    /* Loaders put modules into free memory; anything else would make a guest's image out of a device's registers. */
    const struct machine_region *region = machine_find_region(parser->out, module.range);
    if (end < start || (start != end && (region == NULL || region->kind != MEMORY_USABLE))) {
        sink_print(parser->errors,
                   "multiboot2: module at 0x%x to 0x%x is not used, expected a range in usable memory\n", start, end);
        return;
    }
    read_name(parser, tag_text(parser, tag, MODULE_STRING), module.name);
    if (module.name[0] == '\0')
        sink_print(parser->errors, "multiboot2: module at 0x%x has no name, expected one after its file name\n", start);
    else if (machine_find_module(parser->out, slice_of(module.name)) >= 0)
        sink_print(parser->errors, "multiboot2: module at 0x%x has the name '%s' of an earlier one\n", start,
                   module.name);
    parser->out->modules[parser->out->module_count++] = module;
}

/*@ requires \valid_read(parser) && parser_ready(parser);
    requires parser->out->region_count <= MACHINE_MAX_REGIONS && parser->out->module_count == 0;
    assigns parser->out->module_count, parser->out->modules[0 .. MACHINE_MAX_MODULES - 1];
    ensures parser->out->module_count <= MACHINE_MAX_MODULES; */
static void read_modules(struct multiboot2_parser *parser)
{
    uint32_t count = parser->module_count;
    if (count > MACHINE_MAX_MODULES) {
        sink_print(parser->errors, "multiboot2: %u modules, expected at most %d: the last ones are not used\n", count,
                   MACHINE_MAX_MODULES);
        count = MACHINE_MAX_MODULES;
    }
    /*@ loop invariant 0 <= i <= count && parser->out->module_count <= i;
        loop assigns i, parser->out->module_count, parser->out->modules[0 .. MACHINE_MAX_MODULES - 1];
        loop variant count - i; */
    for (uint32_t i = 0; i < count; i++)
        read_module(parser, parser->modules[i]);
}

/* What is no part of the machine. */
/*@ requires \valid_read(parser) && parser_ready(parser) && parser->extra->rsdp_size == 0;
    assigns *parser->extra;
    ensures extra_readable(\old(parser->extra), \old(parser->info)); */
static void read_extra(struct multiboot2_parser *parser)
{
    struct multiboot2_info *extra = parser->extra;
    /*@ ghost const uint8_t *info = parser->info; */
    extra->command_line = tag_text(parser, parser->tags[TAG_COMMAND_LINE], TAG_HEADER_SIZE);
    extra->loader_name = tag_text(parser, parser->tags[TAG_LOADER_NAME], TAG_HEADER_SIZE);
    /*@ assert parser->extra == extra && parser->info == info && extra_readable(extra, info); */
    /*@ assert parser_ready(parser); */
    read_rsdp(parser);
    /*@ assert parser->extra == extra && parser->info == info && extra_readable(extra, info); */
    read_screen(parser);
}

/* What the tags say. Modules come after the memory map, in which they must lie. */
/*@ requires \valid_read(parser) && parser_ready(parser) && parser->extra->rsdp_size == 0;
    requires parser->out->region_count == 0 && parser->out->module_count == 0;
    assigns parser->out->region_count, parser->out->regions[0 .. MACHINE_MAX_REGIONS - 1], *parser->extra;
    assigns parser->out->module_count, parser->out->modules[0 .. MACHINE_MAX_MODULES - 1];
    ensures regions_sorted(\old(parser->out)) && (\result ==> has_usable_region(\old(parser->out)));
    ensures \old(parser->out)->module_count <= MACHINE_MAX_MODULES;
    ensures extra_readable(\old(parser->extra), \old(parser->info)); */
static bool read_tags(struct multiboot2_parser *parser)
{
    struct machine *out = parser->out;
    /*@ ghost struct multiboot2_info *extra = parser->extra; const uint8_t *info = parser->info; */
    read_extra(parser);
    /*@ assert parser->out == out && parser->extra == extra && parser->info == info && \separated(out, extra); */
    /*@ assert parser_ready(parser) && extra_readable(extra, info); */
    if (!multiboot2_map_read(&parser->tags[TAG_MEMORY_MAP], out, parser->errors))
        return false;
    /*@ assert parser->out == out && parser->extra == extra && parser->info == info && extra_readable(extra, info); */
    /*@ assert parser->module_count == \at(parser->module_count, Pre); */
    /*@ assert tag_sizes_kept{Pre, Here}(parser) && module_sizes_kept{Pre, Here}(parser); */
    /*@ assert places_kept{Pre, Here}(parser); */
    /*@ assert parser_ready(parser); */
    /*@ ghost mapped: ; */
    read_modules(parser);
    /*@ assert regions_kept{mapped, Here}(out); */
    /*@ assert regions_sorted(out) && has_usable_region(out); */
    /*@ assert parser->out == out && parser->extra == extra && parser->info == info && extra_readable(extra, info); */
    return true;
}

/*@ requires \valid(parser) && parser_ready(parser) && parser->module_count == 0 && parser->extra->rsdp_size == 0;
    requires \valid_read(parser->info + (0 .. total - 1)) && total <= MULTIBOOT2_MAX_SIZE;
    requires \separated(parser->info + (0 .. total - 1), parser->out, parser->extra);
    requires parser->out->region_count == 0 && parser->out->module_count == 0;
    requires extra_readable(parser->extra, parser->info);
    assigns parser->tags[0 .. TAGS_KNOWN - 1], parser->modules[0 .. MACHINE_MAX_MODULES - 1], parser->module_count;
    assigns parser->out->region_count, parser->out->regions[0 .. MACHINE_MAX_REGIONS - 1], *parser->extra;
    assigns parser->out->module_count, parser->out->modules[0 .. MACHINE_MAX_MODULES - 1];
    ensures regions_sorted(\old(parser->out)) && (\result ==> has_usable_region(\old(parser->out)));
    ensures \old(parser->out)->module_count <= MACHINE_MAX_MODULES;
    ensures extra_readable(\old(parser->extra), \old(parser->info)); */
static bool parse(struct multiboot2_parser *parser, uint32_t total)
{
    /*@ ghost struct machine *out = parser->out; */
    /*@ ghost struct multiboot2_info *extra = parser->extra; const uint8_t *info = parser->info; */
    if (!walk(parser, total))
        return false;
    /*@ assert parser->out == out && parser->extra == extra && parser->info == info; */
    return read_tags(parser);
}

/*@ requires \valid(parser);
    assigns *parser;
    ensures parser->module_count == 0;
    ensures \forall integer i; 0 <= i < TAGS_KNOWN ==> parser->tags[i].size == 0; */
static void clear_parser(struct multiboot2_parser *parser) { memset(parser, 0, sizeof *parser); }

/*@ requires \valid(out) && \valid(extra) && \separated(out, extra);
    assigns out->region_count, out->module_count, out->rsdp, *extra;
    ensures out->region_count == 0 && out->module_count == 0 && extra->rsdp_size == 0;
    ensures extra->command_line.length == 0 && extra->loader_name.length == 0; */
static void clear(struct machine *out, struct multiboot2_info *extra)
{
    memset(extra, 0, sizeof *extra);
    out->region_count = 0;
    out->module_count = 0;
    out->rsdp = hpa(0);
}

bool multiboot2_parse(const uint8_t *info, size_t size, struct machine *out, struct multiboot2_info *extra,
                      struct sink *errors)
{
    clear(out, extra);
    uint32_t total = size >= INFO_HEADER_SIZE ? load32(info) : 0;
    if (total < INFO_HEADER_SIZE + TAG_HEADER_SIZE || total > size || total > MULTIBOOT2_MAX_SIZE) {
        sink_print(errors, "multiboot2: information of %u bytes where %zu can be read, expected 16 to %d\n", total,
                   size, MULTIBOOT2_MAX_SIZE);
        return false;
    }

    struct multiboot2_parser parser;
    clear_parser(&parser);
    parser.info = info;
    parser.out = out;
    parser.extra = extra;
    parser.errors = errors;
    /*@ assert \forall integer i; 0 <= i < TAGS_KNOWN ==> parser.tags[i].size == 0; */
    /*@ assert parser_ready(&parser); */
    return parse(&parser, total);
}
