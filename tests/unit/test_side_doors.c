/* Which measures against side channels are taken: the words of CPUs as they are sold, and each bit alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/side_doors.h"

#define BIT(n) (1u << (n))

static void expect(uint32_t features, uint32_t amd, uint32_t amd_2, uint64_t capabilities, uint32_t measures)
{
    const struct side_words words = {features, amd, amd_2, capabilities};
    uint32_t found = side_doors_decide(&words);
    if (found != measures)
        fail_msg("%x %x %x %llx: measures %x, expected %x", features, amd, amd_2, (unsigned long long)capabilities,
                 found, measures);
}

static void a_cpu_that_offers_nothing(void **state)
{
    (void)state;
    expect(0, 0, 0, 0, 0);
    /* All bits that announce something else, and immunities without means. */
    expect(~(BIT(10) | BIT(26) | BIT(28)), ~BIT(12), ~BIT(8), UINT64_MAX, 0);
}

static void intel_cpus(void **state)
{
    (void)state;
    /* Skylake with its last microcode: open to L1TF and MDS, no IBRS that may stay set. */
    expect(BIT(10) | BIT(26) | BIT(27) | BIT(28) | BIT(31), 0, 0, 0, SIDE_PREDICTORS | SIDE_L1_DATA | SIDE_BUFFERS);
    /* Cascade Lake: RDCL_NO, IBRS_ALL, SKIP_L1DFL, MDS_NO. VERW still serves what came after MDS. */
    expect(BIT(10) | BIT(26) | BIT(28) | BIT(29), 0, 0, 0x2b, SIDE_PREDICTORS | SIDE_BUFFERS | SIDE_IBRS);
    /* SKIP_L1DFL alone is an outer hypervisor's promise about its own entries, not about ours. */
    expect(BIT(28) | BIT(29), 0, 0, 8, SIDE_L1_DATA);
    /* IBRS_ALL is worth nothing without the register. */
    expect(BIT(29), 0, 0, 2, 0);
}

static void amd_cpus(void **state)
{
    (void)state;
    expect(0, BIT(12), 0, 0, SIDE_PREDICTORS);                                 /* Zen with new microcode */
    expect(0, BIT(12) | BIT(14) | BIT(15) | BIT(16), 0, 0, SIDE_PREDICTORS);   /* Zen 3: its IBRS would slow guests */
    expect(0, BIT(12) | BIT(14), BIT(8), 0, SIDE_PREDICTORS | SIDE_AUTO_IBRS); /* Zen 4 */
}

static char said[128];
static void say(struct sink *self, const char *text, size_t length)
{
    (void)self;
    assert_true(strlen(said) + length < sizeof said);
    strncat(said, text, length);
}

static void names(void **state)
{
    (void)state;
    struct sink out = {say};
    said[0] = '\0';
    side_doors_print(0, &out);
    side_doors_print(SIDE_BUFFERS, &out);
    side_doors_print(SIDE_PREDICTORS | SIDE_L1_DATA | SIDE_BUFFERS | SIDE_IBRS | SIDE_AUTO_IBRS, &out);
    assert_string_equal(said, "none\nVERW\nIBPB, L1D flush, VERW, IBRS, automatic IBRS\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cpu_that_offers_nothing),
        cmocka_unit_test(intel_cpus),
        cmocka_unit_test(amd_cpus),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
