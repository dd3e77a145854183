/*
 * Cuts a text into lines, and a line into name and value. Any bytes may come in; every slice that
 * goes out lies inside the text.
 */
#include "core/text_line.h"

/*@ assigns \nothing; */
static bool is_blank(char byte) { return byte == ' ' || byte == '\t'; }

/* Index of the first byte from index `from` on that is not blank, or the length. */
/*@ requires slice_readable(s) && from <= s.length;
    assigns \nothing;
    ensures from <= \result <= s.length; */
static size_t skip_blanks(struct slice s, size_t from)
{
    size_t i = from;
    /*@ loop invariant from <= i <= s.length;
        loop assigns i;
        loop variant s.length - i; */
    while (i < s.length && is_blank(s.at[i]))
        i++;
    return i;
}

struct config_text text_trim(struct config_text t)
{
    size_t from = skip_blanks(t.text, 0);
    size_t end = t.text.length;

    /*@ loop invariant from <= end <= t.text.length;
        loop assigns end;
        loop variant end; */
    while (end > from && is_blank(t.text.at[end - 1]))
        end--;
    return text_part(t, from, end - from);
}

/* Index of the '#' that starts a comment, or the length. */
/*@ requires slice_readable(s);
    assigns \nothing;
    ensures \result <= s.length; */
static size_t find_comment(struct slice s)
{
    /*@ loop invariant 0 <= i <= s.length;
        loop assigns i;
        loop variant s.length - i; */
    for (size_t i = 0; i < s.length; i++)
        if (s.at[i] == '#' && (i == 0 || is_blank(s.at[i - 1])))
            return i;
    return s.length;
}

/* Whether from there on the line holds nothing, or blanks and a comment. */
/*@ requires slice_readable(s) && from <= s.length;
    assigns \nothing; */
static bool only_comment_follows(struct slice s, size_t from)
{
    size_t i = skip_blanks(s, from);
    return i == s.length || (i > from && s.at[i] == '#');
}

/*
 * Index of the quote that closes the one at `open`: the first with nothing but a comment after it,
 * since a kernel command line has quotes of its own. Or the length.
 */
/*@ requires slice_readable(s) && open < s.length;
    assigns \nothing;
    ensures open < \result <= s.length; */
static size_t find_closing_quote(struct slice s, size_t open)
{
    size_t i = slice_find(s, open + 1, '"');
    /*@ loop invariant open < i <= s.length;
        loop assigns i;
        loop variant s.length - i; */
    while (i < s.length && !only_comment_follows(s, i + 1))
        i = slice_find(s, i + 1, '"');
    return i;
}

/* False, reported, at the first byte that is neither printable ASCII nor a tab. */
/*@ requires \valid(report) && slice_readable(t.text);
    assigns report->count; */
static bool check_bytes(struct text_report *report, struct config_text t)
{
    /*@ loop invariant 0 <= i <= t.text.length;
        loop assigns i;
        loop variant t.text.length - i; */
    for (size_t i = 0; i < t.text.length; i++) {
        char byte = t.text.at[i];
        if ((byte < ' ' || byte > '~') && byte != '\t') {
            text_error(report, text_part(t, i, 1), "unprintable byte",
                       "expected plain ASCII text; other characters may stand in comments only");
            return false;
        }
    }
    return true;
}

/*@ requires \valid(report) && \valid(line) && \separated(report, line) && slice_readable(content.text);
    requires content.text.length != 0;
    assigns report->count, line->kind, line->name, line->value;
    ensures slice_readable(line->name.text);
    ensures slice_readable(line->value.text); */
static void parse_section(struct text_report *report, struct config_text content, struct text_line *line)
{
    size_t close = slice_find(content.text, 1, ']');

    line->kind = TEXT_LINE_SECTION;
    line->value = text_part(content, content.text.length, 0);
    if (close == content.text.length) {
        text_error(report, content, "section header without an end", "expected ']' at the end of the line");
    } else if (close + 1 != content.text.length) {
        text_error(report, text_part(content, close + 1, content.text.length - close - 1),
                   "text after a section header", "expected nothing but a comment after ']'");
    }
    line->name = text_trim(text_part(content, 1, close - 1));
}

/* The caller has cut the comment off, behind the value's quotes if it has any. */
/*@ requires \valid(report) && \valid(line) && \separated(report, line) && slice_readable(content.text);
    requires equals < content.text.length;
    assigns report->count, line->kind, line->name, line->value;
    ensures slice_readable(line->name.text);
    ensures slice_readable(line->value.text); */
