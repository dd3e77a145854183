/*
 * How a partition ends, and what policy makes of it: one box with a partition for each way, and one that must not
 * notice any of it.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <string.h>

enum { CONF_SIZE = 4096, QUICK_ENDS = 5 /* core/lifecycle.c: more restarts within a second are not tried */ };

static const char *const modules[] = {"hello=guests/hello.elf", "heartbeat=guests/heartbeat.elf", NULL};

/* Appends a partition that runs hello with these words on a CPU of its own, when the console says so. */
static void add(char *conf, const char *name, unsigned cpu, const char *words, const char *more)
{
    size_t length = strlen(conf);
    snprintf(conf + length, CONF_SIZE - length,
             "[partition %s]\n"
             "cpus = %u\n"
             "memory = 4M\n"
             "boot = multiboot1\n"
             "kernel = hello\n"
             "cmdline = %s\n"
             "start = manual\n%s",
             name, cpu, words, more);
}

/* The heartbeat is on CPU 1 and started at power-on; silent until it is asked for its log. */
static void begin(char *conf, unsigned console_cpu)
{
    snprintf(conf, CONF_SIZE,
             "version = 1\n"
             "[box]\n"
             "console_cpu = %u\n"
             "[partition heartbeat]\n"
             "cpus = 1\n"
             "memory = 4M\n"
             "boot = multiboot1\n"
             "kernel = heartbeat\n",
             console_cpu);
}

static void boot(struct box *box, const char *name, const char *conf, unsigned cpus)
{
    box_start(box, &(struct box_setup){.name = name, .conf = conf, .modules = modules, .cpus = cpus});
    box_expect(box, "ringfence> ");
}

static void start(struct box *box, const char *partition)
{
    char command[64];
    snprintf(command, sizeof command, "start %s", partition);
    box_command(box, command);
}

static void test_each_way_to_end_has_its_reason(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE];
    begin(conf, 0);
    add(conf, "power", 2, "poweroff", "");
    add(conf, "reads", 3, "read=0x400000 stay", "");
    add(conf, "writes", 4, "write=0x200000 write=0xc0000000 stay", "");
    boot(box, "life-ends", conf, 5);
    start(box, "power");
    box_expect_line(box, "power: stopped: powered off by the guest");
    start(box, "reads");
    box_expect_line(box, "reads: stopped: vCPU 0: reads from guest-physical (0x)?400000, which is not the partition's");
    start(box, "writes");
    box_expect_line(box, "writes: stopped: vCPU 0: writes to guest-physical (0x)?c0000000, which is not");
    box_command(box, "list");
    box_expect_line(box, "^heartbeat +running ");
    box_expect_line(box, "^power +stopped .*powered off by the guest");
    box_expect_line(box, "^reads +stopped .*400000");
    box_expect_line(box, "^writes +stopped .*c0000000");
    box_command(box, "log writes");
    box_expect_line(box, "^hello: write 0x200000 done$");
    assert_false(box_seen(box, "staying"));
    assert_false(box_seen(box, "still here"));
    box_check_beats(box, "heartbeat");
}

static void test_a_triple_fault_is_a_way_to_end(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE];
    begin(conf, 0);
    add(conf, "triple", 2, "triple-fault", "");
    boot(box, "life-triple-fault", conf, 3);
    start(box, "triple");
    box_expect_line(box, "triple: stopped: .*triple fault");
    box_command(box, "list");
    box_expect_line(box, "^triple +stopped .*triple fault");
    box_check_beats(box, "heartbeat");
}

/* A reset by the guest is a start from a fresh image, by whichever port it comes, and needs no policy. */
static void test_resets_by_the_guest_start_it_again(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE];
    begin(conf, 4);
    add(conf, "port", 2, "wait=100 reboot", "");
    add(conf, "keyboard", 3, "wait=100 keyboard-reset", "");
    add(conf, "init", 0, "wait=100 ipi-init=0 stay", ""); /* on CPU 0, its own id is 0 in either mode */
    boot(box, "life-resets", conf, 5);
    static const char *const names[] = {"port", "keyboard", "init"};
    for (size_t i = 0; i < 3; i++) {
        char command[64];
        start(box, names[i]);
        box_attach(box, names[i]);
        for (unsigned round = 0; round < 3; round++)
            box_expect_line(box, "^hello: command line 'wait=100 [^']*(reset|reboot|init=0 stay)'$");
        box_detach(box);
        snprintf(command, sizeof command, "stop %s", names[i]);
        box_command(box, command);
        box_expect(box, names[i]);
        box_expect(box, ": stopped");
    }
    assert_false(box_seen(box, "still here"));
    box_check_beats(box, "heartbeat");
}

/* A guest that does nothing but reset itself is obeyed by nobody but must obey: one `stop` is enough. */
static void test_a_guest_that_resets_for_ever_can_be_stopped(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE];
    begin(conf, 0);
    add(conf, "resets", 0, "reboot", "");
    boot(box, "life-reset-loop", conf, 2);
    for (unsigned round = 0; round < 10; round++) {
        start(box, "resets");
        box_expect_line(box, "resets: reset by the guest");
        box_expect_line(box, "resets: reset by the guest");
        box_send(box, "stop resets\r");
        box_expect_line(box, "resets: stopped");
    }
    box_command(box, "list");
    box_expect_line(box, "^heartbeat +running ");
    box_expect_line(box, "^resets +stopped ");
}

