/* The KVM clock: nanoseconds from ticks at every frequency, and the two structs in the guest's memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/kvm_clock.h"

#include <string.h>

#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

#define MEMORY (16 * KIB)

/* Linux: arch/x86/include/asm/pvclock-abi.h describes both layouts. */
enum { TIME_SIZE = 32, WALL_SIZE = 12 };

static struct partition *p;

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, MEMORY, 4 * KIB);
    fake_cpu_setup();
    p = fake_backend_setup(2);
    p->started_at = 7000000001;
    fake_guest.machine.wall_clock = 1700000000;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

/* As a guest computes it. */
static uint64_t nanoseconds(uint64_t ticks, uint32_t multiplier, int8_t shift)
{
    ticks = shift < 0 ? ticks >> -shift : ticks << shift;
    return (uint64_t)((unsigned __int128)ticks * multiplier >> 32);
}

static void expect_scale(uint64_t hz)
{
    uint32_t multiplier;
    int8_t shift;
    kvm_clock_scale(hz, &multiplier, &shift);
    assert_in_range(shift + 32, 0, 64);
    /* An hour, a day and a month: off by less than 10 ns in a second. */
    static const uint64_t seconds[] = {1, 3600, 86400, 30 * 86400};
    for (size_t i = 0; i < array_size(seconds); i++) {
        uint64_t exact = seconds[i] * 1000000000;
        uint64_t found = nanoseconds(hz * seconds[i], multiplier, shift);
        uint64_t error = found > exact ? found - exact : exact - found;
        assert_true(error <= 10 * seconds[i]);
    }
}

static void scale_is_exact_enough_at_every_frequency(void **state)
{
    (void)state;
    static const uint64_t edges[] = {1000000,    999999999,  1000000000, 1000000001, 1999999999, 2000000000,
                                     2000000001, 3999999999, 4000000000, 4000000001, 4294967296, 15999999999,
                                     25000000,   19200000,   100000000,  2592000000, 3408000000};
    for (size_t i = 0; i < array_size(edges); i++)
        expect_scale(edges[i]);
    for (uint64_t hz = 1000000; hz < 10 * 1000000000ull; hz += hz / 137)
        expect_scale(hz);
}

static void scale_of_no_clock_ends(void **state)
{
    (void)state;
    uint32_t multiplier = 1;
    int8_t shift = 1;
    kvm_clock_scale(0, &multiplier, &shift);
    assert_int_equal(multiplier, 0);
}

static uint64_t get(const uint8_t *bytes, size_t at, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, bytes + at, size);
    return value;
}

/* Writes a mark around and under it first: nothing else changes. */
static void expect_time_at(uint32_t vcpu, uint64_t place)
{
    uint8_t ram[MEMORY], after[MEMORY];
    memset(ram, 0xcc, sizeof ram);
    assert_true(partition_write(p, gpa(0), ram, sizeof ram));
    assert_true(kvm_clock_place(&p->vcpus[vcpu], gpa(place | 1)));
    assert_int_equal(p->vcpus[vcpu].kvm_clock.raw, place | 1);
    fake_guest_read(0, after, sizeof after);
    const uint8_t *time = after + place;
    assert_int_equal(get(time, 0, 4), 2); /* version: even, written */
    assert_int_equal(get(time, 4, 4), 0);
    assert_true(get(time, 8, 8) == p->started_at);
    assert_int_equal(get(time, 16, 8), 0);
    assert_int_equal(nanoseconds(fake_guest.machine.tsc_hz, (uint32_t)get(time, 24, 4), (int8_t)get(time, 28, 1)),
                     1000000000);
    assert_int_equal(get(time, 29, 1), 1); /* stable: the same on every vCPU */
    assert_int_equal(get(time, 30, 2), 0);
    memcpy(after + place, ram + place, TIME_SIZE);
    assert_memory_equal(after, ram, sizeof ram);
}

static void place_writes_the_time(void **state)
{
    (void)state;
    fake_guest.machine.tsc_hz = 2000000000; /* divides without a rest */
    expect_time_at(0, 0x2000);
    expect_time_at(1, 0x2040);
    expect_time_at(1, 4 * KIB - 16); /* across chunks */
    expect_time_at(0, MEMORY - TIME_SIZE);
    expect_time_at(0, 0);
}

static void place_without_enable_writes_nothing(void **state)
{
    (void)state;
    uint8_t before[MEMORY], after[MEMORY];
    assert_true(kvm_clock_place(&p->vcpus[0], gpa(0x2001)));
    fake_guest_read(0, before, sizeof before);
    assert_true(kvm_clock_place(&p->vcpus[0], gpa(0x2100)));
    assert_int_equal(p->vcpus[0].kvm_clock.raw, 0x2100);
    assert_true(kvm_clock_place(&p->vcpus[0], gpa(0)));
    assert_true(kvm_clock_place(&p->vcpus[0], gpa(MEMORY)));
    fake_guest_read(0, after, sizeof after);
    assert_memory_equal(before, after, sizeof before);
}

static void place_outside_ram_is_refused(void **state)
{
    (void)state;
    static const uint64_t places[] = {MEMORY - TIME_SIZE + 2, MEMORY, UINT64_MAX - 1, 0xfec00000, 1ull << 63};
    p->vcpus[0].kvm_clock = gpa(0x2001);
    for (size_t i = 0; i < array_size(places); i++) {
        assert_false(kvm_clock_place(&p->vcpus[0], gpa(places[i] | 1)));
        assert_int_equal(p->vcpus[0].kvm_clock.raw, 0x2001);
    }
}

static void wall_clock_is_the_time_of_the_start(void **state)
{
    (void)state;
    uint8_t wall[WALL_SIZE + 1];
    const uint8_t mark = 0xcc;
    assert_true(partition_write(p, gpa(0x3000 + WALL_SIZE), &mark, 1));
    assert_true(kvm_clock_write_wall(&p->vcpus[1], gpa(0x3000)));
    fake_guest_read(0x3000, wall, sizeof wall);
    assert_int_equal(get(wall, 0, 4), 2);
    assert_int_equal(get(wall, 4, 4), 1700000007); /* 7 s after the TSC was 0 */
    assert_in_range(get(wall, 8, 4), 0, 999999999);
    assert_int_equal(wall[WALL_SIZE], mark);
    assert_int_equal(p->vcpus[1].kvm_clock.raw, 0);
}

static void wall_clock_outside_ram_is_refused(void **state)
{
    (void)state;
    static const uint64_t places[] = {MEMORY - WALL_SIZE + 1, MEMORY, UINT64_MAX};
    for (size_t i = 0; i < array_size(places); i++)
        assert_false(kvm_clock_write_wall(&p->vcpus[0], gpa(places[i])));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(scale_is_exact_enough_at_every_frequency),
        TEST(scale_of_no_clock_ends),
        TEST(place_writes_the_time),
        TEST(place_without_enable_writes_nothing),
        TEST(place_outside_ram_is_refused),
        TEST(wall_clock_is_the_time_of_the_start),
        TEST(wall_clock_outside_ram_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
