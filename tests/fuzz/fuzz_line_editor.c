/*
 * The line editor on a terminal of 80 columns: after every key the screen must show the prompt and the line, with the
 * cursor where the editor says it is.
 */
#include "core/line_editor.h"

#include "tests/fuzz/input.h"

enum { COLUMNS = 80, REDRAW = 0xff }; /* REDRAW in the input: the owner wipes the line off and draws it again */

static const char prompt[] = "ringfence> ";

/* `sink` is first, so that a pointer to it is a pointer to the whole. */
struct terminal {
    struct sink sink;
    unsigned cursor;
    unsigned feeds;
    char cells[COLUMNS];
};

static void terminal_put(struct sink *self, const char *text, size_t length)
{
    struct terminal *t = (struct terminal *)self;
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '\a':
            break;
        case '\b':
            require(t->cursor > 0);
            t->cursor--;
            break;
        case '\n':
            t->feeds++;
            memset(t->cells, ' ', sizeof t->cells);
            t->cursor = 0;
            break;
        case '\r':
            t->cursor = 0;
            break;
        default:
            require(text[i] >= ' ' && text[i] <= '~');
            t->cells[t->cursor++] = text[i];
            require(t->cursor < COLUMNS); /* some terminals wrap at the last column, some wait */
        }
    }
}

static void require_shown(const struct terminal *t, const struct line_editor *editor)
{
    char expected[COLUMNS];
    size_t width = sizeof prompt - 1;
    memset(expected, ' ', sizeof expected);
    memcpy(expected, prompt, width);
    if (!editor->ended)
        memcpy(expected + width, editor->line, editor->length);
    require(memcmp(expected, t->cells, sizeof expected) == 0);
    require(t->cursor == width + (editor->ended ? 0 : editor->cursor));
}

static void require_sane(const struct line_editor *editor)
{
    require(editor->length < EDITOR_LINE_SIZE && strlen(editor->line) == editor->length);
    require(editor->cursor <= editor->length);
    require(editor->history_count <= EDITOR_HISTORY && editor->recalled <= editor->history_count);
    for (uint32_t i = 0; i < editor->length; i++)
        require(editor->line[i] >= ' ' && editor->line[i] <= '~');
    for (uint32_t i = 0; i < editor->history_count; i++)
        require(editor->history[i][0] != '\0' && strnlen(editor->history[i], EDITOR_LINE_SIZE) < EDITOR_LINE_SIZE);
}

/* One key, with what the editor's owner does after it. */
static void press(struct terminal *t, struct line_editor *editor, uint8_t byte)
{
    unsigned feeds = t->feeds;
    enum editor_event event = editor_key(editor, byte);
    require((t->feeds != feeds) == (event != EDITOR_NOTHING));
    require(event != EDITOR_CANCELLED || editor->length == 0);
    require(event != EDITOR_LINE || editor->ended);
    if (event != EDITOR_NOTHING)
        editor_draw(editor);
}

static void redraw(struct terminal *t, const struct line_editor *editor)
{
    editor_erase(editor);
    for (unsigned i = 0; i < COLUMNS; i++)
        require(t->cells[i] == ' ');
    require(t->cursor == 0);
    editor_draw(editor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct terminal t = {.sink = {terminal_put}};
    struct line_editor *editor = malloc(sizeof *editor);
    require(editor != NULL);
    memset(t.cells, ' ', sizeof t.cells);
    editor_init(editor, prompt, &t.sink);
    editor_draw(editor);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == REDRAW)
            redraw(&t, editor);
        else
            press(&t, editor, data[i]);
        require_sane(editor);
        require_shown(&t, editor);
    }
    free(editor);
    return 0;
}
