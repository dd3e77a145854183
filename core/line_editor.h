/*
 * One line of typing: moves, deletions and a history of the last lines. Takes any byte. It draws with printable
 * characters, CR and BS alone, so it works on every terminal; a line never reaches the right edge of 80 columns.
 *
 * Keys: left, right, Home, End (also ^B ^F ^A ^E), Backspace, Delete (^D), ^U ^K ^W delete the line, its end, a word,
 * up and down (^P ^N) recall lines, ^C gives the line up, Enter ends it.
 */
#pragma once

#include "core/bytes.h"
#include "core/key.h"
#include "core/sink.h"

enum {
    EDITOR_LINE_SIZE = 64, /* with the terminating 0; with the prompt less than a terminal's 80 columns */
    EDITOR_HISTORY = 8,    /* lines */
};

enum editor_event {
    EDITOR_NOTHING,
    EDITOR_LINE,      /* Enter: the text is in `line` until the next key */
    EDITOR_CANCELLED, /* ^C: the line is empty again */
};

struct line_editor {
    struct sink *echo;
    const char *prompt;
    char line[EDITOR_LINE_SIZE]; /* always terminated */
    uint32_t length;
    uint32_t cursor; /* 0 .. length */
    bool ended;      /* the line was handed over: the next key starts a new one */
    struct key_reader keys;

    char history[EDITOR_HISTORY][EDITOR_LINE_SIZE]; /* [0] is the newest */
    uint32_t history_count;
    uint32_t recalled;            /* 0: the line being typed; n: history[n - 1] */
    char draft[EDITOR_LINE_SIZE]; /* the line being typed, while another one is recalled */
};

/* `prompt` and `echo` are kept. Nothing is drawn. */
void editor_init(struct line_editor *editor, const char *prompt, struct sink *echo);

enum editor_event editor_key(struct line_editor *editor, uint8_t byte);

/* Draws prompt and line, the cursor in its place; editor_erase wipes them off and leaves the cursor in column 0. */
void editor_draw(const struct line_editor *editor);
void editor_erase(const struct line_editor *editor);
