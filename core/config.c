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
static const struct config_key top_keys[] = {[KEY_VERSION] = {"version", set_version, FOR_EVERY_BOOT, false, NULL}};
const struct config_keys config_top_keys = {"the part before the first section", array_size(top_keys), top_keys};

void config_defaults(struct config *config)
{
    memset(config, 0, sizeof *config);
    config->console_port = 0x3f8;
    config->console_baud = 115200;
    config->escape = 0x1d;
}

/* Where a key belongs that this section does not have, or which one may have been meant. */
static void report_unknown_key(struct config_parser *parser, const struct config_keys *keys, struct config_text name)
{
    struct text_nearest nearest;
    struct sink *out = text_error_open(&parser->report, name, "unknown key");

    text_nearest_init(&nearest, name.text);
    for (size_t i = 0; i < keys->count; i++)
        text_nearest_consider(&nearest, keys->keys[i].name);
    for (size_t t = 0; t < array_size(all_keys); t++)
        for (size_t i = 0; i < all_keys[t]->count; i++)
            if (slice_equals(name.text, all_keys[t]->keys[i].name)) {
                sink_print(out, "it belongs in %s, this is %s", all_keys[t]->section, keys->section);
                text_error_close(&parser->report);
                return;
            }
    if (nearest.name != NULL) {
        sink_print(out, "did you mean '%s'?", nearest.name);
    } else {
        sink_print(out, "expected");
        for (size_t i = 0; i < keys->count; i++)
            sink_print(out, "%s %s", i == 0 ? "" : ",", keys->keys[i].name);
    }
    text_error_close(&parser->report);
}

static void set_key(struct config_parser *parser, const struct config_keys *keys, size_t index,
                    const struct text_line *line)
{
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
    if (line->value.text.length == 0 && !key->may_be_empty) {
        text_error(&parser->report, line->name, "key without a value", "expected %s = VALUE", key->name);
        return;
    }
    parser->key = key;
    key->set(parser, line->value);
}

static void parse_key(struct config_parser *parser, const struct config_keys *keys, const struct text_line *line)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (slice_equals(line->name.text, keys->keys[i].name)) {
            set_key(parser, keys, i, line);
            return;
        }
    }
    report_unknown_key(parser, keys, line->name);
}

static bool is_name_byte(char c, bool first)
{
    bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    return alphanumeric || (!first && (c == '-' || c == '_' || c == '.'));
}

/* Takes the name into the partition. A bad one is kept with '?' for what is wrong: so it equals no good one. */
static bool take_name(struct config_parser *parser, struct config_partition *partition, struct config_text name)
{
    bool good = slice_copy(name.text, partition->name, sizeof partition->name) && name.text.length != 0;

    if (!good)
        partition->name[name.text.length == 0 ? 0 : sizeof partition->name - 2] = '?';
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
static void check_name_is_new(struct config_parser *parser, const struct config_partition *partition,
                              struct config_text name)
{
    for (uint32_t i = 0; i < parser->config->partition_count; i++) {
        const struct config_partition *other = &parser->config->partitions[i];
        if (other != partition && strcmp(other->name, partition->name) == 0) {
            text_error(&parser->report, name, "partition name used twice",
                       "expected another name; it is on line %u already", other->place.line);
            return;
        }
    }
}

static const struct config_keys *begin_partition(struct config_parser *parser, struct config_text header,
                                                 struct config_text name)
{
    struct config *config = parser->config;

    if (config->partition_count == CONFIG_MAX_PARTITIONS) {
        text_error(&parser->report, header, "too many partitions", "expected at most %d", CONFIG_MAX_PARTITIONS);
        return NULL;
    }
    struct config_partition *partition = &config->partitions[config->partition_count++];
    config_partition_defaults(partition);
    partition->file = parser->report.file;
    partition->place = header.place;
    parser->partition = partition;
    if (take_name(parser, partition, name))
        check_name_is_new(parser, partition, name);
    return &config_partition_keys;
}

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
static const struct config_keys *begin_section(struct config_parser *parser, const struct text_line *line,
                                               bool *box_seen)
{
    struct config_text name = line->name;
    struct config_text kind;

    memset(parser->seen, 0, sizeof parser->seen);
    parser->boot_bad = false;
    parser->partition = NULL;
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
static void refuse_after_error(struct config_parser *parser, unsigned before)
{
    if (parser->partition != NULL && parser->report.count != before)
        parser->partition->refused = true;
}

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

static void parse_lines(struct config_parser *parser, const char *text, size_t length)
{
    const struct config_keys *keys = &config_top_keys;
    struct text_lines lines;
    struct text_line line;
    bool box_seen = false;
    unsigned before = parser->report.count;

    text_lines_init(&lines, &parser->report, text, length);
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
    parse_lines(&parser, text, length);
    for (uint32_t i = 0; i < out->partition_count && !parser.version_good; i++)
        out->partitions[i].refused = true;
    text_report_finish(&parser.report);
    return parser.report.count;
}
