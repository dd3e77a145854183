/* The keys of the line editor: each changes the line, then draws what has changed from the cursor on. */
#include "core/line_editor.h"

static void bell(struct line_editor *editor) { editor->echo->put(editor->echo, "\a", 1); }

/* Draws from the cursor to the end of the line, blanks what is left of `old_length` characters, and goes back. */
static void draw_tail(const struct line_editor *editor, uint32_t old_length)
{
    uint32_t tail = editor->length - editor->cursor;
    uint32_t blanks = old_length > editor->length ? old_length - editor->length : 0;
    editor->echo->put(editor->echo, editor->line + editor->cursor, tail);
    sink_repeat(editor->echo, ' ', blanks);
    sink_repeat(editor->echo, '\b', tail + blanks);
}

static void move_to(struct line_editor *editor, uint32_t cursor)
{
    if (cursor < editor->cursor)
        sink_repeat(editor->echo, '\b', editor->cursor - cursor);
    else
        editor->echo->put(editor->echo, editor->line + editor->cursor, cursor - editor->cursor);
    editor->cursor = cursor;
}

/* Deletes [from, to) of the line; the cursor ends at `from`. */
static void delete_part(struct line_editor *editor, uint32_t from, uint32_t to)
{
    uint32_t old_length = editor->length;
    move_to(editor, from);
    memmove(editor->line + from, editor->line + to, old_length - to + 1);
    editor->length -= to - from;
    draw_tail(editor, old_length);
}

static void delete_one(struct line_editor *editor, uint32_t at, bool is_there)
{
    if (is_there)
        delete_part(editor, at, at + 1);
    else
        bell(editor);
}

static void insert(struct line_editor *editor, char c)
{
    if (editor->length + 1 >= EDITOR_LINE_SIZE) {
        bell(editor);
        return;
    }
    memmove(editor->line + editor->cursor + 1, editor->line + editor->cursor, editor->length - editor->cursor + 1);
    editor->line[editor->cursor] = c;
    editor->length++;
    editor->echo->put(editor->echo, &c, 1);
    editor->cursor++;
    draw_tail(editor, editor->length);
}

static uint32_t word_start(const struct line_editor *editor)
{
    uint32_t at = editor->cursor;
    while (at > 0 && editor->line[at - 1] == ' ')
        at--;
    while (at > 0 && editor->line[at - 1] != ' ')
        at--;
    return at;
}

static void replace_line(struct line_editor *editor, const char *text)
{
    uint32_t old_length = editor->length;
    size_t length = strlen(text); /* history and draft are lines: it fits */
    move_to(editor, 0);
    memcpy(editor->line, text, length + 1);
    editor->length = (uint32_t)length;
    draw_tail(editor, old_length);
    move_to(editor, editor->length);
}

static void recall(struct line_editor *editor, uint32_t number)
{
    if (number > editor->history_count) {
        bell(editor);
        return;
    }
    if (editor->recalled == 0)
        memcpy(editor->draft, editor->line, sizeof editor->draft);
    editor->recalled = number;
    replace_line(editor, number == 0 ? editor->draft : editor->history[number - 1]);
}

static void remember(struct line_editor *editor)
{
    size_t length = editor->length;
    if (length == 0 || (editor->history_count != 0 && strcmp(editor->history[0], editor->line) == 0))
        return;
    memmove(editor->history[1], editor->history[0], sizeof editor->history - sizeof editor->history[0]);
    memcpy(editor->history[0], editor->line, length + 1);
    if (editor->history_count < EDITOR_HISTORY)
        editor->history_count++;
}

static enum editor_event end_line(struct line_editor *editor)
{
    move_to(editor, editor->length);
    editor->echo->put(editor->echo, "\n", 1);
    remember(editor);
    editor->ended = true;
    return EDITOR_LINE;
}

static void clear(struct line_editor *editor)
{
    editor->line[0] = '\0';
    editor->length = 0;
    editor->cursor = 0;
    editor->recalled = 0;
    editor->ended = false;
}

static enum editor_event cancel(struct line_editor *editor)
{
    move_to(editor, editor->length);
    editor->echo->put(editor->echo, "^C\n", 3);
    clear(editor);
    return EDITOR_CANCELLED;
}

/* Keys that end a line are editor_key's; the others come here. */
static void edit(struct line_editor *editor, enum key key)
{
    switch (key) {
    case KEY_LEFT:
        move_to(editor, editor->cursor > 0 ? editor->cursor - 1 : 0);
        break;
    case KEY_RIGHT:
        move_to(editor, editor->cursor < editor->length ? editor->cursor + 1 : editor->length);
        break;
    case KEY_HOME:
        move_to(editor, 0);
        break;
    case KEY_END:
        move_to(editor, editor->length);
        break;
    case KEY_OLDER:
        recall(editor, editor->recalled + 1);
        break;
    case KEY_NEWER:
        recall(editor, editor->recalled - 1); /* of the line being typed: far more than there are */
        break;
    case KEY_DELETE_LEFT:
        delete_one(editor, editor->cursor - 1, editor->cursor > 0);
        break;
    case KEY_DELETE_RIGHT:
        delete_one(editor, editor->cursor, editor->cursor < editor->length);
        break;
    case KEY_DELETE_WORD:
        delete_part(editor, word_start(editor), editor->cursor);
        break;
    case KEY_DELETE_LINE:
        delete_part(editor, 0, editor->length);
        break;
    case KEY_DELETE_TAIL:
        delete_part(editor, editor->cursor, editor->length);
        break;
    case KEY_UNKNOWN:
        bell(editor);
        break;
    case KEY_NONE:
    case KEY_TEXT:
    case KEY_ENTER:
    case KEY_CANCEL:
        break;
    }
}

void editor_init(struct line_editor *editor, const char *prompt, struct sink *echo)
{
    *editor = (struct line_editor){.echo = echo, .prompt = prompt};
}

enum editor_event editor_key(struct line_editor *editor, uint8_t byte)
{
    enum key key = key_read(&editor->keys, byte);
    if (key == KEY_NONE)
        return EDITOR_NOTHING;
    if (editor->ended)
        clear(editor);
    if (key == KEY_ENTER)
        return end_line(editor);
    if (key == KEY_CANCEL)
        return cancel(editor);
    if (key == KEY_TEXT)
        insert(editor, (char)byte);
    else
        edit(editor, key);
    return EDITOR_NOTHING;
}

void editor_draw(const struct line_editor *editor)
{
    sink_print(editor->echo, "%s", editor->prompt);
    if (editor->ended)
        return;
    sink_print(editor->echo, "%s", editor->line);
    sink_repeat(editor->echo, '\b', editor->length - editor->cursor);
}

void editor_erase(const struct line_editor *editor)
{
    uint32_t width = (uint32_t)strlen(editor->prompt) + (editor->ended ? 0 : editor->length);
    sink_print(editor->echo, "\r");
    sink_repeat(editor->echo, ' ', width);
    sink_print(editor->echo, "\r");
}
