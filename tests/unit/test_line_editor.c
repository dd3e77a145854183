/* The line editor against a small terminal: what the screen shows must be what the line is, after any key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/line_editor.h"

#include <string.h>

enum { COLUMNS = 80 };

/* One screen line; CR, BS, LF and BEL mean what they mean on every terminal. */
static struct terminal {
    struct sink sink;
    char shown[COLUMNS + 1];
    uint32_t column;
    uint32_t bells;
    uint32_t line_feeds;
    char before[COLUMNS + 1]; /* the line above */
} terminal;

static void clear_line(void)
{
    memset(terminal.shown, ' ', COLUMNS);
    terminal.column = 0;
}

static void terminal_put(struct sink *self, const char *text, size_t length)
{
    (void)self;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\a') {
            terminal.bells++;
        } else if (text[i] == '\r') {
            terminal.column = 0;
        } else if (text[i] == '\b') {
            assert_true(terminal.column > 0);
            terminal.column--;
        } else if (text[i] == '\n') {
            memcpy(terminal.before, terminal.shown, sizeof terminal.before);
            terminal.line_feeds++;
            clear_line();
        } else {
            assert_true(text[i] >= ' ' && text[i] <= '~');
            assert_true(terminal.column < COLUMNS - 1); /* the last column would wrap */
            terminal.shown[terminal.column++] = text[i];
        }
    }
}

static struct line_editor editor;
static const char prompt[] = "ringfence> ";

static int setup(void **state)
{
    (void)state;
    memset(&terminal, 0, sizeof terminal);
    terminal.sink.put = terminal_put;
    clear_line();
    editor_init(&editor, prompt, &terminal.sink);
    editor_draw(&editor);
    return 0;
}

static void check_screen(void)
{
    char want[COLUMNS + 1];
    memset(want, ' ', COLUMNS);
    want[COLUMNS] = '\0';
    memcpy(want, prompt, strlen(prompt));
    uint32_t length = editor.ended ? 0 : editor.length; /* a line that was handed over is not shown any more */
    memcpy(want + strlen(prompt), editor.line, length);
    assert_string_equal(terminal.shown, want);
    assert_int_equal(terminal.column, strlen(prompt) + (editor.ended ? 0 : editor.cursor));
    assert_true(editor.length < EDITOR_LINE_SIZE && editor.cursor <= editor.length);
    assert_int_equal(strlen(editor.line), editor.length);
}

/* Types text none of whose keys ends the line. */
static void type(const char *keys)
{
    for (; *keys != '\0'; keys++) {
        assert_int_equal(editor_key(&editor, (uint8_t)*keys), EDITOR_NOTHING);
        check_screen();
    }
}

static void enter(void)
{
    assert_int_equal(editor_key(&editor, '\r'), EDITOR_LINE);
    editor_draw(&editor);
}

static void type_line(const char *text)
{
    type(text);
    enter();
    assert_string_equal(editor.line, text);
}

static void typing_and_enter(void **state)
{
    (void)state;
    type("start linux");
    assert_int_equal(editor_key(&editor, '\r'), EDITOR_LINE);
    assert_string_equal(editor.line, "start linux");
    assert_int_equal(terminal.line_feeds, 1);
    assert_memory_equal(terminal.before, "ringfence> start linux ", 23);
    assert_int_equal(editor_key(&editor, '\n'), EDITOR_NOTHING); /* of the same Enter */
    assert_string_equal(editor.line, "start linux");
    editor_draw(&editor);
    type("x");
    assert_string_equal(editor.line, "x");
    assert_int_equal(editor_key(&editor, '\n'), EDITOR_LINE); /* its own */
    editor_draw(&editor);
    assert_int_equal(editor_key(&editor, '\n'), EDITOR_LINE);
    assert_string_equal(editor.line, "");
}

static void insert_in_the_middle(void **state)
{
    (void)state;
    type("lit\x1b[Ds");
    assert_string_equal(editor.line, "list");
    type("\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[Dx"); /* further left than there is */
    assert_string_equal(editor.line, "xlist");
    type("\x1b[C\x1b[C\x1b[C\x1b[C\x1b[C\x1b[Cy");
    assert_string_equal(editor.line, "xlisty");
    assert_int_equal(terminal.bells, 0);
}

static void deletions(void **state)
{
    (void)state;
    type("abcdef\x7f\x08");
    assert_string_equal(editor.line, "abcd");
    type("\x1b[D\x1b[D\x7f");
    assert_string_equal(editor.line, "acd");
    type("\x1b[3~");
    assert_string_equal(editor.line, "ad");
    type("\x04");
    assert_string_equal(editor.line, "a");
    assert_int_equal(terminal.bells, 0);
    type("\x04");
    assert_int_equal(terminal.bells, 1);
    type("\x7f");
    assert_string_equal(editor.line, "");
    type("\x7f");
    assert_int_equal(terminal.bells, 2);
}

static void kills(void **state)
{
    (void)state;
    type("stop  linux  \x17");
    assert_string_equal(editor.line, "stop  ");
    type("\x17\x17");
    assert_string_equal(editor.line, "");
    type("one two three\x02\x02\x02\x02\x02\x17");
    assert_string_equal(editor.line, "one three");
    type("\x0b");
    assert_string_equal(editor.line, "one ");
    type("two\x02\x15");
    assert_string_equal(editor.line, "");
}

static void home_and_end(void **state)
{
    (void)state;
    static const char *const homes[] = {"\x01", "\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\x1b[1;5H"};
    static const char *const ends[] = {"\x05", "\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"};
    type("middle");
    for (size_t i = 0; i < array_size(homes); i++) {
        type(homes[i]);
        assert_int_equal(editor.cursor, 0);
        type(ends[i % array_size(ends)]);
        assert_int_equal(editor.cursor, 6);
    }
    assert_string_equal(editor.line, "middle");
}

