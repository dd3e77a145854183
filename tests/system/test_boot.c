/*
 * The box itself: what it does without a configuration, and with one that has mistakes.
 */
#include "tests/system/box.h"

#include <stdlib.h>

static const char *const hello_module[] = {"hello=guests/hello.elf", NULL};

static void test_without_configuration_there_is_a_console(void **state)
{
    struct box *box = *state;
    box_start(box, &(struct box_setup){.name = "no-configuration"});
    box_expect_line(box, "Ringfence [0-9]+\\.[0-9]+ on ");
    box_expect(box, "ringfence> ");
    box_command(box, "list");
    box_expect(box, "there is no partition");
    box_expect(box, "ringfence> ");
    box_command(box, "cpus");
    box_expect_line(box, "^0 .*online.*nobody.*serves this console");
    box_command(box, "nonsense");
    box_expect(box, "unknown command 'nonsense'");
}

static void test_a_bad_partition_is_refused_and_the_good_one_runs(void **state)
{
    struct box *box = *state;
    box_start(box, &(struct box_setup){.name = "bad-partition",
                                       .conf = "version = 1\n"
                                               "[partition bad]\n"
                                               "cpus = 1\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = not-there\n"
                                               "[partition good]\n"
                                               "cpus = 1\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "cmdline = stay\n",
                                       .modules = hello_module,
                                       .cpus = 2});
    box_expect_line(box, "ringfence\\.conf:6:[0-9]+: .*not-there");
    box_expect(box, "ringfence> ");
    box_attach(box, "good");
    box_expect_line(box, "hello: staying, halted");
    box_detach(box);
    box_command(box, "list");
    box_expect_line(box, "^good +running ");
    box_expect(box, "ringfence> ");
    box_command(box, "start bad");
    box_expect(box, "'bad'");
}

/* Firmware of newer boxes switches the 8254 off: then ACPI's timer tells how fast the clock runs. */
static void test_without_8254(void **state)
{
    struct box *box = *state;
    setenv("RINGFENCE_LACKS", "pit", 1);
    box_start(box, &(struct box_setup){.name = "no-8254",
                                       .conf = "version = 1\n"
                                               "[partition good]\n"
                                               "cpus = 1\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n",
                                       .modules = hello_module,
                                       .cpus = 2});
    unsetenv("RINGFENCE_LACKS");
    box_expect_line(box, ", TSC [0-9]+\\.[0-9]+ MHz by the ACPI PM timer, ");
    box_expect_line(box, "good: stopped: powered off by the guest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_without_configuration_there_is_a_console),
        box_test(test_a_bad_partition_is_refused_and_the_good_one_runs),
        box_test(test_without_8254),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
