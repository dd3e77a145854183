/*
 * ringfence.conf: sections, and which key goes where. What each key means is in config_box.c and
 * config_partition.c.
 */
#include "core/config.h"

#include "core/config_key.h"
#include "core/text_line.h"
#include "core/text_nearest.h"
#include "core/text_value.h"

static const struct config_keys *const all_keys[] = {&config_top_keys, &config_box_keys, &config_partition_keys};

/*@ requires parser_usable(parser) && slice_readable(value.text);
    assigns parser->report.count, parser->version_good;
    ensures parser_usable(parser); */
static void set_version(struct config_parser *parser, struct config_text value)
{
    if (slice_equals(value.text, "1"))
        parser->version_good = true;
    else
        text_error(&parser->report, value, "unknown version", "expected %d, the one this program reads",
                   CONFIG_VERSION);
}
_Static_assert(CONFIG_VERSION == 1, "set_version compares with its text");

enum { KEY_VERSION };
static const struct config_key top_keys[] = {[KEY_VERSION] = {"version", .set = set_version}};
const struct config_keys config_top_keys = {"the part before the first section", array_size(top_keys), top_keys};

void config_defaults(struct config *config)
{
    memset(config, 0, sizeof *config);
    config->console_port = 0x3f8;
    config->console_baud = 115200;
    config->escape = 0x1d;
}

/* Index of the key with that name, or the count. */
/*@ requires keys_readable(keys) && slice_readable(name);
    assigns \nothing;
    ensures \result <= keys->count; */
static size_t find_key(const struct config_keys *keys, struct slice name)
{
    size_t i = 0;
    /*@ loop invariant 0 <= i <= keys->count;
        loop assigns i;
        loop variant keys->count - i; */
    while (i < keys->count && !slice_equals(name, keys->keys[i].name))
        i++;
    return i;
}

/* Where a key belongs that this section does not have, or which one may have been meant. */
/*@ requires parser_usable(parser) && keys_readable(keys) && slice_readable(name.text);
    assigns parser->report.count; */
static void report_unknown_key(struct config_parser *parser, const struct config_keys *keys, struct config_text name)
{
    struct text_nearest nearest;
    struct sink *out = text_error_open(&parser->report, name, "unknown key");

    text_nearest_init(&nearest, name.text);
    /*@ loop invariant 0 <= i <= keys->count && nearest.word == name.text;
        loop assigns i, nearest.name, nearest.distance;
        loop variant keys->count - i; */
    for (size_t i = 0; i < keys->count; i++)
        text_nearest_consider(&nearest, keys->keys[i].name);
    /*@ loop invariant 0 <= t <= array_size(all_keys);
        loop assigns t;
        loop variant array_size(all_keys) - t; */
    for (size_t t = 0; t < array_size(all_keys); t++)
        if (find_key(all_keys[t], name.text) != all_keys[t]->count) {
            sink_print(out, "it belongs in %s, this is %s", all_keys[t]->section, keys->section);
            text_error_close(&parser->report);
            return;
        }
    if (nearest.name != NULL) {
        sink_print(out, "did you mean '%s'?", nearest.name);
    } else {
        sink_print(out, "expected");
        /*@ loop invariant 0 <= i <= keys->count;
            loop assigns i;
            loop variant keys->count - i; */
        for (size_t i = 0; i < keys->count; i++)
            sink_print(out, "%s %s", i == 0 ? "" : ",", keys->keys[i].name);
    }
    text_error_close(&parser->report);
}

/* Setters know nothing of each other; what each may touch stands at it. */
/*@ requires parser_usable(parser) && \valid_read(key) && slice_readable(value.text);
    assigns parser->key, parser->report.count, parser->boot_bad, parser->version_good, *parser->config;
    ensures parser_usable(parser); */
static void set_value(struct config_parser *parser, const struct config_key *key, struct config_text value)
{
    parser->key = key;
    key->set(parser, value);
}

/*@ requires parser_usable(parser) && keys_readable(keys) && \valid_read(line);
    requires \separated(line, parser) && \separated(line, parser->config);
    requires slice_readable(line->name.text) && slice_readable(line->value.text);
    requires keys == &config_partition_keys ==> in_partition(parser);
    assigns parser->key, parser->report.count, parser->boot_bad, parser->version_good, *parser->config,
      parser->seen[0 .. CONFIG_MAX_KEYS - 1];
    ensures parser_usable(parser); */
static void parse_key(struct config_parser *parser, const struct config_keys *keys, const struct text_line *line)
{
    size_t index = find_key(keys, line->name.text);

    if (index == keys->count) {
        report_unknown_key(parser, keys, line->name);
        return;
    }
    const struct config_key *key = &keys->keys[index];
    struct config_place *seen = &parser->seen[index];
    if (seen->line != 0) {
        text_error(&parser->report, line->name, "key given twice", "expected it once; it is on line %u already",
                   seen->line);
        return;
    }
    *seen = line->name.place;
    if (line->damaged)
        return;
    if (line->value.text.length == 0 && !key->may_be_empty)
        text_error(&parser->report, line->name, "key without a value", "expected %s = VALUE", key->name);
    else
        set_value(parser, key, line->value);
}

