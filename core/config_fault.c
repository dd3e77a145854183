/*
 * The keys of [partition NAME] that say what follows a fault. The classes' names are those of the keys.
 */
#include "core/config_key.h"
#include "core/text_line.h"
#include "core/text_value.h"

#define ONLY(action) (1u << (action))

enum {
    FOR_ENDS = ONLY(FAULT_STOP) | ONLY(FAULT_RESTART) | ONLY(FAULT_HALT_BOX) | ONLY(FAULT_REBOOT_BOX),
    FOR_ACCESSES = FOR_ENDS | ONLY(FAULT_LOG) | ONLY(FAULT_INJECT),
};

/* Which actions make sense: a guest that has ended cannot go on, and only the CPU's own events can be injected. */
static const struct {
    const char *name;
    uint32_t actions; /* mask of 1 << enum fault_action */
} classes[FAULT_CLASSES] = {
    [FAULT_TRIPLE_FAULT] = {"triple-fault", FOR_ENDS},
    [FAULT_PORT] = {"port", FOR_ACCESSES},
    [FAULT_MSR] = {"msr", FOR_ACCESSES},
    [FAULT_MEMORY] = {"memory", FOR_ACCESSES},
    [FAULT_MACHINE_CHECK] = {"machine-check", FOR_ENDS | ONLY(FAULT_INJECT)},
    [FAULT_UNKNOWN] = {"unknown", FOR_ENDS},
    [FAULT_WATCHDOG] = {"watchdog", FOR_ACCESSES},
    [FAULT_RESET] = {"reset", FOR_ENDS},
    [FAULT_POWER_OFF] = {"power-off", FOR_ENDS},
};

static const struct text_choice actions[] = {{"log", FAULT_LOG},           {"inject", FAULT_INJECT},
                                             {"stop", FAULT_STOP},         {"restart", FAULT_RESTART},
                                             {"halt-box", FAULT_HALT_BOX}, {"reboot-box", FAULT_REBOOT_BOX}};
enum { ACTIONS = array_size(actions) };

const char *fault_class_name(enum fault_class class) { return class < FAULT_CLASSES ? classes[class].name : "?"; }

const char *fault_action_name(enum fault_action action)
{
    return text_choice_name(actions, array_size(actions), (int)action);
}

/* The class after "fault."; FAULT_CLASSES when the table of keys names one that is not there. */
/*@ requires \valid_read(key);
    assigns \nothing;
    ensures 0 <= \result <= FAULT_CLASSES; */
static enum fault_class class_of_key(const struct config_key *key)
{
    size_t prefix = sizeof CONFIG_FAULT_PREFIX - 1;
    /*@ loop invariant 0 <= i <= FAULT_CLASSES;
        loop assigns i;
        loop variant FAULT_CLASSES - i; */
    for (uint32_t i = 0; strlen(key->name) > prefix && i < FAULT_CLASSES; i++)
        if (strcmp(key->name + prefix, classes[i].name) == 0)
            return (enum fault_class)i;
    return FAULT_CLASSES;
}

/*@ requires \valid(parser) && slice_readable(word.text) && 0 <= class < FAULT_CLASSES;
    requires \valid(out) && \separated(parser, out);
    assigns parser->report.count, *out; */
static bool parse_action(struct config_parser *parser, struct config_text word, enum fault_class class,
                         enum fault_action *out)
{
    struct text_choice fitting[ACTIONS];
    size_t count = 0;
    int choice = 0;

    /*@ loop invariant 0 <= count <= i <= ACTIONS;
        loop assigns i, count, fitting[0 .. ACTIONS - 1];
        loop variant ACTIONS - i; */
    for (size_t i = 0; i < array_size(actions); i++) {
        /*@ admit FAULT_BY_DEFAULT < actions[i].value <= FAULT_REBOOT_BOX; */
        if ((classes[class].actions >> actions[i].value) & 1)
            fitting[count++] = actions[i];
    }
    if (!text_value_choice(&parser->report, word, fitting, count, &choice))
        return false;
    *out = (enum fault_action)choice;
    return true;
}

/*@ assigns \nothing;
    ensures \result <= 3600; */
static uint32_t seconds_of_unit(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 60 * 60;
    default:
        return 0;
    }
}

/* "N/TIME" */
/*@ requires \valid(parser) && slice_readable(word.text) && \valid(rule) && \separated(parser, rule);
    assigns parser->report.count, *rule; */
