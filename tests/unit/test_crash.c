/* The crash record: what holds, what does not, which lines give way, and the record of the box over several boots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/crash.h"

#include <stdio.h>
#include <string.h>

#include "core/crash_record.h"
#include "core/types.h"
#include "tests/unit/fake_cpu.h"

#define HZ 1000000000ull

static struct crash_page page;

static void add(const char *text) { crash_page_add(&page, text, strlen(text)); }

static void assert_page_text(const char *text)
{
    assert_true(crash_page_holds(&page));
    assert_int_equal(page.length, strlen(text));
    assert_memory_equal(page.text, text, page.length);
}

static void a_new_record_is_empty(void **state)
{
    (void)state;
    memset(&page, 0xa5, sizeof page);
    crash_page_clear(&page);
    assert_page_text("");
    assert_int_equal(page.lost, 0);
}

static void lines_are_kept_in_order(void **state)
{
    (void)state;
    crash_page_clear(&page);
    add("one\n");
    add("two\n");
    assert_page_text("one\ntwo\n");
    assert_int_equal(page.lost, 0);
}

/* Memory after power-on: no pattern of one byte is a record. */
static void foreign_bytes_do_not_hold(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        memset(&page, (int)byte, sizeof page);
        assert_false(crash_page_holds(&page));
    }
}

/* Every single bit counts, up to the end of the text and no further. */
static void a_flipped_bit_is_seen(void **state)
{
    (void)state;
    crash_page_clear(&page);
    add("linux: stopped\n");
    uint8_t *bytes = (uint8_t *)&page;
    size_t end = offsetof(struct crash_page, text) + page.length;
    for (size_t bit = 0; bit < 8 * end; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(crash_page_holds(&page));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    bytes[end] ^= 1;
    assert_true(crash_page_holds(&page));
}

static void a_length_beyond_the_page_is_not_believed(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {CRASH_TEXT_SIZE + 1, UINT32_MAX, UINT32_MAX - 31, 1u << 31};
    crash_page_clear(&page);
    for (size_t i = 0; i < array_size(lengths); i++) {
        page.length = lengths[i];
        assert_false(crash_page_holds(&page));
    }
}

static void the_oldest_lines_give_way(void **state)
{
    (void)state;
    char line[64];
    crash_page_clear(&page);
    uint64_t written = 0;
    for (unsigned i = 0; i < 1000; i++) {
        int length = snprintf(line, sizeof line, "line %u\n", i);
        crash_page_add(&page, line, (size_t)length);
        written += (uint64_t)length;
        assert_true(crash_page_holds(&page));
        assert_true(page.length <= CRASH_TEXT_SIZE);
    }
    assert_int_equal(page.lost + page.length, written);
    assert_memory_equal(page.text, "line ", 5); /* a whole line is first */
    assert_memory_equal(page.text + page.length - 9, "line 999\n", 9);
    assert_true(page.length > CRASH_TEXT_SIZE - 16);
}

static void of_a_text_too_long_the_end_is_kept(void **state)
{
    (void)state;
    static char text[CRASH_TEXT_SIZE + 100];
    memset(text, 'a', sizeof text);
    memset(text + 100, 'b', CRASH_TEXT_SIZE);
    text[sizeof text - 1] = '\n';
    crash_page_clear(&page);
    add("before\n");
    crash_page_add(&page, text, sizeof text);
    assert_true(crash_page_holds(&page));
    assert_int_equal(page.length, CRASH_TEXT_SIZE);
    assert_int_equal(page.lost, 100 + 7);
    assert_memory_equal(page.text, text + 100, CRASH_TEXT_SIZE);
    add("after\n"); /* one line without an end but its own gives way whole */
    assert_page_text("after\n");
}

/* ---- the box's ---- */

static void lines_before_the_record_is_open_are_dropped(void **state)
{
    (void)state;
    crash_record_line("nobody %s", "hears");
    crash_record_panic("nor this\n", 9);
    assert_null(crash_record_last());
}

static void the_next_boot_reads_what_this_one_left(void **state)
{
    (void)state;
    fake_cpu_setup();
    memset(&page, 0, sizeof page);
    crash_record_open(&page, HZ, 946684800); /* 2000-01-01 */
    assert_null(crash_record_last());
    assert_page_text("");
    fake_cpu.clock = 3661 * HZ;
    crash_record_line("linux: stopped: %s", "triple fault");
    assert_page_text("2000-01-01 01:01:01 UTC linux: stopped: triple fault\n");

    crash_record_open(&page, HZ, 946684800);
    const struct crash_page *last = crash_record_last();
    assert_non_null(last);
    assert_int_equal(last->length, 53);
    assert_memory_equal(last->text, "2000-01-01 01:01:01 UTC linux: stopped: triple fault\n", 53);
    assert_page_text("");

    /* A boot in which nothing went wrong leaves nothing. */
    crash_record_open(&page, HZ, 946684800);
    assert_null(crash_record_last());

    crash_record_line("one");
    page.text[0] ^= 1;
    crash_record_open(&page, HZ, 946684800);
    assert_null(crash_record_last());
    assert_page_text("");
}

static void a_line_is_one_line_of_printable_text(void **state)
{
    (void)state;
    char text[400];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    memset(&page, 0, sizeof page);
    fake_cpu.clock = 0;
    crash_record_open(&page, 0, 946684800); /* without a clock there is no date */
    crash_record_line("a\nb\x1b[2J\xff%s", "\t");
    assert_page_text("1970-01-01 00:00:00 UTC a?b?[2J??\n");
    memset(&page, 0, sizeof page);
    crash_record_open(&page, 0, 946684800);
    crash_record_line("%s", text);
    assert_true(crash_page_holds(&page));
    assert_int_equal(page.length, 255);
    assert_int_equal(page.text[254], '\n');
    assert_int_equal(page.text[253], 'x');
}

static void a_panic_is_kept_with_all_its_lines(void **state)
{
    (void)state;
    static const char words[] = "\n*** panic\nrip 0\n";
    memset(&page, 0, sizeof page);
    crash_record_open(&page, 0, 0);
    crash_record_line("first");
    crash_record_panic(words, sizeof words - 1);
    assert_page_text("1970-01-01 00:00:00 UTC first\n1970-01-01 00:00:00 UTC\n\n*** panic\nrip 0\n");
}

/* Whatever has become of the page meanwhile: it is written whole. */
static void a_panic_does_not_need_a_good_page(void **state)
{
    (void)state;
    memset(&page, 0, sizeof page);
    crash_record_open(&page, 0, 0);
    page.length = UINT32_MAX;
    crash_record_panic("rip 0\n", 6);
    assert_page_text("1970-01-01 00:00:00 UTC\nrip 0\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_record_is_empty),
        cmocka_unit_test(lines_are_kept_in_order),
        cmocka_unit_test(foreign_bytes_do_not_hold),
        cmocka_unit_test(a_flipped_bit_is_seen),
        cmocka_unit_test(a_length_beyond_the_page_is_not_believed),
        cmocka_unit_test(the_oldest_lines_give_way),
        cmocka_unit_test(of_a_text_too_long_the_end_is_kept),
        cmocka_unit_test(lines_before_the_record_is_open_are_dropped),
        cmocka_unit_test(the_next_boot_reads_what_this_one_left),
        cmocka_unit_test(a_line_is_one_line_of_printable_text),
        cmocka_unit_test(a_panic_is_kept_with_all_its_lines),
        cmocka_unit_test(a_panic_does_not_need_a_good_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