/*@ assigns \nothing; */
static bool is_name_byte(char c, bool first)
{
    bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return alphanumeric || (!first && (c == '-' || c == '_' || c == '.'));
}

/* Takes the name into the partition. A bad one is kept with '?' for what is wrong: so it equals no good one. */
/*@ requires \valid(parser) && \valid(partition) && \separated(parser, partition) && slice_readable(name.text);
    assigns parser->report.count, partition->name[0 .. CONFIG_NAME_SIZE - 1]; */
static bool take_name(struct config_parser *parser, struct config_partition *partition, struct config_text name)
{
    bool good = slice_copy(name.text, partition->name, sizeof partition->name) && name.text.length != 0;

    if (!good)
        partition->name[name.text.length == 0 ? 0 : sizeof partition->name - 2] = '?';
    /*@ loop invariant 0 <= i <= name.text.length && i <= CONFIG_NAME_SIZE - 1;
        loop assigns i, good, partition->name[0 .. CONFIG_NAME_SIZE - 1];
        loop variant name.text.length - i; */
    for (size_t i = 0; i < name.text.length && i < sizeof partition->name - 1; i++) {
        if (!is_name_byte(name.text.at[i], i == 0)) {
            partition->name[i] = '?';
            good = false;
        }
    }
    if (!good)
        text_error(&parser->report, name, "bad partition name",
                   "expected [partition NAME] with 1 to %d letters, digits, '-', '_' or '.', a letter or digit first",
                   CONFIG_NAME_SIZE - 1);
    return good;
}

/* Reports a second partition of the same name. */
/*@ requires parser_usable(parser) && \valid_read(partition) && slice_readable(name.text);
    assigns parser->report.count; */
static void check_name_is_new(struct config_parser *parser, const struct config_partition *partition,
                              struct config_text name)
{
    /*@ loop invariant 0 <= i <= parser->config->partition_count;
        loop assigns i;
        loop variant parser->config->partition_count - i; */
    for (uint32_t i = 0; i < parser->config->partition_count; i++) {
        const struct config_partition *other = &parser->config->partitions[i];
        if (other != partition && strcmp(other->name, partition->name) == 0) {
            text_error(&parser->report, name, "partition name used twice",
                       "expected another name; it is on line %u already", other->place.line);
            return;
        }
    }
}

/* From here on the parser is in it. */
/*@ requires parser_usable(parser) && parser->partition == \null;
    requires parser->config->partition_count < CONFIG_MAX_PARTITIONS;
    assigns parser->partition, *parser->config;
    ensures in_partition(parser); */
static void add_partition(struct config_parser *parser, struct config_place place)
{
    struct config *config = parser->config;
    struct config_partition *partition = &config->partitions[config->partition_count++];
    config_partition_defaults(partition);
    /*@ assert parser_usable(parser); */
    partition->file = parser->report.file;
    partition->place = place;
    parser->partition = partition;
}

/*@ requires parser_usable(parser) && slice_readable(header.text) && slice_readable(name.text);
    requires parser->partition == \null;
    assigns parser->partition, parser->report.count, *parser->config;
    ensures parser_usable(parser);
    ensures \result == \null || (\result == &config_partition_keys && in_partition(parser)); */
static const struct config_keys *begin_partition(struct config_parser *parser, struct config_text header,
                                                 struct config_text name)
{
    if (parser->config->partition_count == CONFIG_MAX_PARTITIONS) {
        text_error(&parser->report, header, "too many partitions", "expected at most %d", CONFIG_MAX_PARTITIONS);
        return NULL;
    }
    add_partition(parser, header.place);
    if (take_name(parser, parser->partition, name))
        check_name_is_new(parser, parser->partition, name);
    return &config_partition_keys;
}

/*@ requires \valid(parser) && slice_readable(name.text) && slice_readable(kind.text);
    assigns parser->report.count; */
static void report_unknown_section(struct config_parser *parser, struct config_text name, struct config_text kind)
{
    struct text_nearest nearest;
    struct sink *out = text_error_open(&parser->report, name, "unknown section");

    text_nearest_init(&nearest, kind.text);
    text_nearest_consider(&nearest, "box");
    text_nearest_consider(&nearest, "partition");
    sink_print(out, "expected [box] or [partition NAME]");
    if (nearest.name != NULL)
        sink_print(out, "; did you mean '%s'?", nearest.name);
    text_error_close(&parser->report);
}

/* The key table of the new section; NULL: its keys are not to be looked at. */
/*@ requires parser_usable(parser) && \valid_read(line) && \valid(box_seen);
    requires \separated(line, parser) && \separated(line, parser->config);
    requires \separated(box_seen, parser) && \separated(box_seen, parser->config);
    requires slice_readable(line->name.text) && slice_readable(line->whole.text);
    assigns parser->partition, parser->report.count, *parser->config, parser->boot_bad, *box_seen,
      parser->seen[0 .. CONFIG_MAX_KEYS - 1];
    ensures parser_usable(parser);
    ensures \result == \null || \result == &config_box_keys || \result == &config_partition_keys;
    ensures \result == &config_partition_keys ==> in_partition(parser); */
