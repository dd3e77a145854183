/* The firmware's interrupts: counted where the CPU counts them, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/stats.h"

#include <string.h>

#include "tests/unit/fake_cpu.h"

static struct {
    char vendor[13];
    uint32_t version;
} cpu;

static void cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    (void)subleaf;
    if (leaf == 0) {
        memcpy(&out->ebx, cpu.vendor, 4);
        memcpy(&out->edx, cpu.vendor + 4, 4);
        memcpy(&out->ecx, cpu.vendor + 8, 4);
    }
    if (leaf == 1)
        out->eax = cpu.version;
}

static bool read_count(const char *vendor, uint32_t version, bool has_register, uint32_t *count)
{
    fake_cpu_setup();
    memcpy(cpu.vendor, vendor, sizeof cpu.vendor);
    cpu.version = version;
    fake_cpu.cpuid = cpuid;
    fake_cpu.msrs[0] = (struct fake_msr){0x34, 0xdeadbeef00000007, true};
    fake_cpu.msr_count = has_register ? 1 : 0;
    return stats_smi_count(count);
}

static void counts_where_the_cpu_does(void **state)
{
    (void)state;
    uint32_t count = 99;
    assert_true(read_count("GenuineIntel", 0x50654, true, &count));
    assert_int_equal(count, 7); /* the upper half is reserved */
}

static void says_nothing_elsewhere(void **state)
{
    (void)state;
    uint32_t count = 99;
    assert_false(read_count("GenuineIntel", 0x50654, false, &count));
    assert_false(read_count("GenuineIntel", 0xf43, true, &count)); /* another family's register */
    assert_false(read_count("AuthenticAMD", 0x600f12, true, &count));
    assert_false(read_count("GenuineIntes", 0x50654, true, &count));
    assert_int_equal(count, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_where_the_cpu_does),
        cmocka_unit_test(says_nothing_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
