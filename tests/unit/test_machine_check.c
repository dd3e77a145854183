/* Machine-check banks before the first guest: all of them on, and what they still hold is told once and gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/machine_check.h"
#include "tests/unit/fake_cpu.h"

enum { CAP = 0x179, STATUS = 0x17a, CTL = 0x17b, MC0_CTL = 0x400 };
#define VALID (1ull << 63)

static void add(uint32_t number, uint64_t value)
{
    fake_cpu.msrs[fake_cpu.msr_count++] = (struct fake_msr){.number = number, .value = value};
}

static uint64_t value_of(uint32_t number)
{
    uint64_t value = 0x5a5a;
    assert_true(cpu_msr_read(number, &value));
    return value;
}

/* Three banks; the last one still holds an error. */
static int setup(void **state)
{
    (void)state;
    fake_cpu_setup();
    add(CAP, 3 | 1 << 8);
    add(STATUS, 0);
    add(CTL, 0);
    for (uint32_t bank = 0; bank < 3; bank++) {
        add(MC0_CTL + 4 * bank, 0);
        add(MC0_CTL + 4 * bank + 1, bank == 2 ? VALID | 0x17a : 0);
        add(MC0_CTL + 4 * bank + 2, 0);
    }
    return 0;
}

static void all_banks_are_switched_on(void **state)
{
    (void)state;
    struct machine_check old;
    machine_check_begin(&old);
    assert_true(value_of(CTL) == UINT64_MAX);
    for (uint32_t bank = 0; bank < 3; bank++)
        assert_true(value_of(MC0_CTL + 4 * bank) == UINT64_MAX);
}

static void what_they_hold_is_told_once(void **state)
{
    (void)state;
    struct machine_check old;
    machine_check_begin(&old);
    assert_int_equal(old.bank, 2);
    assert_true(old.status == (VALID | 0x17a));
    machine_check_begin(&old);
    assert_true(old.status == 0);
}

/* A CPU without the global register, and one without any. */
static void registers_that_are_not_there(void **state)
{
    (void)state;
    struct machine_check old;
    fake_cpu.msrs[0].value = 3;
    machine_check_begin(&old);
    assert_true(value_of(CTL) == 0);
    assert_true(value_of(MC0_CTL) == UINT64_MAX);
    fake_cpu_setup();
    machine_check_begin(&old);
    assert_true(old.status == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_banks_are_switched_on, setup),
        cmocka_unit_test_setup(what_they_hold_is_told_once, setup),
        cmocka_unit_test_setup(registers_that_are_not_there, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