static const struct config_keys *begin_section(struct config_parser *parser, const struct text_line *line,
                                               bool *box_seen)
{
    struct config_text name = line->name;
    struct config_text kind;

    memset(parser->seen, 0, sizeof parser->seen);
    parser->boot_bad = false;
    parser->partition = NULL;
    /*@ assert parser_usable(parser); */
    if (text_word_next(&name, &kind) && slice_equals(kind.text, "partition")) {
        return begin_partition(parser, line->whole, text_trim(name));
    }
    if (!slice_equals(line->name.text, "box")) {
        report_unknown_section(parser, line->name, kind);
        return NULL;
    }
    if (*box_seen) {
        text_error(&parser->report, line->name, "section given twice", "expected [box] once");
        return NULL;
    }
    *box_seen = true;
    return &config_box_keys;
}

/* Marks the section's partition when errors were added since `before`. */
/*@ requires parser_usable(parser);
    assigns *parser->config;
    ensures parser_usable(parser); */
static void refuse_after_error(struct config_parser *parser, unsigned before)
{
    if (parser->partition != NULL && parser->report.count != before)
        parser->partition->refused = true;
}

/*@ requires parser_usable(parser);
    assigns parser->report.count, *parser->config;
    ensures parser_usable(parser); */
static void end_section(struct config_parser *parser, const struct config_keys *keys)
{
    unsigned before = parser->report.count;

    if (keys == &config_top_keys && parser->seen[KEY_VERSION].line == 0)
        text_error(&parser->report, (struct config_text){{"", 0}, {1, 1}}, "no version",
                   "expected the line 'version = %d' before the first section", CONFIG_VERSION);
    if (parser->partition != NULL)
        config_partition_finish(parser);
    refuse_after_error(parser, before);
}

/*@ requires parser_usable(parser) && (length == 0 || \valid_read(text + (0 .. length - 1)));
    assigns *parser, *parser->config;
    ensures parser_usable(parser) && parser->config == \old(parser->config); */
static void parse_lines(struct config_parser *parser, const char *text, size_t length)
{
    const struct config_keys *keys = &config_top_keys;
    struct text_lines lines;
    struct text_line line;
    bool box_seen = false;
    unsigned before = parser->report.count;

    text_lines_init(&lines, &parser->report, text, length);
    /*@ loop invariant parser_usable(parser) && slice_readable(lines.rest) && lines.report == &parser->report;
        loop invariant parser->config == \at(parser->config, Pre);
        loop invariant keys == \null || keys == &config_top_keys || keys == &config_box_keys ||
          keys == &config_partition_keys;
        loop invariant keys == &config_partition_keys ==> in_partition(parser);
        loop assigns lines, line, keys, before, box_seen, *parser, *\at(parser->config, Pre);
        loop variant lines.rest.length; */
    while (text_lines_next(&lines, &line)) {
        if (line.kind == TEXT_LINE_SECTION) {
            /* What is wrong with the header belongs to the section it opens. */
            unsigned in_header = parser->report.count - before;
            end_section(parser, keys);
            before = parser->report.count - in_header;
            keys = begin_section(parser, &line, &box_seen);
        } else if (line.kind == TEXT_LINE_KEY && keys != NULL) {
            parse_key(parser, keys, &line);
        }
        /*@ assert parser->config == \at(parser->config, Pre); */
        refuse_after_error(parser, before);
        before = parser->report.count;
    }
    end_section(parser, keys);
}

unsigned config_parse(const char *file, const char *text, size_t length, struct config *out, struct sink *errors)
{
    struct config_parser parser = {.report = {file, errors, 0}, .config = out};
    struct config_text start = {{"", 0}, {1, 1}};

    config_defaults(out);
    if (length == 0) {
        text_error(&parser.report, start, "empty file", "expected at least the line 'version = %d'", CONFIG_VERSION);
        return parser.report.count;
    }
    if (length > CONFIG_MAX_SIZE) {
        text_error(&parser.report, start, "file too large", "%zu bytes; expected at most %d", length, CONFIG_MAX_SIZE);
        return parser.report.count;
    }
    /*@ assert parser.config == out && parser.partition == \null && out->partition_count == 0; */
    parse_lines(&parser, text, length);
    /*@ loop invariant 0 <= i <= out->partition_count;
        loop assigns i, out->partitions[0 .. CONFIG_MAX_PARTITIONS - 1].refused;
        loop variant out->partition_count - i; */
    for (uint32_t i = 0; i < out->partition_count && !parser.version_good; i++)
        out->partitions[i].refused = true;
    text_report_finish(&parser.report);
    return parser.report.count;
}
