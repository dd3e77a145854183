/* Guest-physical reads and writes: across chunks whose host places are out of order, and every way to miss the RAM. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/partition.h"
#include "core/bytes.h"
#include "tests/unit/fake_phys.h"

#define HOST_BASE 0x10000000u
enum { PAGE = 4096, HOST_SIZE = 8 * PAGE };

/* Guest pages 0, 1 and 2 are RAM, then a hole, then one page at 4 GiB. In the host the pieces lie in another order. */
static struct plan_partition plan;
static const struct partition partition = {.plan = &plan};

static int setup(void **state)
{
    (void)state;
    plan = (struct plan_partition){
        .chunk_count = 3,
        .chunks =
            {
                {{0}, {HOST_BASE + 5 * PAGE}, PAGE},
                {{PAGE}, {HOST_BASE + PAGE}, 2 * PAGE},
                {{4 * GIB}, {HOST_BASE + 3 * PAGE}, PAGE},
            },
    };
    fake_phys_setup(HOST_BASE, HOST_SIZE);
    memset(fake_phys_at(HOST_BASE, HOST_SIZE), 0xee, HOST_SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_phys_teardown();
    return 0;
}

static uint8_t pattern(size_t i) { return (uint8_t)(i * 7 + i / 256 + 1); }

static void write_then_read_crosses_chunks(void **state)
{
    (void)state;
    static uint8_t out[3 * PAGE], back[3 * PAGE];
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = pattern(i);
    assert_true(partition_write(&partition, gpa(0), out, sizeof out));
    assert_memory_equal(fake_phys_at(HOST_BASE + 5 * PAGE, PAGE), out, PAGE);
    assert_memory_equal(fake_phys_at(HOST_BASE + PAGE, 2 * PAGE), out + PAGE, 2 * PAGE);
    assert_true(partition_read(&partition, gpa(0), back, sizeof back));
    assert_memory_equal(back, out, sizeof out);
}

static void write_touches_nothing_else(void **state)
{
    (void)state;
    const uint8_t four[4] = {1, 2, 3, 4};
    assert_true(partition_write(&partition, gpa(PAGE - 2), four, sizeof four));
    const uint8_t *host = fake_phys_at(HOST_BASE, HOST_SIZE);
    for (size_t i = 0; i < HOST_SIZE; i++) {
        uint8_t expected = 0xee;
        if (i == 6 * PAGE - 2 || i == 6 * PAGE - 1)
            expected = (uint8_t)(i - (6 * PAGE - 2) + 1);
        if (i == PAGE || i == PAGE + 1)
            expected = (uint8_t)(i - PAGE + 3);
        assert_int_equal(host[i], expected);
    }
}

/* Every start and length around each border, in RAM or not, against the list of RAM bytes. */
static void access_is_all_or_nothing(void **state)
{
    (void)state;
    const uint64_t borders[] = {0, PAGE, 3 * PAGE, 4 * GIB, 4 * GIB + PAGE, UINT64_MAX - 2};
    for (size_t b = 0; b < array_size(borders); b++) {
        for (uint64_t near = 0; near < 7; near++) {
            uint64_t from = borders[b] + near - 3; /* wraps below 0 to the very end on purpose */
            for (size_t size = 0; size < 7; size++) {
                bool ram = size == 0 || from <= UINT64_MAX - size;
                for (size_t i = 0; i < size && ram; i++)
                    ram = from + i < 3 * PAGE || (from + i >= 4 * GIB && from + i < 4 * GIB + PAGE);
                uint8_t bytes[8] = {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};
                assert_int_equal(partition_read(&partition, gpa(from), bytes, size), ram);
                for (size_t i = 0; i < sizeof bytes; i++)
                    assert_int_equal(bytes[i], ram && i < size ? 0xee : 0x11);
            }
        }
    }
}

static void refused_write_changes_nothing(void **state)
{
    (void)state;
    const uint8_t bytes[8] = {0};
    assert_false(partition_write(&partition, gpa(3 * PAGE - 4), bytes, sizeof bytes));
    assert_false(partition_write(&partition, gpa(4 * GIB - 4), bytes, sizeof bytes));
    assert_false(partition_write(&partition, gpa(4 * GIB + PAGE - 4), bytes, sizeof bytes));
    assert_false(partition_write(&partition, gpa(UINT64_MAX - 3), bytes, sizeof bytes));
    assert_false(partition_write(&partition, gpa(0), bytes, SIZE_MAX));
    const uint8_t *host = fake_phys_at(HOST_BASE, HOST_SIZE);
    for (size_t i = 0; i < HOST_SIZE; i++)
        assert_int_equal(host[i], 0xee);
}

static void partition_without_memory_has_none(void **state)
{
    (void)state;
    uint8_t byte = 0;
    plan.chunk_count = 0;
    assert_false(partition_read(&partition, gpa(0), &byte, 1));
    assert_false(partition_write(&partition, gpa(0), &byte, 1));
}

static void translate_stays_in_one_chunk(void **state)
{
    (void)state;
    hpa_t out = {0};
    assert_true(plan_translate(&plan, gpa(0), PAGE, &out));
    assert_int_equal(out.raw, HOST_BASE + 5 * PAGE);
    assert_true(plan_translate(&plan, gpa(2 * PAGE + 8), PAGE - 8, &out));
    assert_int_equal(out.raw, HOST_BASE + 2 * PAGE + 8);
    assert_true(plan_translate(&plan, gpa(4 * GIB + PAGE - 1), 1, &out));
    assert_int_equal(out.raw, HOST_BASE + 4 * PAGE - 1);

    out = hpa(1);
    assert_false(plan_translate(&plan, gpa(PAGE - 1), 2, &out)); /* both bytes are RAM, in two chunks */
    assert_false(plan_translate(&plan, gpa(3 * PAGE), 1, &out));
    assert_false(plan_translate(&plan, gpa(3 * PAGE), 0, &out));
    assert_false(plan_translate(&plan, gpa(4 * GIB - 1), 1, &out));
    assert_false(plan_translate(&plan, gpa(4 * GIB + 1), PAGE, &out));
    assert_false(plan_translate(&plan, gpa(PAGE), UINT64_MAX, &out));
    assert_false(plan_translate(&plan, gpa(UINT64_MAX), 1, &out));
    assert_int_equal(out.raw, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(write_then_read_crosses_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(write_touches_nothing_else, setup, teardown),
        cmocka_unit_test_setup_teardown(access_is_all_or_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(refused_write_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(partition_without_memory_has_none, setup, teardown),
        cmocka_unit_test_setup_teardown(translate_stays_in_one_chunk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
