/*
 * Error lines about a text that a person wrote. The offending bytes may be anything, so they are
 * escaped and cut before they reach a terminal.
 */
#include "core/text_report.h"

static void put_nothing(struct sink *self, const char *text, size_t length)
{
    (void)self;
    (void)text;
    (void)length;
}

/* Never written to: it has no state. */
static struct sink nowhere = {put_nothing};

/*@ requires \valid_read(report);
    assigns \nothing; */
static struct sink *report_sink(const struct text_report *report)
{
    return report->count <= TEXT_REPORT_MAX_LINES ? report->errors : &nowhere;
}

/*@ assigns \nothing; */
static bool is_printable(char byte) { return byte >= ' ' && byte <= '~'; }

void text_print_quoted(struct sink *out, struct slice text)
{
    size_t shown = text.length <= TEXT_REPORT_MAX_QUOTE ? text.length : TEXT_REPORT_MAX_QUOTE;

    sink_print(out, "'");
    /*@ loop invariant 0 <= i <= shown;
        loop assigns i;
        loop variant shown - i; */
    for (size_t i = 0; i < shown; i++) {
        if (is_printable(text.at[i]))
            sink_print(out, "%c", text.at[i]);
        else
            sink_print(out, "\\x%02x", (unsigned)(uint8_t)text.at[i]);
    }
    sink_print(out, shown < text.length ? "...'" : "'");
}

struct sink *text_error_open(struct text_report *report, struct config_text at, const char *what)
{
    report->count++;

    struct sink *out = report_sink(report);
    sink_print(out, "%s:%u:%u: %s ", report->file, at.place.line, at.place.column, what);
    text_print_quoted(out, at.text);
    sink_print(out, " (");
    return out;
}

void text_error_close(struct text_report *report) { sink_print(report_sink(report), ")\n"); }

void text_error(struct text_report *report, struct config_text at, const char *what, const char *hint, ...)
{
    va_list arguments;

    struct sink *out = text_error_open(report, at, what);
    va_start(arguments, hint);
    sink_vprint(out, hint, arguments);
    va_end(arguments);
    text_error_close(report);
}

void text_report_finish(struct text_report *report)
{
    if (report->count > TEXT_REPORT_MAX_LINES)
        sink_print(report->errors, "%s: %u more errors are not shown\n", report->file,
                   report->count - TEXT_REPORT_MAX_LINES);
}

struct config_text text_part(struct config_text whole, size_t from, size_t length)
{
    return (struct config_text){
        .text = {whole.text.at + from, length},
        .place = {whole.place.line, whole.place.column + (uint32_t)from},
    };
}
