/*
 * Machines on which nothing can run: the box says what is missing and stands still. It must not reset itself or end in
 * a triple fault (Bochs would stop there, since it is told not to reset).
 */
#include "tests/system/box.h"

static const char *const hello_module[] = {"hello=guests/hello.elf", NULL};

static void boot(struct box *box, const char *name, const char *engine)
{
    box_start(box, &(struct box_setup){.name = name,
                                       .engine = engine,
                                       .conf = "version = 1\n"
                                               "[partition hello]\n"
                                               "cpus = 0\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n",
                                       .modules = hello_module});
}

/* It stands still: no more text, no end of the machine, no guest. */
static void expect_halt(struct box *box)
{
    if (!box_is_silent(box, 2))
        box_fail(box, "the box does not stand still after its last message");
    assert_false(box_seen(box, "hello: "));
    assert_false(box_seen(box, "ringfence> "));
}

static void test_without_vt_x(void **state)
{
    struct box *box = *state;
    boot(box, "no-vt-x", "bochs:p4_prescott_celeron_336");
    box_expect_line(box, "^Self-check:");
    box_expect_line(box, "^  VT-x +MISSING: ");
    box_expect_line(box, "^  memory +yes");
    box_expect_line(box, "^This box cannot run partitions: ");
    box_expect_line(box, "^Ringfence stops here\\.");
    expect_halt(box);
}

static void test_with_vt_x_of_the_first_generation(void **state)
{
    struct box *box = *state;
    boot(box, "no-ept", "bochs:core2_penryn_t9600");
    box_expect_line(box, "^  VT-x +yes");
    box_expect_line(box, "^  EPT +MISSING: ");
    box_expect_line(box, "^  unrestricted guest +MISSING: ");
    box_expect_line(box, "^This box cannot run partitions: ");
    box_expect_line(box, "^Ringfence stops here\\.");
    expect_halt(box);
}

static void test_amd_without_svm(void **state)
{
    struct box *box = *state;
    boot(box, "no-svm", "bochs:athlon64_clawhammer");
    box_expect_line(box, "^Self-check:");
    box_expect_line(box, "^This box cannot run partitions: ");
    box_expect_line(box, "^Ringfence stops here\\.");
    expect_halt(box);
}

/* Here not even the 64-bit part of the hypervisor can run. */
static void test_without_64_bit_mode(void **state)
{
    struct box *box = *state;
    boot(box, "no-64-bit", "bochs:p3_katmai");
    box_expect_line(box, "^Ringfence: this CPU has no 64-bit mode with NX\\. Nothing can run here\\.$");
    expect_halt(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_without_vt_x),
        box_test(test_with_vt_x_of_the_first_generation),
        box_test(test_amd_without_svm),
        box_test(test_without_64_bit_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
