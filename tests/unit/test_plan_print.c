/* The picture of a plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/plan_box.h"

static void print_shows_every_owner(void **state)
{
    (void)state;
    struct config_partition *p = add_partition("linux", 1, 4 * GIB + 2 * MIB + 4 * KIB);
    p->cpu_count = 2;
    p->cpus[1] = 2;
    p->initrd = text_of("initrd", 1);
    p = add_partition("quiet", 3, 64 * MIB);
    p->console = CONSOLE_NONE;
    p->boot = BOOT_MULTIBOOT1;
    p->start = START_MANUAL;
    p->on_stop = ON_STOP_RESTART;
    p->module_count = 1;
    p->modules[0] = text_of("initrd", 1);
    assert_int_equal(build(), 0);
    assert_true(check());
    plan_print(&plan, &machine, &errors.sink);
    const char *const parts[] = {
        "console      CPU 0\n",
        "partition    linux: start auto, on stop stay\n  CPUs       1-2\n",
        "0x00000000000-0x000bfffffff -> 0x00100000000  3 GiB = 3 x 1 GiB\n",
        "-> 0x00040000000  1050628 KiB = 1 x 1 GiB + 1 x 2 MiB + 1 x 4 KiB\n",
        "  image      linux 'vmlinuz', initrd 'initrd'\n",
        "  devices    console: UART at port 0x3f8, IRQ 4; interrupts direct\n",
        "partition    quiet: start manual, on stop restart\n  CPUs       3\n  memory     64 MiB",
        "  image      multiboot1 'vmlinuz', modules 'initrd'\n",
        "  devices    no console; interrupts direct\n",
        "idle CPUs    0\noffline CPUs none\n",
        "free memory  ",
    };
    for (size_t i = 0; i < array_size(parts); i++)
        assert_says(parts[i]);
}

static void print_shows_what_nobody_owns(void **state)
{
    (void)state;
    machine.region_count = 0;
    add_region(MIB, 3 * MIB, MEMORY_USABLE);
    machine.cpus[1].online = false;
    assert_int_equal(build(), 0);
    plan_print(&plan, &machine, &errors.sink);
    assert_string_equal(errors.text, "console      CPU 0\n"
                                     "idle CPUs    0,2-3\n"
                                     "offline CPUs 1\n"
                                     "free memory  1 MiB\n"
                                     "             0x00000100000-0x000001fffff  1 MiB\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(print_shows_every_owner),
        TEST(print_shows_what_nobody_owns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
