/*
 * Ten restarts of an unmodified Linux from the console: ten shells, no memory gone, and its neighbour misses no beat.
 * Ten on Bochs's VT-x; one elsewhere, where each takes minutes.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_SECONDS = 1800, RESTARTS = 10 };

static unsigned restarts(void) { return strcmp(box_machine(), "bochs-vmx") == 0 ? RESTARTS : 1; }

/* Without the kernel's self tests of its ciphers, which cost more in an emulator than all the rest of its boot. */
static const char conf[] = "version = 1\n"
                           "[partition linux]\n"
                           "cpus = 0-1\n"
                           "memory = 128M\n"
                           "kernel = vmlinuz\n"
                           "initrd = initrd\n"
                           "cmdline = console=ttyS0 quiet cryptomgr.notests\n"
                           "[partition heartbeat]\n"
                           "cpus = 2\n"
                           "memory = 16M\n"
                           "boot = multiboot1\n"
                           "kernel = heartbeat\n"
                           "cmdline = quiet=2\n";

static const char *const modules[] = {"vmlinuz=guests/vmlinuz-6.1", "initrd=guests/initrd",
                                      "heartbeat=guests/heartbeat.elf", NULL};

/* What `mem` prints; the caller frees it. */
static char *memory_map(struct box *box)
{
    box_command(box, "mem");
    box_expect(box, "\n");
    size_t from = box->at;
    box_expect_line(box, "owned by partitions$");
    char *text = strndup(box->text + from, box->at - from);
    box_expect(box, "ringfence> ");
    return text;
}

/* Attaches, waits for the shell, uses it, and comes back. */
static void expect_shell(struct box *box)
{
    box_attach(box, "linux");
    box_expect_line(box, "^ringfence-guest: ready, ([0-9]+) CPUs, kernel 6\\.1\\.");
    assert_int_equal(box_number(box, 1), 2);
    box_expect(box, "# ");
    box_send(box, "echo $((6 * 7))\r");
    box_expect_line(box, "^42$");
    box_detach(box);
}

static void test_restarts_leave_nothing_behind(void **state)
{
    struct box *box = *state;
    char starts[64];
    box_start(box, &(struct box_setup){.name = "linux-restart",
                                       .conf = conf,
                                       .modules = modules,
                                       .cpus = 3,
                                       .memory_mib = 512,
                                       .limit_seconds = LIMIT_SECONDS});
    box_expect(box, "ringfence> ");
    char *before = memory_map(box);
    expect_shell(box);
    for (unsigned i = 0; i < restarts(); i++) {
        box_command(box, "restart linux");
        box_expect_line(box, "linux: running$");
        expect_shell(box);
    }
    char *after = memory_map(box);
    assert_string_equal(before, after);
    free(before);
    free(after);
    box_command(box, "list");
    snprintf(starts, sizeof starts, "^linux +running +0-1 +128 MiB +%u ", 1 + restarts());
    box_expect_line(box, starts);
    box_expect_line(box, "^heartbeat +running +2 +16 MiB +1 ");
    box_check_beats(box, "heartbeat");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_restarts_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
