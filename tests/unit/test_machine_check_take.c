/*
 * What the machine-check banks say, in a word: Intel SDM vol. 3, "Machine-Check Global Control MSRs" and
 * "Error-Reporting Register Banks". What is not known is taken for the worst.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/machine_check.h"

#include "tests/unit/fake_cpu.h"

#define VALID    (1ull << 63)
#define OVERFLOW (1ull << 62)
#define UC       (1ull << 61)
#define ADDRV    (1ull << 58)
#define PCC      (1ull << 57)

enum { RIPV = 1, EIPV = 2, BANKS = 3, CAP = 0x179, GLOBAL = 0x17a, MC0_STATUS = 0x401, MC0_ADDR = 0x402 };

static void msr(uint32_t number, uint64_t value)
{
    fake_cpu.msrs[fake_cpu.msr_count++] = (struct fake_msr){number, value, false};
}

/* Three banks that say nothing, and a place to go back to. */
static int setup(void **state)
{
    (void)state;
    fake_cpu_setup();
    msr(CAP, 0xffffff00 | BANKS);
    msr(GLOBAL, RIPV | EIPV | 4);
    for (uint32_t i = 0; i < BANKS; i++) {
        msr(MC0_STATUS + 4 * i, 0);
        msr(MC0_ADDR + 4 * i, 0x1000 * (i + 1));
    }
    return 0;
}

static uint64_t *global(void) { return &fake_cpu.msrs[1].value; }
static uint64_t *status(uint32_t bank) { return &fake_cpu.msrs[2 + 2 * bank].value; }

static struct machine_check take(void)
{
    struct machine_check found;
    machine_check_take(&found);
    return found;
}

static void silent_banks_mean_another_cpu(void **state)
{
    (void)state;
    struct machine_check found = take();
    assert_int_equal(found.kind, MACHINE_CHECK_ELSEWHERE);
    assert_true(found.status == 0 && found.global == 7);
    assert_true(*global() == 0); /* or the next one would shut the CPU down */
    *global() = RIPV;
    *status(1) = UC | PCC; /* without VALID nothing of it counts */
    assert_int_equal(take().kind, MACHINE_CHECK_ELSEWHERE);
    assert_true(*status(1) == (UC | PCC));
}

/* All banks are looked at and cleared; the worst is told. */
static void the_worst_bank_is_told(void **state)
{
    (void)state;
    *status(0) = VALID | ADDRV | 0x11; /* corrected */
    *status(1) = VALID | UC | ADDRV | 0x22;
    *status(2) = VALID | 0x33;
    struct machine_check found = take();
    assert_int_equal(found.kind, MACHINE_CHECK_CONTAINED);
    assert_int_equal(found.bank, 1);
    assert_true(found.address == 0x2000);
    for (uint32_t i = 0; i < BANKS; i++)
        assert_true(*status(i) == 0);
    *global() = RIPV;
    *status(0) = VALID | ADDRV | 0x11;
    *status(2) = VALID | UC | PCC | 0x33;
    found = take();
    assert_int_equal(found.kind, MACHINE_CHECK_CONTEXT_LOST);
    assert_int_equal(found.bank, 2);
    assert_true(found.address == 0); /* ADDRV says that it is none */
}

/* "Overflow": an uncorrected error after which another was lost may have been one of any kind. */
static void a_lost_error_may_have_been_the_worst(void **state)
{
    (void)state;
    *status(0) = VALID | UC | OVERFLOW;
    assert_int_equal(take().kind, MACHINE_CHECK_CONTEXT_LOST);
    *global() = RIPV;
    *status(0) = VALID | OVERFLOW; /* corrected ones only */
    assert_int_equal(take().kind, MACHINE_CHECK_ELSEWHERE);
}

static void without_a_way_back_nothing_goes_on(void **state)
{
    (void)state;
    *global() = 4; /* neither RIPV nor EIPV */
    assert_int_equal(take().kind, MACHINE_CHECK_CONTEXT_LOST);
    *global() = EIPV; /* it belongs to what ran here, which cannot go on */
    assert_int_equal(take().kind, MACHINE_CHECK_CONTAINED);
}

static void what_cannot_be_read_is_the_worst(void **state)
{
    (void)state;
    fake_cpu.msrs[0].number = 0;
    assert_int_equal(take().kind, MACHINE_CHECK_CONTEXT_LOST);
    fake_cpu.msrs[0].number = CAP;
    fake_cpu.msrs[1].number = 0;
    assert_int_equal(take().kind, MACHINE_CHECK_CONTEXT_LOST);
}

static void a_bank_that_cannot_be_cleared_is_told_again(void **state)
{
    (void)state;
    *status(0) = VALID | UC | ADDRV;
    fake_cpu.msrs[2].read_only = true;
    fake_cpu.msrs[3].number = 0; /* and its address cannot be read */
    for (unsigned i = 0; i < 2; i++) {
        *global() = RIPV;
        struct machine_check found = take();
        assert_int_equal(found.kind, MACHINE_CHECK_CONTAINED);
        assert_true(found.address == 0);
    }
}

/* The registers of a CPU with more banks than the numbers have room for lie elsewhere: they are not touched. */
static void banks_beyond_the_numbers_are_left_alone(void **state)
{
    (void)state;
    fake_cpu.msrs[0].value = 255;
    msr(MC0_STATUS + 4 * 32, VALID | UC | PCC);
    assert_int_equal(take().kind, MACHINE_CHECK_ELSEWHERE);
    assert_true(fake_cpu.msrs[fake_cpu.msr_count - 1].value == (VALID | UC | PCC));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(silent_banks_mean_another_cpu),           TEST(the_worst_bank_is_told),
        TEST(a_lost_error_may_have_been_the_worst),    TEST(without_a_way_back_nothing_goes_on),
        TEST(what_cannot_be_read_is_the_worst),        TEST(a_bank_that_cannot_be_cleared_is_told_again),
        TEST(banks_beyond_the_numbers_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