static void parse_key(struct text_report *report, struct config_text content, size_t equals, struct text_line *line)
{
    line->kind = TEXT_LINE_KEY;
    line->name = text_trim(text_part(content, 0, equals));
    line->value = text_trim(text_part(content, equals + 1, content.text.length - equals - 1));
    if (line->name.text.length == 0) {
        text_error(report, content, "line without a key", "expected KEY = VALUE");
        line->kind = TEXT_LINE_BAD;
    }

    struct slice value = line->value.text;
    if (value.length == 0 || value.at[0] != '"')
        return;
    if (value.length >= 2 && value.at[value.length - 1] == '"')
        line->value = text_part(line->value, 1, value.length - 2);
    else
        text_error(report, line->value, "value without a closing quote", "expected '\"' at its end");
}

/* The part of the line before any comment, without blanks around it. */
/*@ requires slice_readable(whole.text);
    assigns \nothing;
    ensures slice_readable(\result.text); */
static struct config_text cut_comment(struct config_text whole)
{
    size_t comment = find_comment(whole.text);
    size_t equals = slice_find(whole.text, 0, '=');

    if (equals < comment) {
        size_t value = skip_blanks(whole.text, equals + 1);
        if (value < whole.text.length && whole.text.at[value] == '"') {
            size_t close = find_closing_quote(whole.text, value);
            if (close < whole.text.length)
                comment = close + 1;
        }
    }
    return text_trim(text_part(whole, 0, comment));
}

/* False when there is nothing on the line. */
/*@ requires \valid(report) && \valid(line) && \separated(report, line) && slice_readable(whole.text);
    assigns report->count, *line;
    ensures \result ==> slice_readable(line->whole.text);
    ensures \result ==> slice_readable(line->name.text);
    ensures \result ==> slice_readable(line->value.text); */
static bool parse_line(struct text_report *report, struct config_text whole, struct text_line *line)
{
    struct config_text content = cut_comment(whole);

    if (content.text.length == 0)
        return false;
    *line = (struct text_line){.kind = TEXT_LINE_BAD, .whole = content, .name = content, .value = content};
    unsigned before = report->count;
    if (check_bytes(report, content)) {
        size_t equals = slice_find(content.text, 0, '=');
        if (content.text.at[0] == '[')
            parse_section(report, content, line);
        else if (equals < content.text.length)
            parse_key(report, content, equals, line);
        else
            text_error(report, content, "line that is neither a section nor a key",
                       "expected [SECTION] or KEY = VALUE");
    }
    /*@ assert line->whole.text.at == content.text.at && line->whole.text.length == content.text.length; */
    line->damaged = report->count != before;
    return true;
}

void text_lines_init(struct text_lines *lines, struct text_report *report, const char *text, size_t length)
{
    static const char mark[] = {'\xef', '\xbb', '\xbf'};

    *lines = (struct text_lines){.report = report, .rest = {text, length}};
    if (length >= sizeof mark && memcmp(text, mark, sizeof mark) == 0)
        lines->rest = (struct slice){text + sizeof mark, length - sizeof mark};
}

/* Takes the next line, without its end, off the front of the rest. */
/*@ requires \valid(lines) && slice_readable(lines->rest) && lines->rest.length != 0;
    assigns lines->rest, lines->number;
    ensures slice_readable(lines->rest) && lines->rest.length < \old(lines->rest.length);
    ensures slice_readable(\result.text); */
static struct config_text take_line(struct text_lines *lines)
{
    struct slice rest = lines->rest;
    size_t end = slice_find(rest, 0, '\n');
    size_t used = end < rest.length ? end + 1 : end;

    lines->rest = (struct slice){rest.at + used, rest.length - used};
    lines->number++;
    if (end > 0 && rest.at[end - 1] == '\r')
        end--;
    return (struct config_text){{rest.at, end}, {lines->number, 1}};
}

bool text_lines_next(struct text_lines *lines, struct text_line *line)
{
    /*@ loop invariant slice_readable(lines->rest) && lines->rest.length <= \at(lines->rest.length, Pre);
        loop assigns lines->rest, lines->number, *line, lines->report->count;
        loop variant lines->rest.length; */
    while (lines->rest.length != 0)
        if (parse_line(lines->report, take_line(lines), line))
            return true;
    return false;
}

bool text_word_next(struct config_text *rest, struct config_text *word)
{
    struct config_text t = text_trim(*rest);
    size_t end = 0;

    /*@ loop invariant 0 <= end <= t.text.length;
        loop assigns end;
        loop variant t.text.length - end; */
    while (end < t.text.length && !is_blank(t.text.at[end]))
        end++;
    *word = text_part(t, 0, end);
    *rest = text_part(t, end, t.text.length - end);
    return end != 0;
}

bool text_item_next(struct config_text *rest, struct config_text *item)
{
    if (rest->text.at == NULL)
        return false;

    struct config_text t = *rest;
    size_t comma = slice_find(t.text, 0, ',');
    *item = text_trim(text_part(t, 0, comma));
    if (comma < t.text.length)
        *rest = text_part(t, comma + 1, t.text.length - comma - 1);
    else
        rest->text = (struct slice){NULL, 0};
    return true;
}
