/*
 * What policy makes of each class of fault, in the box itself: who goes on, who gets the fault, who ends, who starts
 * again and how often; what learning says; and what the next boot knows of this one.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONF_SIZE = 4096 };

static const char *const modules[] = {"hello=guests/hello.elf", NULL};

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

static void test_each_access_as_policy_says(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE] = "version = 1\n";
    add(conf, "defaults", 1, "in=0x1234 rdmsr=0x2ff poweroff", "");
    add(conf, "lenient", 2, "rdmsr=0x2ff wrmsr=0x2ff read=0xd0000000 write=0xd0000000 in=0x1234 poweroff",
        "fault.memory = log\nfault.msr = log\nallow.port = 0x1234\n");
    add(conf, "strict", 3, "in=0x80 in=0x1234 poweroff", "fault.port = inject\n");
    add(conf, "strictest", 4, "rdmsr=0x2ff stay", "fault.msr = stop\n");
    boot(box, "fault-accesses", conf, 5);

    start(box, "defaults");
    box_expect_line(box, "defaults: let through: vCPU 0: reads from port 1234 \\(1 bytes\\), which nothing owns");
    box_expect_line(box, "defaults: stopped: powered off by the guest");
    box_command(box, "log defaults");
    box_expect_line(box, "^hello: in 0x1234 gives 0xff$");
    box_expect_line(box, "^hello: rdmsr 0x2ff faults, vector 13, error 0x0$");

    start(box, "lenient");
    box_expect_line(box, "lenient: let through: vCPU 0: reads from MSR 2ff, which is not listed");
    box_expect_line(box, "lenient: let through: vCPU 0: reads from guest-physical d0000000");
    box_expect_line(box, "lenient: stopped: powered off by the guest");
    box_command(box, "log lenient");
    box_expect_line(box, "^hello: rdmsr 0x2ff gives 0x0$");
    box_expect_line(box, "^hello: wrmsr 0x2ff done$");
    box_expect_line(box, "^hello: read 0xd0000000 gives 0xffffffff$");
    box_expect_line(box, "^hello: write 0xd0000000 done$");
    box_expect_line(box, "^hello: in 0x1234 gives 0xff$");
    assert_false(box_seen(box, "lenient: let through: vCPU 0: reads from port"));

    start(box, "strict");
    box_expect_line(box, "strict: stopped: powered off by the guest");
    box_command(box, "log strict");
    box_expect_line(box, "^hello: in 0x80 gives 0xff$");
    box_expect_line(box, "^hello: in 0x1234 faults, vector 13, error 0x0$");

    start(box, "strictest");
    box_expect_line(box, "strictest: stopped: vCPU 0: reads from MSR 2ff, which is not listed");
    assert_false(box_seen(box, "staying"));
}

/* One boot names every line that is missing. */
static void test_learning_finds_all_in_one_boot(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE] = "version = 1\n";
    add(conf, "pupil", 1, "in=0x1234 in32=0x1234 rdmsr=0x2ff read=0xd0000000 out=0x1234 poweroff",
        "learn = yes\nfault.port = stop\n");
    boot(box, "fault-learn", conf, 2);
    start(box, "pupil");
    box_expect_line(box, "pupil: learn: allow.port = 0x1234 # vCPU 0: reads from port 1234");
    box_expect_line(box, "pupil: learn: allow.port = 0x1234-0x1237 # vCPU 0: reads from port 1234");
    box_expect_line(box, "pupil: learn: allow.msr = 0x2ff # vCPU 0: reads from MSR 2ff");
    box_expect_line(box, "pupil: learn: fault.memory = log # vCPU 0: reads from guest-physical d0000000");
    box_expect_line(box, "pupil: stopped: powered off by the guest");
    box_command(box, "log pupil");
    box_expect_line(box, "^hello: rdmsr 0x2ff faults, vector 13");
    box_expect_line(box, "^hello: read 0xd0000000 gives 0xffffffff$");
}

static void test_restarts_wait_and_are_used_up(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE] = "version = 1\n";
    add(conf, "frail", 1, "read=0x400000", "fault.memory = restart 3/10s\n");
    boot(box, "fault-limit", conf, 2);
    start(box, "frail");
    box_expect_line(box, "frail: starts again in 0\\.000 s: restart 1 of 3 within 10 s");
    box_expect_line(box, "frail: starts again in 1\\.000 s: restart 2 of 3 within 10 s");
    box_expect_line(box, "frail: starts again in 1\\.666 s: restart 3 of 3 within 10 s");
    box_expect_line(box, "frail: its restarts are used up, fault.memory = restart 3/10s: it stays stopped");
    box_command(box, "list");
    box_expect_line(box, "^frail +stopped +1 +4 MiB +4 ");
}

static void test_a_guest_asks_by_hypercall(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE] = "version = 1\n";
    add(conf, "again", 1, "wait=100 vmcall=2 stay", "fault.reset = restart 1/60s\n");
    add(conf, "enough", 2, "vmcall=3 stay", "");
    add(conf, "quiet", 3, "heartbeat=5 heartbeat=200 spin", "fault.watchdog = stop\n");
    boot(box, "fault-hypercalls", conf, 4);
    start(box, "again");
    box_expect_line(box, "again: stopped: reset by the guest");
    box_expect_line(box, "again: its restarts are used up");
    start(box, "enough");
    box_expect_line(box, "enough: stopped: stopped at the guest's request");
    start(box, "quiet");
    box_expect_line(box, "quiet: stopped: its heartbeat has run out");
    box_command(box, "log quiet");
    box_expect_line(box, "^hello: heartbeat 0x5 gives 0xffffffffffffffea$");
    box_expect_line(box, "^hello: heartbeat 0xc8 gives 0x0$");
    assert_false(box_seen(box, "staying, halted"));
}

