/*
 * An unmodified distribution kernel: up to a shell, which works, and down again.
 */
#include "tests/system/box.h"

static const char *const modules[] = {"vmlinuz=guests/vmlinuz-6.1", "initrd=guests/initrd", NULL};

/* The kernel's self tests of its ciphers cost more time in an emulator than all the rest of its boot. */
static void test_debian_kernel_reaches_a_shell_and_powers_off(void **state)
{
    struct box *box = *state;
    box_start(box, &(struct box_setup){.name = "linux",
                                       .conf = "version = 1\n"
                                               "[partition linux]\n"
                                               "cpus = 1\n"
                                               "memory = 256M\n"
                                               "boot = linux\n"
                                               "kernel = vmlinuz\n"
                                               "initrd = initrd\n"
                                               "cmdline = console=ttyS0 cryptomgr.notests\n",
                                       .modules = modules,
                                       .cpus = 2,
                                       .memory_mib = 1024});
    box_expect(box, "ringfence> ");
    box_attach(box, "linux");
    box_expect_line(box, "ringfence-guest: ready, ([0-9]+) CPUs, kernel 6\\.1\\.");
    assert_int_equal(box_number(box, 1), 1);
    box_expect(box, "# ");
    box_send(box, "echo $((6 * 7))\r");
    box_expect_line(box, "^42$");
    box_send(box, "poweroff\r");
    box_expect(box, "linux is stopped");
    box_detach(box);
    box_command(box, "list");
    box_expect_line(box, "^linux +stopped ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_debian_kernel_reaches_a_shell_and_powers_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