static void cancel_gives_the_line_up(void **state)
{
    (void)state;
    type("halt\x01");
    assert_int_equal(editor_key(&editor, 0x03), EDITOR_CANCELLED);
    assert_memory_equal(terminal.before, "ringfence> halt^C ", 18);
    assert_string_equal(editor.line, "");
    editor_draw(&editor);
    check_screen();
    type("\x1b[A"); /* not remembered */
    assert_string_equal(editor.line, "");
    assert_int_equal(terminal.bells, 1);
}

static void history_goes_up_and_down(void **state)
{
    (void)state;
    type_line("first");
    type_line("second one");
    type("dra\x1b[A");
    assert_string_equal(editor.line, "second one");
    type("\x10");
    assert_string_equal(editor.line, "first");
    type("\x1bOA");
    assert_string_equal(editor.line, "first");
    assert_int_equal(terminal.bells, 1);
    type("\x1b[B\x0e");
    assert_string_equal(editor.line, "dra");
    type("\x1b[B");
    assert_int_equal(terminal.bells, 2);
    type("ft\x1b[A\x1b[A!");
    enter();
    assert_string_equal(editor.line, "first!");
    type("\x1b[A\x1b[A");
    assert_string_equal(editor.line, "second one"); /* what was recalled stays as it was */
}

static void history_keeps_eight_without_repeats(void **state)
{
    (void)state;
    for (char c = 'a'; c < 'a' + EDITOR_HISTORY + 2; c++) {
        type_line((const char[]){c, '\0'});
        type_line((const char[]){c, '\0'});
        type_line("");
    }
    for (int i = 0; i < EDITOR_HISTORY; i++) {
        type("\x1b[A");
        assert_int_equal(editor.line[0], 'a' + EDITOR_HISTORY + 1 - i);
    }
    assert_int_equal(terminal.bells, 0);
    type("\x1b[A");
    assert_int_equal(terminal.bells, 1);
}

static void a_full_line_takes_no_more(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < EDITOR_LINE_SIZE - 1; i++)
        type("x");
    assert_int_equal(terminal.bells, 0);
    type("y\x01y");
    assert_int_equal(terminal.bells, 2);
    assert_int_equal(editor.length, EDITOR_LINE_SIZE - 1);
    assert_null(strchr(editor.line, 'y'));
    enter();
    type("\x1b[A");
    assert_int_equal(editor.length, EDITOR_LINE_SIZE - 1);
}

static void foreign_sequences_do_nothing(void **state)
{
    (void)state;
    type("ab\x1b[5~\x1b[200~\x1b[99999999999999999999~\x1b[?25h\x1b[1;2;3m\x1b[Z\x1bOP\x1bx\x1b\x1b[D");
    assert_string_equal(editor.line, "ab");
    assert_int_equal(editor.cursor, 1); /* the last was a real one */
    assert_int_equal(terminal.bells, 0);
    type("\x80\xff\xc3\xa4\t\x1e");
    assert_string_equal(editor.line, "ab");
    assert_int_equal(terminal.bells, 6);
    type("\x1b[12"); /* Enter is never eaten by a sequence that was not finished */
    enter();
    assert_string_equal(editor.line, "ab");
    type("\x1b[2\x7f");
    assert_string_equal(editor.line, "");
}

static void erase_and_draw_again(void **state)
{
    (void)state;
    type("restart linux\x02\x02");
    editor_erase(&editor);
    for (uint32_t i = 0; i < COLUMNS; i++)
        assert_int_equal(terminal.shown[i], ' ');
    assert_int_equal(terminal.column, 0);
    editor_draw(&editor);
    check_screen();
    enter();
    editor_erase(&editor); /* the line that was handed over is not on the screen any more */
    assert_int_equal(terminal.column, 0);
    editor_draw(&editor);
    assert_int_equal(terminal.column, strlen(prompt));
}

/* A byte at random, with the interesting ones more often. The sequence is always the same. */
static uint8_t next_byte(void)
{
    static uint64_t seed = 1;
    static const uint8_t often[] = "\x1b[\x1b[ABCDHF3~1;O\x7f\x17\x15\x0b\x01\x05 ab";
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    uint64_t value = seed >> 33;
    return value % 4 != 0 ? often[value / 4 % (sizeof often - 1)] : (uint8_t)(value >> 8);
}

static void any_bytes_are_safe(void **state)
{
    (void)state;
    uint32_t lines = 0;
    for (uint32_t i = 0; i < 200000; i++) {
        enum editor_event event = editor_key(&editor, next_byte());
        if (event != EDITOR_NOTHING)
            editor_draw(&editor);
        lines += event == EDITOR_LINE;
        check_screen();
    }
    assert_true(lines > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(typing_and_enter, setup),
        cmocka_unit_test_setup(insert_in_the_middle, setup),
        cmocka_unit_test_setup(deletions, setup),
        cmocka_unit_test_setup(kills, setup),
        cmocka_unit_test_setup(home_and_end, setup),
        cmocka_unit_test_setup(cancel_gives_the_line_up, setup),
        cmocka_unit_test_setup(history_goes_up_and_down, setup),
        cmocka_unit_test_setup(history_keeps_eight_without_repeats, setup),
        cmocka_unit_test_setup(a_full_line_takes_no_more, setup),
        cmocka_unit_test_setup(foreign_sequences_do_nothing, setup),
        cmocka_unit_test_setup(erase_and_draw_again, setup),
        cmocka_unit_test_setup(any_bytes_are_safe, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