/* `on_stop = restart`: again and again, but not for ever when it ends at once; a person may ask anew. */
static void test_policy_restarts_and_gives_up(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE] = "version = 1\n";
    add(conf, "quick", 0, "read=0x400000", "on_stop = restart\n");
    add(conf, "slow", 1, "wait=1100 read=0x400000", "on_stop = restart\n");
    boot(box, "life-restart", conf, 2);
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        start(box, "quick");
        for (unsigned end = 0; end <= QUICK_ENDS; end++)
            box_expect_line(box, "quick: stopped: .*400000");
        box_expect_line(box, "quick: ended 6 times within a second of its start: not restarted again");
    }
    box_command(box, "list");
    box_expect_line(box, "^quick +stopped +0 +4 MiB +12 .*400000");
    /* One that runs for longer than a second is not given up: more ends than the policy would allow a quick one. */
    start(box, "slow");
    for (unsigned end = 0; end < QUICK_ENDS + 2; end++)
        box_expect_line(box, "slow: stopped: .*400000");
    assert_false(box_seen(box, "slow: ended"));
}

static void test_policy_halts_the_box(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE];
    begin(conf, 0);
    add(conf, "vital", 2, "poweroff", "on_stop = halt-box\n");
    boot(box, "life-halt-box", conf, 3);
    start(box, "vital");
    box_expect_line(box, "vital: its policy on_stop = halt-box stops the box");
    bool silent = false; /* what became of the command `start` may still be said, byte by byte */
    for (unsigned bytes = 0; bytes < BOX_LINE_SIZE && !silent; bytes++)
        silent = box_is_silent(box, 1);
    if (!silent)
        box_fail(box, "the box is not silent after its policy halted it");
    box_send(box, "version\r");
    if (!box_is_silent(box, 1))
        box_fail(box, "the box still answers after its policy halted it");
}

static void test_policy_reboots_the_box(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE];
    begin(conf, 0);
    add(conf, "vital", 2, "read=0x400000", "on_stop = reboot-box\n");
    boot(box, "life-reboot-box", conf, 3);
    start(box, "vital");
    box_expect_line(box, "vital: its policy on_stop = reboot-box restarts the box");
    if (box_expect_or_end(box, "Self-check:"))
        box_expect(box, "ringfence> ");
}

/* Every kind of message to the CPUs of the others: none of them notices. */
static void test_messages_do_not_leave_the_partition(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE];
    begin(conf, 2);
    add(conf, "sender", 0, /* its own id is 0 in either mode */
        "ipi=1 ipi-nmi=1 ipi-init=1 ipi-startup=1 ipi=2 ipi-nmi=2 ipi-init=2 ipi-startup=2 ipi=3 ipi-nmi=3 "
        "ipi-init=3 ipi-startup=3 icr=0xc44f1 icr=0xc4400 icr=0xffffffff000044f1 icr=0x4300 stay",
        "");
    add(conf, "idle", 3, "stay", "");
    boot(box, "life-messages", conf, 4);
    start(box, "idle");
    box_expect_line(box, "idle: running");
    start(box, "sender");
    box_attach(box, "sender");
    static const unsigned targets[] = {1, 2, 3};
    for (size_t i = 0; i < 3; i++) {
        char line[64];
        static const char *const kinds[] = {"ipi", "nmi", "init", "start-up"};
        for (size_t k = 0; k < 4; k++) {
            snprintf(line, sizeof line, "^hello: %s to 0x%x done$", kinds[k], targets[i]);
            box_expect_line(box, line);
        }
    }
    box_expect_line(box, "^hello: icr 0xc44f1 ");
    box_expect_line(box, "^hello: icr 0xc4400 ");
    box_expect_line(box, "^hello: icr 0xffffffff000044f1 ");
    box_expect_line(box, "^hello: icr 0x4300 (faults, vector 13,|done)");
    box_expect_line(box, "^hello: staying, halted$");
    box_detach(box);
    box_command(box, "list");
    box_expect_line(box, "^heartbeat +running +1 +4 MiB +1 ");
    box_expect_line(box, "^sender +running +0 +4 MiB +1 ");
    box_expect_line(box, "^idle +running +3 +4 MiB +1 ");
    box_command(box, "log idle");
    box_expect_line(box, "^hello: staying, halted$");
    box_check_beats(box, "heartbeat");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_each_way_to_end_has_its_reason),
        box_test(test_a_triple_fault_is_a_way_to_end),
        box_test(test_resets_by_the_guest_start_it_again),
        box_test(test_a_guest_that_resets_for_ever_can_be_stopped),
        box_test(test_policy_restarts_and_gives_up),
        box_test(test_policy_halts_the_box),
        box_test(test_policy_reboots_the_box),
        box_test(test_messages_do_not_leave_the_partition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
