/* Memory sizes in CMOS RAM, at the edges of what their places hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/cmos_memory.h"

#include <string.h>

static struct rtc rtc;

static void write(uint64_t low, uint64_t high, uint32_t cpus)
{
    memset(&rtc, 0xa5, sizeof rtc);
    cmos_memory_write(&rtc, low, high, cpus);
}

static unsigned word(unsigned at) { return rtc.bytes[at] | (unsigned)rtc.bytes[at + 1] << 8; }

/* SeaBIOS, "CMOS": extended memory at 30h and 34h, memory above 4 GiB at 5Bh. */
static void sizes(void **state)
{
    (void)state;
    static const struct {
        uint64_t low, high;
        unsigned base, extended, above_16m, above_4g;
    } cases[] = {
        {512 * KIB, 0, 512, 0, 0, 0},
        {MIB, 0, 640, 0, 0, 0},
        {MIB + 5 * KIB - 1, 0, 640, 4, 0, 0},
        {16 * MIB, 0, 640, 15 * 1024, 0, 0},
        {16 * MIB + 128 * KIB, 0, 640, 15 * 1024 + 128, 2, 0},
        {64 * MIB + 1023 * KIB, 0, 640, 0xffff, 0x300 + 15, 0},
        {3 * GIB, GIB, 640, 0xffff, (unsigned)((3 * GIB - 16 * MIB) >> 16), 0x4000},
        {3 * GIB, (uint64_t)1 << 40, 640, 0xffff, 0xbf00, 0xffffff},
        {UINT64_MAX, UINT64_MAX, 640, 0xffff, 0xffff, 0xffffff},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        write(cases[i].low, cases[i].high, 1);
        assert_int_equal(word(0x15), cases[i].base);
        assert_int_equal(word(0x17), cases[i].extended);
        assert_int_equal(word(0x30), cases[i].extended);
        assert_int_equal(word(0x34), cases[i].above_16m);
        assert_int_equal(word(0x5b) | (unsigned)rtc.bytes[0x5d] << 16, cases[i].above_4g);
    }
}

/* SeaBIOS, "CMOS": the number of further CPUs at 5Fh. */
static void cpus(void **state)
{
    (void)state;
    write(MIB, 0, 1);
    assert_int_equal(rtc.bytes[0x5f], 0);
    write(MIB, 0, 8);
    assert_int_equal(rtc.bytes[0x5f], 7);
    write(MIB, 0, 1000);
    assert_int_equal(rtc.bytes[0x5f], 0xff);
}

static void nothing_else_changes(void **state)
{
    (void)state;
    static const uint8_t written[] = {0x15, 0x16, 0x17, 0x18, 0x30, 0x31, 0x34, 0x35, 0x5b, 0x5c, 0x5d, 0x5f};
    write(UINT64_MAX, UINT64_MAX, UINT32_MAX);
    for (unsigned i = 0; i < RTC_BYTES; i++)
        if (memchr(written, (int)i, sizeof written) == NULL)
            assert_int_equal(rtc.bytes[i], 0xa5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(cpus),
        cmocka_unit_test(nothing_else_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
