/* The screen: what is drawn is what was said, on every kind of framebuffer and in text mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/hw/screen.h"

#include <string.h>

#include "drivers/hw/font.h"
#include "tests/unit/fake_phys.h"

enum { BASE = 0x10000 };

static struct screen_info pixels(uint32_t width, uint32_t height, uint8_t depth)
{
    return (struct screen_info){
        .kind = SCREEN_PIXELS,
        .address = hpa(BASE),
        .pitch = width * ((depth + 7u) / 8) + 64, /* lines are longer than what is seen */
        .width = width,
        .height = height,
        .bits_per_pixel = depth,
        .red_position = 16,
        .red_size = 8,
        .green_position = 8,
        .green_size = 8,
        .blue_position = 0,
        .blue_size = 8,
    };
}

static struct screen_info text(uint32_t columns, uint32_t rows)
{
    return (struct screen_info){
        .kind = SCREEN_TEXT, .address = hpa(BASE), .pitch = 2 * columns, .width = columns, .height = rows};
}

static void say(const char *words) { screen_sink()->put(screen_sink(), words, strlen(words)); }

static bool pixel_is_lit(const struct screen_info *i, uint32_t x, uint32_t y)
{
    uint32_t bytes = (i->bits_per_pixel + 7u) / 8;
    const uint8_t *at = fake_phys_at(BASE + (uint64_t)y * i->pitch + x * bytes, bytes);
    uint32_t value = 0;
    memcpy(&value, at, bytes);
    return value != 0;
}

static void assert_character(const struct screen_info *i, uint32_t scale, uint32_t column, uint32_t row, char c)
{
    for (uint32_t y = 0; y < FONT_HEIGHT * scale; y++)
        for (uint32_t x = 0; x < FONT_WIDTH * scale; x++) {
            bool lit = font_cells[c - FONT_FIRST][y / scale] & (0x80 >> (x / scale));
            assert_int_equal(pixel_is_lit(i, column * FONT_WIDTH * scale + x, row * FONT_HEIGHT * scale + y), lit);
        }
}

static void test_pixels(void **state)
{
    (void)state;
    static const uint8_t depths[] = {16, 24, 32};
    for (size_t d = 0; d < array_size(depths); d++) {
        struct screen_info i = pixels(640, 480, depths[d]);
        fake_phys_setup(BASE, (uint64_t)i.pitch * i.height);
        assert_true(screen_init(&i));
        say("Ab\n~");
        assert_character(&i, 1, 0, 0, 'A');
        assert_character(&i, 1, 1, 0, 'b');
        assert_character(&i, 1, 2, 0, ' ');
        assert_character(&i, 1, 0, 1, '~');
    }
}

static void test_large_screens_have_large_letters(void **state)
{
    (void)state;
    struct screen_info i = pixels(1920, 1080, 32);
    fake_phys_setup(BASE, (uint64_t)i.pitch * i.height);
    assert_true(screen_init(&i));
    say("Q");
    assert_character(&i, 2, 0, 0, 'Q');
}

static void assert_row(uint32_t columns, uint32_t row, const char *words)
{
    const uint8_t *at = fake_phys_at(BASE + row * 2 * columns, 2 * columns);
    for (uint32_t c = 0; c < columns; c++) {
        assert_int_equal(at[2 * c], c < strlen(words) ? words[c] : ' ');
        assert_int_equal(at[2 * c + 1], 7);
    }
}

static void test_text_scrolls_and_wraps(void **state)
{
    (void)state;
    struct screen_info i = text(40, 10);
    fake_phys_setup(BASE, 40 * 10 * 2);
    assert_true(screen_init(&i));
    for (int line = 0; line < 12; line++) {
        char words[] = "line a";
        words[5] = (char)('a' + line);
        say(words);
        if (line < 11)
            say("\r\n");
    }
    assert_row(40, 0, "line c");
    assert_row(40, 9, "line l");
    say("\n0123456789012345678901234567890123456789XY");
    assert_row(40, 8, "0123456789012345678901234567890123456789");
    assert_row(40, 9, "XY");
    say("\b\bab\x07\x1b\xff");
    assert_row(40, 9, "ab");
}

static void test_drawing_is_bounded(void **state)
{
    (void)state;
    struct screen_info i = text(40, 10);
    fake_phys_setup(BASE, 40 * 10 * 2);
    assert_true(screen_init(&i));
    screen_put("abcdef", 6);
    assert_row(40, 0, "");
    screen_draw(2);
    assert_row(40, 0, "ab");
    screen_draw(3);
    assert_row(40, 0, "abcde");
    screen_draw(UINT32_MAX);
    assert_row(40, 0, "abcdef");
}

/* Wherever the drawing has come to, what changes behind it and what scrolls away under it is drawn in the end. */
static void test_changes_behind_the_drawing(void **state)
{
    (void)state;
    struct screen_info i = text(40, 10);
    fake_phys_setup(BASE, 40 * 10 * 2);
    assert_true(screen_init(&i));
    screen_put("abcdef\r\nghi", 11);
    screen_draw(4);
    screen_put("\b\b\b\bGHI", 7);
    screen_draw(3);
    assert_row(40, 0, "abcdef");
    screen_put("\rxyz", 4);
    screen_put("\n\n\n\n\n\n\n\n\nlast", 13);
    screen_draw(5);
    screen_put("\bT", 2);
    screen_draw(UINT32_MAX);
    assert_row(40, 0, "xyz");
    assert_row(40, 8, "");
    assert_row(40, 9, "lasT");
}

/* What cannot be drawn on is left alone: the fake memory would stop the test at the first byte. */
static void test_refused(void **state)
{
    (void)state;
    fake_phys_setup(BASE, 1);
    struct screen_info bad[] = {pixels(640, 480, 8),  pixels(640, 480, 32), pixels(100, 480, 32), pixels(640, 100, 32),
                                pixels(20000, 480, 32), text(200, 25),      text(80, 200),        text(80, 5), text(80, 25), {0}};
    bad[1].pitch = 640 * 4 - 1;
    bad[8].pitch = 159;
    for (size_t b = 0; b < array_size(bad); b++) {
        assert_false(screen_init(&bad[b]));
        say("nobody sees this\n");
    }
}

static int teardown(void **state)
{
    (void)state;
    fake_phys_teardown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pixels),
        cmocka_unit_test(test_large_screens_have_large_letters),
        cmocka_unit_test(test_text_scrolls_and_wraps),
        cmocka_unit_test(test_drawing_is_bounded),
        cmocka_unit_test(test_changes_behind_the_drawing),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
