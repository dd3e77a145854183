/*
 * Unmodified distribution kernels with two CPUs, each beside a heartbeat: a shell that works in both directions, CPUs
 * that are all there, a power off; and not one beat of the neighbour missed, nor one exit of its own.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_SECONDS = 1800, QUIET_SECONDS = 10 };

/* As a person would write it: nothing on the command line but the console. */
static const char conf[] = "version = 1\n"
                           "[partition linux]\n"
                           "cpus = 0-1\n"
                           "memory = 256M\n"
                           "kernel = vmlinuz\n"
                           "initrd = initrd\n"
                           "cmdline = console=ttyS0\n"
                           "[partition heartbeat]\n"
                           "cpus = 2\n"
                           "memory = 16M\n"
                           "boot = multiboot1\n"
                           "kernel = heartbeat\n"
                           "cmdline = quiet=5\n";

static void boot(struct box *box, const char *name, const char *kernel)
{
    char module[128];
    const char *const modules[] = {module, "initrd=guests/initrd", "heartbeat=guests/heartbeat.elf", NULL};
    snprintf(module, sizeof module, "vmlinuz=guests/%s", kernel);
    box_start(box, &(struct box_setup){.name = name,
                                       .conf = conf,
                                       .modules = modules,
                                       .cpus = 3,
                                       .memory_mib = 1024,
                                       .limit_seconds = LIMIT_SECONDS});
    box_expect(box, "ringfence> ");
}

/* One look at the heartbeat's counters: exits since the look before, all and those for its console's port. */
struct look {
    uint64_t up;      /* seconds since its start */
    uint64_t seconds; /* since the look before */
    uint64_t all;
    uint64_t port;
};

static struct look look(struct box *box)
{
    struct look result = {0};
    box_command(box, "stats heartbeat");
    box_expect_line(box,
                    "^heartbeat: running, ([0-9]+)\\.[0-9]{3} s since its start, ([0-9]+)\\.[0-9]{3} s since the last "
                    "look$");
    result.up = box_number(box, 1);
    result.seconds = box_number(box, 2);
    box_expect_line(box, "^    port +[0-9]+ +([0-9]+)$");
    result.port = box_number(box, 1);
    box_expect_line(box, "^    all exits +[0-9]+ +([0-9]+)$");
    result.all = box_number(box, 1);
    box_expect(box, "ringfence> ");
    return result;
}

/* At least ten seconds of the guest's time, measured by its own lines, without an exit but for those lines. */
static void expect_no_exits(struct box *box)
{
    struct look first = look(box);
    box_attach(box, "heartbeat");
    do
        box_expect_line(box, "^heartbeat: second ([0-9]+), ");
    while (box_number(box, 1) < first.up + QUIET_SECONDS + 1);
    box_detach(box);
    struct look second = look(box);
    assert_true(second.seconds >= QUIET_SECONDS);
    assert_true(second.port > 0);
    assert_int_equal(second.all, second.port);
}

static void use_shell(struct box *box, const char *ready)
{
    box_attach(box, "linux");
    box_expect_line(box, ready);
    assert_int_equal(box_number(box, 1), 2);
    box_expect(box, "# ");
    box_send(box, "nproc\r");
    box_expect_line(box, "^2$");
    box_send(box, "echo $((6 * 7)) | rev\r");
    box_expect_line(box, "^24$");
    /* Both CPUs run user code. */
    box_send(box, "for c in 0 1; do taskset -c $c sh -c 'echo cpu-$0 $(cut -d\" \" -f39 /proc/self/stat)' $c; done\r");
    box_expect_line(box, "^cpu-0 0$");
    box_expect_line(box, "^cpu-1 1$");
    box_expect(box, "# ");
    box_detach(box);
}

static void power_off(struct box *box)
{
    box_attach(box, "linux");
    box_send(box, "\r"); /* what is typed before the prompt is there can be lost to the shell */
    box_expect(box, "# ");
    box_send(box, "poweroff\r");
    box_expect_line(box, "^\\[linux is stopped: powered off by the guest; ");
    box_detach(box);
    box_command(box, "list");
    box_expect_line(box, "^linux +stopped .*powered off by the guest");
    box_expect_line(box, "^heartbeat +running ");
}

static void test_debian_12_beside_a_heartbeat(void **state)
{
    struct box *box = *state;
    boot(box, "linux-6.1-pair", "vmlinuz-6.1");
    use_shell(box, "^ringfence-guest: ready, ([0-9]+) CPUs, kernel 6\\.1\\.");
    expect_no_exits(box);
    power_off(box);
    box_check_beats(box, "heartbeat");
}

static void test_debian_13_beside_a_heartbeat(void **state)
{
    struct box *box = *state;
    boot(box, "linux-6.12-pair", "vmlinuz-6.12");
    use_shell(box, "^ringfence-guest: ready, ([0-9]+) CPUs, kernel 6\\.12\\.");
    power_off(box);
    box_check_beats(box, "heartbeat");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_debian_12_beside_a_heartbeat),
        box_test(test_debian_13_beside_a_heartbeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
