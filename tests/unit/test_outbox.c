/* The output queue: order, line ends, columns, and what happens when it is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/outbox.h"

#include <string.h>

static struct outbox box;

static int setup(void **state)
{
    (void)state;
    outbox_init(&box);
    return 0;
}

static struct {
    struct console_port port;
    size_t takes, claims; /* in one call */
    size_t length;
    char *to;
} wire;

static size_t wire_write(struct console_port *self, const char *from, size_t size)
{
    assert_ptr_equal(self, &wire.port);
    assert_true(size != 0);
    size_t count = size < wire.takes ? size : wire.takes;
    memcpy(wire.to + wire.length, from, count);
    wire.length += count;
    return wire.claims != 0 ? wire.claims : count;
}

/* Takes everything out, in pieces of at most `piece`. */
static size_t drain(char *to, size_t piece)
{
    wire.port.write = wire_write;
    wire.takes = SIZE_MAX;
    wire.claims = 0;
    wire.length = 0;
    wire.to = to;
    while (box.length != 0)
        outbox_write(&box, &wire.port, piece);
    return wire.length;
}

static void line_feeds_become_two(void **state)
{
    (void)state;
    char got[64];
    sink_print(&box.sink, "a\n\nb%c", '\n');
    outbox_put_raw(&box, "raw\n", 4);
    assert_int_equal(outbox_room(&box), OUTBOX_SIZE - 12);
    size_t length = drain(got, 3);
    assert_int_equal(length, 12);
    assert_memory_equal(got, "a\r\n\r\nb\r\nraw\n", 12);
    assert_int_equal(outbox_room(&box), OUTBOX_SIZE);
}

static void bytes_stay_in_order_around_the_edge(void **state)
{
    (void)state;
    static char got[OUTBOX_SIZE];
    char next = 0;
    char want = 0;
    for (int round = 0; round < 50; round++) {
        char piece[777];
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = next++;
        outbox_put_raw(&box, piece, sizeof piece);
        size_t length = drain(got, 100);
        assert_int_equal(length, sizeof piece);
        for (size_t i = 0; i < length; i++)
            assert_int_equal(got[i], want++);
    }
    assert_int_equal(box.dropped, 0);
}

static void what_does_not_fit_is_counted(void **state)
{
    (void)state;
    static char got[OUTBOX_SIZE];
    static char big[OUTBOX_SIZE + 5];
    memset(big, 'x', sizeof big);
    outbox_put_raw(&box, big, sizeof big);
    assert_int_equal(outbox_room(&box), 0);
    sink_print(&box.sink, "\n");
    assert_int_equal(box.dropped, 7);
    outbox_pad(&box, UINT32_MAX); /* must end */
    assert_int_equal(drain(got, SIZE_MAX), OUTBOX_SIZE);
}

static void a_port_that_claims_too_much_is_not_believed(void **state)
{
    (void)state;
    char got[8];
    assert_int_equal(drain(got, SIZE_MAX), 0);
    outbox_put_raw(&box, "abc", 3);
    wire.claims = SIZE_MAX;
    outbox_write(&box, &wire.port, 2);
    assert_int_equal(outbox_room(&box), OUTBOX_SIZE - 1);
    outbox_put_raw(&box, "d", 1);
    assert_int_equal(drain(got, SIZE_MAX), 2);
    assert_memory_equal(got, "cd", 2);
}

/* What it does not take now waits for the next call, and it is not asked again in this one. */
static void a_slow_port_takes_what_it_can(void **state)
{
    (void)state;
    char got[8];
    assert_int_equal(drain(got, SIZE_MAX), 0);
    outbox_put_raw(&box, "abcdef", 6);
    wire.takes = 2;
    outbox_write(&box, &wire.port, 5);
    assert_int_equal(wire.length, 2);
    outbox_write(&box, &wire.port, 2);
    assert_int_equal(wire.length, 4);
    assert_memory_equal(got, "abcd", 4);
    assert_int_equal(outbox_room(&box), OUTBOX_SIZE - 2);
}

static void cells_are_padded(void **state)
{
    (void)state;
    char got[64];
    outbox_pad(&box, 2);
    sink_print(&box.sink, "ab");
    outbox_pad(&box, 8);
    sink_print(&box.sink, "too long");
    outbox_pad(&box, 10);
    sink_print(&box.sink, "|\n");
    outbox_pad(&box, 0);
    size_t length = drain(got, 64);
    got[length] = '\0';
    assert_string_equal(got, "  ab    too long |\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(line_feeds_become_two, setup),
        cmocka_unit_test_setup(bytes_stay_in_order_around_the_edge, setup),
        cmocka_unit_test_setup(what_does_not_fit_is_counted, setup),
        cmocka_unit_test_setup(a_port_that_claims_too_much_is_not_believed, setup),
        cmocka_unit_test_setup(a_slow_port_takes_what_it_can, setup),
        cmocka_unit_test_setup(cells_are_padded, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
