/*
 * Reads the machine text: sections, and which key goes where. What each key means is in
 * tools/machine_keys.c, the format is described in core/machine_text.c.
 */
#include "tools/machine_parse.h"

#include "core/text_nearest.h"
#include "tools/machine_key.h"

enum section { SECTION_NONE, SECTION_MACHINE, SECTION_UNKNOWN };

struct machine_parser {
    struct text_report report;
    struct machine *machine;
    enum section section;
    bool version_seen;
    uint32_t seen[MACHINE_KEYS]; /* the line where each key stood last; 0: nowhere */
};

static void report_unknown_key(struct machine_parser *parser, struct config_text name)
{
    struct text_nearest nearest;

    text_nearest_init(&nearest, name.text);
    for (size_t i = 0; i < MACHINE_KEYS; i++)
        text_nearest_consider(&nearest, machine_keys[i].name);
    if (nearest.name != NULL)
        text_error(&parser->report, name, "unknown key", "did you mean '%s'?", nearest.name);
    else
        text_error(&parser->report, name, "unknown key", "expected cpu, memory, module and so on, as `machine` prints");
}

static void parse_machine_key(struct machine_parser *parser, const struct text_line *line)
{
    for (size_t i = 0; i < MACHINE_KEYS; i++) {
        if (!slice_equals(line->name.text, machine_keys[i].name))
            continue;
        uint32_t before = parser->seen[i];
        parser->seen[i] = line->name.place.line;
        if (before != 0 && !machine_keys[i].repeats)
            text_error(&parser->report, line->name, "key given twice", "expected it once; it is on line %u already",
                       before);
        else if (line->value.text.length == 0)
            text_error(&parser->report, line->name, "key without a value", "expected %s = VALUE", machine_keys[i].name);
        else if (!line->damaged)
            machine_keys[i].set(&parser->report, parser->machine, line->value);
        return;
    }
    report_unknown_key(parser, line->name);
}

static void parse_top_key(struct machine_parser *parser, const struct text_line *line)
{
    if (!slice_equals(line->name.text, "version")) {
        text_error(&parser->report, line->name, "key outside of a section",
                   "expected 'version' or [machine] before it");
        return;
    }
    parser->version_seen = true;
    if (!line->damaged && !slice_equals(line->value.text, "1"))
        text_error(&parser->report, line->value, "unknown version", "expected %d, the one this program reads",
                   MACHINE_TEXT_VERSION);
}

static void parse_section(struct machine_parser *parser, const struct text_line *line)
{
    bool known = slice_equals(line->name.text, "machine");

    if (!known)
        text_error(&parser->report, line->name, "unknown section", "expected [machine]");
    parser->section = known ? SECTION_MACHINE : SECTION_UNKNOWN;
}

static void report_missing(struct machine_parser *parser, struct config_place end)
{
    struct config_text at = {{"", 0}, end};

    if (!parser->version_seen)
        text_error(&parser->report, (struct config_text){{"", 0}, {1, 1}}, "no version",
                   "expected the line 'version = %d' before [machine]", MACHINE_TEXT_VERSION);
    for (size_t i = 0; i < MACHINE_KEYS; i++) {
        if (machine_keys[i].needed && parser->seen[i] == 0) {
            at.text = slice_of(machine_keys[i].name);
            text_error(&parser->report, at, "key missing",
                       "expected all that `machine` prints; is the text cut short?");
        }
    }
}

bool machine_parse(const char *file, const char *text, size_t length, struct machine *out, struct sink *errors)
{
    struct machine_parser parser = {.report = {file, errors, 0}, .machine = out};
    struct text_lines lines;
    struct text_line line;

    memset(out, 0, sizeof *out);
    text_lines_init(&lines, &parser.report, text, length);
    while (text_lines_next(&lines, &line)) {
        if (line.kind == TEXT_LINE_SECTION)
            parse_section(&parser, &line);
        else if (line.kind == TEXT_LINE_KEY && parser.section == SECTION_MACHINE)
            parse_machine_key(&parser, &line);
        else if (line.kind == TEXT_LINE_KEY && parser.section == SECTION_NONE)
            parse_top_key(&parser, &line);
    }
    report_missing(&parser, (struct config_place){lines.number == 0 ? 1 : lines.number, 1});
    text_report_finish(&parser.report);
    return parser.report.count == 0;
}