static bool parse_limit(struct config_parser *parser, struct config_text word, struct fault_rule *rule)
{
    size_t length = word.text.length;
    size_t slash = 0;
    uint64_t limit = 0;
    uint64_t time = 0;

    /*@ loop invariant 0 <= slash <= length;
        loop assigns slash;
        loop variant length - slash; */
    while (slash < length && word.text.at[slash] != '/')
        slash++;
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
    enum fault_class class = class_of_key(parser->key);
    struct fault_rule rule = {.action = FAULT_BY_DEFAULT};
    struct config_text word;

    if (class == FAULT_CLASSES || !text_word_next(&value, &word)) {
        text_error(&parser->report, value, "fault without an action", "expected one such as stop");
        return;
    }
    if (!parse_action(parser, word, class, &rule.action))
        return;
    if (text_word_next(&value, &word)) {
        if (rule.action != FAULT_RESTART) {
            text_error(&parser->report, word, "text after the action", "expected a limit after 'restart' only");
            return;
        }
        if (!parse_limit(parser, word, &rule))
            return;
    }
    if (text_word_next(&value, &word)) {
        text_error(&parser->report, word, "text after the limit", "expected an action and a limit only");
        return;
    }
    parser->partition->faults[class] = rule;
}

void config_set_learn(struct config_parser *parser, struct config_text value)
{
    text_value_yes_no(&parser->report, value, &parser->partition->learn);
}

/* "N" or "N-M" */
/*@ requires \valid(parser) && slice_readable(item.text) && \valid(out) && \separated(parser, out);
    assigns parser->report.count, *out; */
static bool parse_range(struct config_parser *parser, struct config_text item, const char *noun, uint32_t most,
                        struct config_range *out)
{
    size_t dash = 0;
    uint64_t first = 0;
    uint64_t last = 0;

    /*@ loop invariant 0 <= dash <= item.text.length;
        loop assigns dash;
        loop variant item.text.length - dash; */
    while (dash < item.text.length && item.text.at[dash] != '-')
        dash++;
    if (!text_value_number(&parser->report, text_part(item, 0, dash), noun, 0, most, &first))
        return false;
    last = first;
    if (dash != item.text.length &&
        !text_value_number(&parser->report, text_part(item, dash + 1, item.text.length - dash - 1), noun, 0, most,
                           &last))
        return false;
    if (last < first) {
        text_error(&parser->report, item, "reversed range", "expected the lower number first");
        return false;
    }
    *out = (struct config_range){(uint32_t)first, (uint32_t)last};
    return true;
}

/*@ requires \valid(parser) && slice_readable(value.text) && \valid(count) && *count <= CONFIG_MAX_ALLOWED;
    requires \valid(ranges + (0 .. CONFIG_MAX_ALLOWED - 1)) && \separated(parser, count) &&
      \separated(parser, ranges + (0 .. CONFIG_MAX_ALLOWED - 1)) &&
      \separated(count, ranges + (0 .. CONFIG_MAX_ALLOWED - 1));
    assigns parser->report.count, *count, ranges[0 .. CONFIG_MAX_ALLOWED - 1];
    ensures *count <= CONFIG_MAX_ALLOWED; */
static void set_ranges(struct config_parser *parser, struct config_text value, const char *noun, uint32_t most,
                       struct config_range *ranges, uint32_t *count)
{
    struct config_text item;

    /*@ loop invariant *count <= CONFIG_MAX_ALLOWED && slice_readable(value.text);
        loop assigns value, item, parser->report.count, *count, ranges[0 .. CONFIG_MAX_ALLOWED - 1];
        loop variant items_left(value.text); */
    while (text_item_next(&value, &item)) {
        if (*count == CONFIG_MAX_ALLOWED) {
            text_error(&parser->report, item, "too many ranges", "expected at most %d in a line", CONFIG_MAX_ALLOWED);
            return;
        }
        if (!parse_range(parser, item, noun, most, &ranges[*count]))
            return;
        ++*count;
    }
}

void config_set_allowed_ports(struct config_parser *parser, struct config_text value)
{
    struct config_partition *partition = parser->partition;
    set_ranges(parser, value, "a port", UINT16_MAX, partition->allowed_ports, &partition->allowed_port_count);
}

void config_set_allowed_msrs(struct config_parser *parser, struct config_text value)
{
    struct config_partition *partition = parser->partition;
    set_ranges(parser, value, "an MSR number", UINT32_MAX, partition->allowed_msrs, &partition->allowed_msr_count);
}
