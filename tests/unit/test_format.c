/* Formatting: every conversion against what C's printf says, and what C leaves out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/sink.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct text_capture {
    struct sink sink;
    char text[8192];
    size_t length;
};

static void capture_put(struct sink *self, const char *text, size_t length)
{
    struct text_capture *to = (struct text_capture *)self;
    assert_true(length < sizeof to->text - to->length);
    memcpy(to->text + to->length, text, length);
    to->length += length;
    to->text[to->length] = '\0';
}

/* Both must give the same text, into a sink and into a buffer. */
#define SAME(...)                                                                                                      \
    do {                                                                                                               \
        struct text_capture got = {.sink = {.put = capture_put}};                                                      \
        char want[512];                                                                                                \
        char buffer[512];                                                                                              \
        int length = snprintf(want, sizeof want, __VA_ARGS__);                                                         \
        sink_print(&got.sink, __VA_ARGS__);                                                                            \
        assert_string_equal(got.text, want);                                                                           \
        assert_int_equal(text_print(buffer, sizeof buffer, __VA_ARGS__), length);                                      \
        assert_string_equal(buffer, want);                                                                             \
    } while (0)

static void plain_text_and_percent(void **state)
{
    (void)state;
    SAME("nothing to convert");
    SAME("100%% of %%");
    SAME("%c%c|%5c|%-5c|", 'a', 'b', 'c', 'd');
    struct text_capture got = {.sink = {.put = capture_put}};
    sink_print(&got.sink, "%s", "");
    assert_int_equal(got.length, 0);
}

static void strings(void **state)
{
    (void)state;
    SAME("[%s][%10s][%-10s][%.3s][%10.3s][%-10.3s]", "abc", "right", "left", "cut off", "cut off", "cut off");
    SAME("[%.*s][%.*s]", 2, "abc", -1, "abc");
    SAME("[%.0s]", "never");
    /* Not terminated: no byte behind the precision is read, which ASan watches. */
    const char bare[3] = {'x', 'y', 'z'};
    SAME("[%.*s]", 3, bare);
    const char *volatile nothing = NULL;
    struct text_capture got = {.sink = {.put = capture_put}};
    sink_print(&got.sink, "[%s]", nothing);
    assert_string_equal(got.text, "[(null)]");
}

static void signed_numbers(void **state)
{
    (void)state;
    SAME("%d %d %d %d", 0, 1, -1, 42);
    SAME("%d %d", INT_MAX, INT_MIN);
    SAME("%ld %ld %lld %lld", LONG_MAX, LONG_MIN, LLONG_MAX, LLONG_MIN);
    SAME("%zd", (ptrdiff_t)-3);
    SAME("[%5d][%-5d][%05d][%5d][%05d][%-5d][%02d]", 42, 42, 42, -42, -42, -42, -42);
    SAME("[%021ld][%025ld][%03d][%02d]", LONG_MIN, LONG_MIN, -42, -4);
}

static void unsigned_numbers(void **state)
{
    (void)state;
    SAME("%u %u %lu %llu %zu", 0u, UINT_MAX, ULONG_MAX, ULLONG_MAX, SIZE_MAX);
    SAME("%x %lx %016llx", 0xdeadu, 0x123456789abcdefUL, 0xfeULL);
    SAME("[%8x][%-8x][%08x][%2x]", 0xabu, 0xabu, 0xabu, 0xabcdefu);
    SAME("%" PRIu64 " %" PRIx64, UINT64_MAX, UINT64_MAX);
    SAME("[%020llu]", ULLONG_MAX);
}

/* The compiler's check would refuse these: the format comes from a variable it can not see through. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
static void give(const char *format, const char *want, ...)
{
    struct text_capture got = {.sink = {.put = capture_put}};
    va_list arguments;
    va_start(arguments, want);
    sink_vprint(&got.sink, format, arguments);
    va_end(arguments);
    assert_string_equal(got.text, want);
}
#pragma GCC diagnostic pop

static void minus_beats_zero(void **state)
{
    (void)state;
    give("[%-05u]", "[7    ]", 7u);
}

static void unknown_conversions_stand(void **state)
{
    (void)state;
    give("%q", "%q");
    give("a %y b %d", "a %y b 5", 5);
    give("%5.2f!", "%5.2f!");
    give("%+d", "%+d", 1);
    give("100%", "100%");
    give("%-08", "%-08");
    give("%ll", "%ll");
    give("%hd", "%hd", 1);
    give("%p %X", "%p %X", NULL, 1);
    give("[%*d]", "[%*d]", 5, 1);
}

static void buffers_are_terminated(void **state)
{
    (void)state;
    char buffer[8];
    memset(buffer, 'x', sizeof buffer);
    assert_int_equal(text_print(buffer, sizeof buffer, "%s", "1234567"), 7);
    assert_string_equal(buffer, "1234567");
    assert_int_equal(text_print(buffer, sizeof buffer, "%s%d", "12345678", 90), 10);
    assert_string_equal(buffer, "1234567");
    assert_int_equal(text_print(buffer, 1, "abc"), 3);
    assert_string_equal(buffer, "");
    assert_int_equal(text_print(NULL, 0, "abc %d", 12), 6);
}

static void text_sinks_collect(void **state)
{
    (void)state;
    char buffer[8] = "garbage";
    struct text_sink to;
    text_sink_init(&to, buffer, sizeof buffer);
    assert_string_equal(buffer, "");
    sink_print(&to.sink, "%d", 12);
    sink_print(&to.sink, "%s", "34");
    assert_string_equal(buffer, "1234");
    sink_print(&to.sink, "%s", "56789");
    sink_print(&to.sink, "%s", "more");
    assert_string_equal(buffer, "1234567");
    assert_int_equal(to.length, 13);
    text_sink_init(&to, NULL, 0);
    sink_print(&to.sink, "nowhere");
    assert_int_equal(to.length, 7);
}

static void assert_size(uint64_t bytes, const char *want)
{
    assert_string_equal(size_text(bytes).text, want);
}

static void sizes(void **state)
{
    (void)state;
    assert_size(0, "0 bytes");
    assert_size(1, "1 byte");
    assert_size(12, "12 bytes");
    assert_size(1024, "1 KiB");
    assert_size(1025, "1025 bytes");
    assert_size(640 * KIB, "640 KiB");
    assert_size(256 * MIB, "256 MiB");
    assert_size(GIB, "1 GiB");
    assert_size(GIB + MIB, "1025 MiB");
    assert_size(UINT64_MAX, "18446744073709551615 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_and_percent),
        cmocka_unit_test(strings),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(minus_beats_zero),
        cmocka_unit_test(unknown_conversions_stand),
        cmocka_unit_test(buffers_are_terminated),
        cmocka_unit_test(text_sinks_collect),
        cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