/* What a boot leaves, the next one shows, and the one after that does not. */
static void crash_is_kept(struct box *box, const char *name)
{
    char conf[CONF_SIZE] = "version = 1\n";
    add(conf, "vital", 1, "triple-fault", "fault.triple-fault = reboot-box\n");
    setenv("RINGFENCE_RESETS", "go-on", 1);
    box_start(box, &(struct box_setup){.name = name, .conf = conf, .modules = modules, .cpus = 2});
    unsetenv("RINGFENCE_RESETS");
    box_expect(box, "ringfence> ");
    box_command(box, "log crash");
    box_expect_line(box, "the boot before this one left no crash record");
    start(box, "vital");
    box_expect_line(box, "vital: its policy fault.triple-fault = reboot-box restarts the box");
    box_expect_line(box, "^The last boot left a crash record: 'log crash' shows it.");
    box_expect(box, "ringfence> ");
    box_command(box, "log crash");
    box_expect_line(box, "^[0-9]+-[0-9]+-[0-9]+ [0-9:]+ UTC vital: stopped: vCPU 0: triple fault at rip ");
    box_command(box, "reboot");
    box_expect(box, "Self-check");
    box_expect(box, "ringfence> ");
    box_command(box, "log crash");
    box_expect_line(box, "the boot before this one left no crash record");
}

static void test_the_next_boot_shows_the_crash(void **state) { crash_is_kept(*state, "fault-crash"); }

/* A word to QEMU's monitor, which lies in the folder of the case. */
static void tell_monitor(struct box *box, const char *command)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/monitor", box->directory);
    assert_in_range(length, 1, sizeof address.sun_path - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        box_fail(box, "no monitor at %s", address.sun_path);
    assert_int_equal(write(fd, command, strlen(command)), strlen(command));
    /* The monitor answers; without a reader it would not finish the command. */
    char answer[4096];
    struct timeval wait = {.tv_sec = 1};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    while (read(fd, answer, sizeof answer) > 0)
        ;
    close(fd);
}

/*
 * A machine check is the one panic that can be had from outside, by QEMU's monitor. It is on another CPU than the
 * console's, which must not go on meanwhile. A reset by hand later, the box knows of it.
 */
static void test_a_panic_is_kept_over_the_reset(void **state)
{
    struct box *box = *state;
    setenv("RINGFENCE_RESETS", "go-on", 1);
    setenv("RINGFENCE_MONITOR", "unix:monitor,server,nowait", 1);
    box_start(box, &(struct box_setup){.name = "fault-panic", .cpus = 2});
    unsetenv("RINGFENCE_RESETS");
    unsetenv("RINGFENCE_MONITOR");
    box_expect(box, "ringfence> ");
    tell_monitor(box, "mce 1 1 0xb400000000000134 0x5 0xfee1000 0x8c\n");
    box_expect_line(box, "Ringfence panic on CPU 1: machine check in the hypervisor at rip [0-9a-f]+: bank 1 status "
                         "b400000000000134 address fee1000, global status 5");
    box_expect(box, "The box is stopped.");
    assert_false(box_seen(box, "NMI number")); /* the other CPUs were stopped by one */
    tell_monitor(box, "system_reset\n");
    box_expect_line(box, "^The last boot left a crash record: 'log crash' shows it.");
    box_expect(box, "ringfence> ");
    box_command(box, "log crash");
    box_expect_line(box, "Ringfence panic on CPU 1: machine check in the hypervisor at rip [0-9a-f]+: bank 1 status");
}

/* Opened by firmware, so by the hypervisor too: nobody here has sent it, and nobody is harmed by it. */
static void test_the_hardwares_nmi_is_told(void **state)
{
    struct box *box = *state;
    char conf[CONF_SIZE] = "version = 1\n";
    add(conf, "bystander", 0, "spin", "");
    setenv("RINGFENCE_MONITOR", "unix:monitor,server,nowait", 1);
    box_start(box, &(struct box_setup){.name = "fault-nmi", .conf = conf, .modules = modules, .cpus = 2});
    unsetenv("RINGFENCE_MONITOR");
    box_expect(box, "ringfence> ");
    start(box, "bystander");
    box_expect_line(box, "bystander: running");
    box_command(box, "stats");
    box_expect_line(box, "^bystander: running");
    assert_false(box_seen(box, "NMI")); /* kicks are NMIs too */
    tell_monitor(box, "nmi\n");
    box_expect_line(box, "CPU 0: NMI number 1 that the hardware sent");
    tell_monitor(box, "nmi\n");
    box_expect_line(box, "CPU 0: NMI number 2 that the hardware sent");
    box_command(box, "stats");
    box_expect_line(box, "^box: 2 NMIs of the hardware since the start, the last one to CPU 0");
    box_expect_line(box, "^bystander: running");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_each_access_as_policy_says),    box_test(test_learning_finds_all_in_one_boot),
        box_test(test_restarts_wait_and_are_used_up), box_test(test_a_guest_asks_by_hypercall),
        box_test(test_the_next_boot_shows_the_crash), box_test(test_a_panic_is_kept_over_the_reset),
        box_test(test_the_hardwares_nmi_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
