/*
 * The keys of [box]: the hypervisor's own console.
 */
#include "core/config_key.h"
#include "core/text_line.h"
#include "core/text_value.h"

enum {
    UART_CLOCK_BAUD = 115200, /* the speed of a 16550 with divisor 1 */
    UART_MAX_DIVISOR = 0xffff,
    UART_PORTS = 8,
    FIRST_CARD_PORT = 0x100, /* below are the main board's own devices */
};

static const struct text_choice com_ports[] = {{"com1", 0x3f8}, {"com2", 0x2f8}, {"com3", 0x3e8}, {"com4", 0x2e8}};

/*@ requires \valid(parser) && slice_readable(word.text) && word.text.length != 0;
    requires \valid(out) && \separated(parser, out);
    assigns parser->report.count, *out; */
static bool parse_port(struct config_parser *parser, struct config_text word, uint16_t *out)
{
    int known = 0;
    uint64_t port = 0;

    /* Only a word that starts like a number is taken for one, so that "com5" hears of com1 to com4. */
    if (word.text.at[0] < '0' || word.text.at[0] > '9') {
        if (!text_value_choice(&parser->report, word, com_ports, array_size(com_ports), &known))
            return false;
        *out = (uint16_t)known;
        return true;
    }
    if (!text_value_number(&parser->report, word, "an I/O port", FIRST_CARD_PORT, 0x10000 - UART_PORTS, &port))
        return false;
    if (port % UART_PORTS != 0) {
        text_error(&parser->report, word, "bad UART port", "expected a multiple of %d", UART_PORTS);
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

/*@ requires \valid(parser) && slice_readable(word.text) && \valid(out) && \separated(parser, out);
    assigns parser->report.count, *out; */
static bool parse_baud(struct config_parser *parser, struct config_text word, uint32_t *out)
{
    uint64_t baud = 0;

    if (!text_value_number(&parser->report, word, "a speed in baud", 1, UART_CLOCK_BAUD, &baud))
        return false;
    if (UART_CLOCK_BAUD % baud != 0 || UART_CLOCK_BAUD / baud > UART_MAX_DIVISOR) {
        text_error(&parser->report, word, "impossible speed",
                   "expected one that a 16550 makes by dividing %d, such as 115200 or 9600", UART_CLOCK_BAUD);
        return false;
    }
    *out = (uint32_t)baud;
    return true;
}

/*@ requires parser_usable(parser) && slice_readable(value.text);
    assigns parser->report.count, parser->config->console_port, parser->config->console_baud;
    ensures parser_usable(parser); */
static void set_console(struct config_parser *parser, struct config_text value)
{
    struct config_text word;
    uint16_t port = 0;
    uint32_t baud = parser->config->console_baud;

    if (!text_word_next(&value, &word)) {
        text_error(&parser->report, value, "console without a port", "expected com1 to com4 or a port number");
        return;
    }
    if (!parse_port(parser, word, &port))
        return;
    if (text_word_next(&value, &word) && !parse_baud(parser, word, &baud))
        return;
    if (text_word_next(&value, &word)) {
        text_error(&parser->report, word, "text after the speed", "expected a port and a speed only");
        return;
    }
    parser->config->console_port = port;
    parser->config->console_baud = baud;
}

/*@ requires parser_usable(parser) && slice_readable(value.text);
    assigns parser->report.count, parser->config->console_cpu, parser->config->console_cpu_place;
    ensures parser_usable(parser); */
static void set_console_cpu(struct config_parser *parser, struct config_text value)
{
    uint64_t cpu = 0;

    if (!text_value_number(&parser->report, value, "a CPU number", 0, UINT32_MAX, &cpu))
        return;
    parser->config->console_cpu = (uint32_t)cpu;
    parser->config->console_cpu_place = value.place;
}

/* Keys that a terminal sends for other reasons: NUL, LF, CR, and ESC, with which arrow keys begin. */
/*@ assigns \nothing; */
static bool is_ordinary_key(uint8_t control)
{
    return control == 0 || control == '\n' || control == '\r' || control == 0x1b;
}

/*@ requires parser_usable(parser) && slice_readable(value.text);
    assigns parser->report.count, parser->config->escape;
    ensures parser_usable(parser); */
static void set_escape(struct config_parser *parser, struct config_text value)
{
    struct slice s = value.text;
    bool good =
        s.length == 2 && s.at[0] == '^' && ((s.at[1] >= '@' && s.at[1] <= '_') || (s.at[1] >= 'a' && s.at[1] <= 'z'));

    if (!good || is_ordinary_key((uint8_t)(s.at[1] & 0x1f))) {
        text_error(&parser->report, value, "bad escape key",
                   "expected a control key such as ^] or ^A; not ^@, ^J, ^M or ^[");
        return;
    }
    parser->config->escape = (uint8_t)(s.at[1] & 0x1f);
}

/*@ requires parser_usable(parser) && slice_readable(value.text);
    assigns parser->report.count, parser->config->share_cores;
    ensures parser_usable(parser); */
static void set_share_cores(struct config_parser *parser, struct config_text value)
{
    int choice = 0;
    if (text_value_choice(&parser->report, value, config_yes_no, array_size(config_yes_no), &choice))
        parser->config->share_cores = choice != 0;
}

static const struct config_key box_keys[] = {
    {"console", .set = set_console},
    {"console_cpu", .set = set_console_cpu},
    {"escape", .set = set_escape},
    {"share_cores", .set = set_share_cores},
};
_Static_assert(array_size(box_keys) <= CONFIG_MAX_KEYS, "config_parser.seen has no room");

const struct config_keys config_box_keys = {"[box]", array_size(box_keys), box_keys};
