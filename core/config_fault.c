/*
 * The keys of [partition NAME] that say what follows a fault. The classes' names are those of the keys.
 */
#include "core/config_key.h"
#include "core/text_line.h"
#include "core/text_value.h"

const struct text_choice config_actions[] = {{"log", FAULT_LOG},           {"inject", FAULT_INJECT},
                                             {"stop", FAULT_STOP},         {"restart", FAULT_RESTART},
                                             {"halt-box", FAULT_HALT_BOX}, {"reboot-box", FAULT_REBOOT_BOX}};

const char *fault_action_name(enum fault_action action)
{
    return text_choice_name(config_actions, CONFIG_ACTIONS, (int)action);
}

/* 0: there is no such unit. */
/*@ assigns \nothing;
    ensures \result <= 3600; */
static uint32_t seconds_of_unit(char unit) { return unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 60 * 60 : 0; }

/* "N/TIME" */
/*@ requires \valid(parser) && slice_readable(word.text) && \valid(rule) && \separated(parser, rule);
    assigns parser->report.count, *rule; */
static bool parse_limit(struct config_parser *parser, struct config_text word, struct fault_rule *rule)
{
    size_t length = word.text.length;
    size_t slash = slice_find(word.text, 0, '/');
    uint64_t limit = 0;
    uint64_t time = 0;

    uint32_t unit = length - slash > 1 ? seconds_of_unit(word.text.at[length - 1]) : 0;
    if (unit == 0) {
        text_error(&parser->report, word, "bad limit of restarts",
                   "expected N/TIME with s, m or h, such as 3/60s: three within a minute");
        return false;
    }
    /*@ assert slash + 1 < length; */
    if (!text_value_number(&parser->report, text_part(word, 0, slash), "a number of restarts", 1, FAULT_MAX_RESTARTS,
                           &limit) ||
        !text_value_number(&parser->report, text_part(word, slash + 1, length - slash - 2), "a time", 1,
                           FAULT_MAX_SECONDS / unit, &time))
        return false;
    rule->limit = (uint32_t)limit;
    rule->seconds = (uint32_t)time * unit;
    return true;
}

void config_set_fault(struct config_parser *parser, struct config_text value)
{
    const struct config_key *key = parser->key;
    struct fault_rule rule = {.action = FAULT_BY_DEFAULT};
    struct config_text word;
    int action = 0;

    if (!text_word_next(&value, &word)) {
        text_error(&parser->report, value, "fault without an action", "expected one such as stop");
        return;
    }
    if (!text_value_choice(&parser->report, word, key->choices, key->choice_count, &action))
        return;
    rule.action = (enum fault_action)action;
    if (text_word_next(&value, &word)) {
        if (rule.action != FAULT_RESTART) {
            text_error(&parser->report, word, "text after the action", "expected a limit after 'restart' only");
            return;
        }
        if (!parse_limit(parser, word, &rule))
            return;
    }
    if (text_word_next(&value, &word))
        text_error(&parser->report, word, "text after the limit", "expected an action and a limit only");
    else
        config_set_field(parser, &rule);
}

/*@ requires \valid(parser) && slice_readable(value.text) && \valid(ranges) && \separated(parser, ranges);
    requires ranges->count <= CONFIG_MAX_ALLOWED;
    assigns parser->report.count, *ranges;
    ensures ranges->count <= CONFIG_MAX_ALLOWED; */
static void set_ranges(struct config_parser *parser, struct config_text value, const char *noun, uint32_t most,
                       struct config_ranges *ranges)
{
    struct config_text item;
    struct config_range range;

    /*@ loop invariant ranges->count <= CONFIG_MAX_ALLOWED && slice_readable(value.text);
        loop assigns value, item, range, parser->report.count, *ranges;
        loop variant items_left(value.text); */
    while (text_item_next(&value, &item)) {
        if (ranges->count == CONFIG_MAX_ALLOWED) {
            text_error(&parser->report, item, "too many ranges", "expected at most %d in a line", CONFIG_MAX_ALLOWED);
            return;
        }
        if (!text_value_range(&parser->report, item, noun, most, &range))
            return;
        if (range.last < range.first) {
            text_error(&parser->report, item, "reversed range", "expected the lower number first");
            return;
        }
        ranges->at[ranges->count++] = range;
    }
}

void config_set_allowed_ports(struct config_parser *parser, struct config_text value)
{
    set_ranges(parser, value, "a port", UINT16_MAX, &parser->partition->allowed_ports);
}

void config_set_allowed_msrs(struct config_parser *parser, struct config_text value)
{
    set_ranges(parser, value, "an MSR number", UINT32_MAX, &parser->partition->allowed_msrs);
}
