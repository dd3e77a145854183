/*
 * The lines of a configuration-like text: "[section]", "key = value", "# comment".
 *
 * A '#' starts a comment at the start of a line or after white space, so a '#' inside a word is
 * text. Double quotes around a value are taken off; inside them " #" is text too. Lines end with
 * LF, CR LF or the end of the text; a UTF-8 byte-order mark at the start is skipped. Outside
 * comments only printable ASCII and tabs are accepted, because values end up on terminals.
 */
#pragma once

#include "core/text_report.h"

enum text_line_kind {
    TEXT_LINE_SECTION, /* name: what stands between the brackets */
    TEXT_LINE_KEY,     /* name = value; the value may be empty */
    TEXT_LINE_BAD,     /* neither: reported */
};

struct text_line {
    enum text_line_kind kind;
    bool damaged;             /* an error about this line was reported; a section or key is still what it seems to be */
    struct config_text whole; /* the line without comment and blanks around it */
    struct config_text name;
    struct config_text value;
};

struct text_lines {
    struct text_report *report;
    struct slice rest;
    uint32_t number; /* of the line last read, from 1 */
};

/* `text` may be NULL when length is 0. */
/*@ requires \valid(lines) && (length == 0 || \valid_read(text + (0 .. length - 1)));
    assigns *lines;
    ensures slice_readable(lines->rest) && lines->report == report; */
void text_lines_init(struct text_lines *lines, struct text_report *report, const char *text, size_t length);

/* The next line that holds something, reported when it is bad; false at the end of the text. */
/*@ requires \valid(lines) && \valid(line) && \valid(lines->report);
    requires \separated(lines, line, lines->report) && slice_readable(lines->rest);
    assigns lines->rest, lines->number, *line, lines->report->count;
    ensures slice_readable(lines->rest);
    ensures \result ==> slice_readable(line->whole.text);
    ensures \result ==> slice_readable(line->name.text);
    ensures \result ==> slice_readable(line->value.text);
    ensures \result ==> lines->rest.length < \old(lines->rest.length); */
bool must_check text_lines_next(struct text_lines *lines, struct text_line *line);

/* Takes the next word, up to white space, off the front of `rest`; false when there is none. */
/*@ requires \valid(rest) && \valid(word) && \separated(rest, word) && slice_readable(rest->text);
    assigns *rest, *word;
    ensures slice_readable(rest->text) && slice_readable(word->text) && (\result <==> word->text.length != 0); */
bool must_check text_word_next(struct config_text *rest, struct config_text *word);

/*@ // What text_item_next leaves: at most as many pieces.
    logic integer items_left(struct slice s) = s.length + (s.at == \null ? 0 : 1); */

/* Takes the next piece of a comma list, which may be empty; false after the last (rest->text.at is NULL then). */
/*@ requires \valid(rest) && \valid(item) && \separated(rest, item) && slice_readable(rest->text);
    assigns *rest, *item;
    ensures slice_readable(rest->text);
    ensures \result ==> slice_readable(item->text);
    ensures \result ==> items_left(rest->text) < \old(items_left(rest->text)); */
bool must_check text_item_next(struct config_text *rest, struct config_text *item);

/* Without the white space around it. */
/*@ requires slice_readable(t.text);
    assigns \nothing;
    ensures slice_readable(\result.text); */
struct config_text text_trim(struct config_text t);
