/* The output ring: what a reader gets, what it misses, and where a circle can go wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/ring.h"

#include <pthread.h>
#include <string.h>

static struct ring ring;
static char buffer[2 * RING_SIZE];

static int setup(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof ring);
    return 0;
}

/* The byte that belongs at a position: a period that does not divide the ring's size. */
static char byte_at(uint64_t position) { return (char)('!' + position % 89); }

static void fill(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        ring_put(&ring, byte_at(ring.written));
}

static void expect_bytes(uint64_t from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buffer[i], byte_at(from + i));
}

static void empty_gives_nothing(void **state)
{
    (void)state;
    uint64_t at = 0;
    uint64_t lost = 99;
    assert_int_equal(ring_read(&ring, &at, buffer, sizeof buffer, &lost), 0);
    assert_int_equal(at, 0);
    assert_int_equal(lost, 0);
    assert_int_equal(ring_end(&ring), 0);
}

static void reads_in_pieces(void **state)
{
    (void)state;
    fill(10);
    uint64_t at = 0;
    uint64_t lost;
    assert_int_equal(ring_read(&ring, &at, buffer, 4, &lost), 4);
    expect_bytes(0, 4);
    assert_int_equal(ring_read(&ring, &at, buffer, 0, &lost), 0);
    assert_int_equal(at, 4);
    assert_int_equal(ring_read(&ring, &at, buffer, 100, &lost), 6);
    expect_bytes(4, 6);
    assert_int_equal(at, 10);
    assert_int_equal(ring_read(&ring, &at, buffer, 100, &lost), 0);
    assert_int_equal(lost, 0);
}

static void exactly_full_loses_nothing(void **state)
{
    (void)state;
    fill(RING_SIZE);
    uint64_t at = 0;
    uint64_t lost = 99;
    assert_int_equal(ring_read(&ring, &at, buffer, sizeof buffer, &lost), RING_SIZE);
    assert_int_equal(lost, 0);
    expect_bytes(0, RING_SIZE);
}

static void overwritten_bytes_are_counted(void **state)
{
    (void)state;
    fill(RING_SIZE + 123);
    uint64_t at = 0;
    uint64_t lost;
    assert_int_equal(ring_read(&ring, &at, buffer, 10, &lost), 10);
    assert_int_equal(lost, 123);
    assert_int_equal(at, 133);
    expect_bytes(123, 10);
    assert_int_equal(ring_read(&ring, &at, buffer, sizeof buffer, &lost), RING_SIZE - 10);
    assert_int_equal(lost, 0);
    expect_bytes(133, RING_SIZE - 10);
}

static void one_over_loses_one(void **state)
{
    (void)state;
    fill(RING_SIZE + 1);
    uint64_t at = 0;
    uint64_t lost;
    assert_int_equal(ring_read(&ring, &at, buffer, 1, &lost), 1);
    assert_int_equal(lost, 1);
    expect_bytes(1, 1);
}

static void only_what_a_reader_missed_is_lost(void **state)
{
    (void)state;
    uint64_t at = 100;
    uint64_t lost;
    fill(RING_SIZE + 123);
    assert_int_equal(ring_read(&ring, &at, buffer, 1, &lost), 1);
    assert_int_equal(lost, 23);
}

static void reads_across_the_edge(void **state)
{
    (void)state;
    fill(RING_SIZE - 5);
    uint64_t at = ring_end(&ring);
    uint64_t lost;
    fill(12);
    assert_int_equal(ring_read(&ring, &at, buffer, sizeof buffer, &lost), 12);
    assert_int_equal(lost, 0);
    expect_bytes(RING_SIZE - 5, 12);
}

static void a_position_from_the_future_is_the_end(void **state)
{
    (void)state;
    fill(7);
    uint64_t at = UINT64_MAX;
    uint64_t lost = 99;
    assert_int_equal(ring_read(&ring, &at, buffer, 10, &lost), 0);
    assert_int_equal(at, 7);
    assert_int_equal(lost, 0);
}

static void readers_are_independent(void **state)
{
    (void)state;
    fill(5);
    uint64_t first = 0;
    uint64_t second = 0;
    uint64_t lost;
    assert_int_equal(ring_read(&ring, &first, buffer, 5, &lost), 5);
    assert_int_equal(ring_read(&ring, &second, buffer, 5, &lost), 5);
    expect_bytes(0, 5);
}

enum { THREAD_BYTES = 50000 };

static void *writer(void *unused)
{
    for (uint32_t i = 0; i < THREAD_BYTES; i++)
        ring_put(&ring, 'x');
    return unused;
}

static void writers_and_a_reader_do_not_disturb(void **state)
{
    (void)state;
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, writer, NULL), 0);
    uint64_t at = 0;
    uint64_t got = 0;
    while (at < 2 * THREAD_BYTES) {
        uint64_t lost;
        size_t count = ring_read(&ring, &at, buffer, 777, &lost);
        got += count + lost;
        for (size_t i = 0; i < count; i++)
            assert_int_equal(buffer[i], 'x');
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(got, 2 * THREAD_BYTES);
    assert_int_equal(ring_end(&ring), 2 * THREAD_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty_gives_nothing, setup),
        cmocka_unit_test_setup(reads_in_pieces, setup),
        cmocka_unit_test_setup(exactly_full_loses_nothing, setup),
        cmocka_unit_test_setup(overwritten_bytes_are_counted, setup),
        cmocka_unit_test_setup(one_over_loses_one, setup),
        cmocka_unit_test_setup(only_what_a_reader_missed_is_lost, setup),
        cmocka_unit_test_setup(reads_across_the_edge, setup),
        cmocka_unit_test_setup(a_position_from_the_future_is_the_end, setup),
        cmocka_unit_test_setup(readers_are_independent, setup),
        cmocka_unit_test_setup(writers_and_a_reader_do_not_disturb, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
