/*
 * An unmodified kernel's own driver finds the watchdog in the ACPI tables, feeds it, and lets it run out.
 */
#include "tests/system/box.h"

static const char *const modules[] = {"vmlinuz=guests/vmlinuz-6.1", "initrd=guests/initrd-watchdog", NULL};

static void expect_shell(struct box *box)
{
    box_expect_line(box, "ringfence-guest: ready, ");
    box_expect(box, "# ");
    box_send(box, "insmod /lib/watchdog.ko; insmod /lib/wdat_wdt.ko; cd /sys/class/watchdog/watchdog0\r");
    box_expect(box, "watchdog0# ");
}

/* The shell's echo of what was typed is not an answer: words are put together by the shell. */
static void test_the_kernels_driver_drives_it(void **state)
{
    struct box *box = *state;
    box_start(box, &(struct box_setup){.name = "watchdog",
                                       .conf = "version = 1\n"
                                               "[partition linux]\n"
                                               "cpus = 1\n"
                                               "memory = 256M\n"
                                               "boot = linux\n"
                                               "kernel = vmlinuz\n"
                                               "initrd = initrd\n"
                                               "fault.watchdog = restart 1/10m\n"
                                               "cmdline = console=ttyS0 cryptomgr.notests\n",
                                       .modules = modules,
                                       .cpus = 2,
                                       .memory_mib = 1024});
    box_expect(box, "ringfence> ");
    box_attach(box, "linux");
    expect_shell(box);
    box_send(box, "echo \"it'\"s $(cat identity), cause $(cat bootstatus)\r");
    box_expect_line(box, "^it's wdat_wdt, cause 0$");

    /* Fed each second, with three to go, it outlives six; then its feeder dies. */
    box_send(box, "watchdog -t 1 -T 3 /dev/watchdog0; sleep 6; echo \"still\" here; killall -9 watchdog\r");
    box_expect_line(box, "^still here$");
    box_expect(box, "[ringfence: linux: stopped: its watchdog has run out]");
    expect_shell(box);
    box_send(box, "echo \"it'\"s $(cat identity), cause $(cat bootstatus)\r");
    box_expect_line(box, "^it's wdat_wdt, cause 32$"); /* WDIOF_CARDRESET */

    /* Stopped with the magic character it bites nobody. */
    box_send(box, "echo V >/dev/watchdog0; sleep 1; echo \"state\" $(cat state)\r");
    box_expect_line(box, "^state inactive$");
    box_detach(box);
    box_command(box, "list");
    box_expect_line(box, "^linux +running .* 2 +");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_the_kernels_driver_drives_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
