/*
 * The control console: every command, and what it says to those who mistype.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* The modules that the demonstration's configuration names, of which no kernel is started here. */
static const char *const modules[] = {"hello=guests/hello.elf", "heartbeat=guests/heartbeat.elf",
                                      "vmlinuz=guests/hello.elf", "initrd=guests/hello.elf", NULL};

static const struct box_setup setup = {.conf = "version = 1\n"
                                               "[partition hello]\n"
                                               "cpus = 1\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "cmdline = flood=3 echo stay\n"
                                               "[partition heartbeat]\n"
                                               "cpus = 2\n"
                                               "memory = 8M\n"
                                               "boot = multiboot1\n"
                                               "kernel = heartbeat\n"
                                               "start = manual\n"
                                               "[partition mute]\n"
                                               "cpus = 0\n"
                                               "memory = 8M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "console = none\n"
                                               "start = manual\n",
                                       .modules = modules,
                                       .cpus = 3};

static void boot(struct box *box, const char *name)
{
    struct box_setup named = setup;
    named.name = name;
    box_start(box, &named);
    box_expect_line(box, "^Ringfence [0-9.]+ on .*'help' shows the commands");
    box_expect(box, "ringfence> ");
}

/* Types a command and waits for a line of its answer, and for the next prompt. */
static void ask(struct box *box, const char *command, const char *expression)
{
    box_command(box, command);
    box_expect_line(box, expression);
}

static void test_help_names_every_command(void **state)
{
    struct box *box = *state;
    static const char *const commands[] = {"help",
                                           "list",
                                           "start NAME",
                                           "stop NAME",
                                           "restart NAME",
                                           "pause NAME",
                                           "resume NAME",
                                           "attach NAME",
                                           "log \\[NAME\\|crash\\]",
                                           "stats \\[NAME\\]",
                                           "mem",
                                           "cpus",
                                           "plan",
                                           "machine",
                                           "version",
                                           "reboot",
                                           "halt"};
    char expression[64];
    boot(box, "console-help");
    box_command(box, "help");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        snprintf(expression, sizeof expression, "^  %s +[^ ]", commands[i]);
        box_expect_line(box, expression);
    }
    box_expect(box, "ringfence> ");
}

static void test_mistakes_are_answered_with_the_nearest_word(void **state)
{
    struct box *box = *state;
    boot(box, "console-mistakes");
    ask(box, "lsit", "^unknown command 'lsit': did you mean 'list'\\? 'help' shows all$");
    ask(box, "xyzzy", "^unknown command 'xyzzy': 'help' shows all$");
    ask(box, "stop helo", "^no partition 'helo': did you mean 'hello'\\?$");
    ask(box, "stop xyzzy", "^no partition 'xyzzy': 'list' shows all$");
    ask(box, "start", "^which partition\\? The command is 'start NAME'");
    ask(box, "start hello now", "^'now' is one word too many: the command is 'start NAME'$");
    ask(box, "list hello", "^'hello' is one word too many");
    ask(box, "start hello", "^hello is running already$");
    ask(box, "resume hello", "^hello is running already$");
    ask(box, "pause heartbeat", "^heartbeat is stopped: 'start' starts it$");
    ask(box, "stop heartbeat", "^heartbeat is stopped already$");
    ask(box, "attach mute", "^mute has no console");
    /* Keys that mean something: the line is corrected with backspace, and given up with Ctrl-C. */
    box_send(box, "listx\x7f\r");
    box_expect_line(box, "^NAME +STATE +CPUS +MEMORY +STARTS +UP +WHY STOPPED$");
    box_expect_line(box, "^hello +running +1 +16 MiB +1 +[0-9]+:[0-9]{2}:[0-9]{2}");
    box_expect_line(box, "^heartbeat +stopped +2 +8 MiB +0 +-");
    box_expect_line(box, "^mute +stopped +0 +8 MiB +0 +-");
    box_expect(box, "ringfence> ");
    box_send(box, "halt\x03");
    box_expect(box, "ringfence> ");
    ask(box, "version", "^Ringfence [0-9.]+ on ");
}

/* The text between a command and the next prompt; the caller frees it. */
static char *answer(struct box *box, const char *command)
{
    static const char prompt[] = "ringfence> ";
    box_command(box, command);
    box_expect(box, "\n");
    size_t from = box->at;
    box_expect(box, prompt);
    return strndup(box->text + from, box->at - from - (sizeof prompt - 1));
}

/* 0 when rf-check, given the box's own description of itself, finds that the configuration can be run there. */
static int check_against(struct box *box, const char *conf, const char *machine)
{
    char command[4 * BOX_PATH_SIZE];
    const char *build = getenv("RINGFENCE_BUILD");
    snprintf(command, sizeof command, "%s/rf-check %s --machine %s >%s/rf-check.log 2>&1",
             build != NULL ? build : "build", conf, machine, box->directory);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_what_the_box_says_of_itself(void **state)
{
    struct box *box = *state;
    char file[BOX_PATH_SIZE + 16];
    boot(box, "console-box");
    char *machine = answer(box, "machine");
    box_file(box, "console-box", "machine.txt", machine, strlen(machine));
    free(machine);
    snprintf(file, sizeof file, "%s/machine.txt", box->directory);
    assert_int_equal(check_against(box, "guests/demo/ringfence.conf", file), 0);
    assert_int_equal(check_against(box, box->conf, file), 0);

    ask(box, "cpus", "^CPU +APIC ID +CORE +STATE +OWNER$");
    box_expect_line(box, "^0 +0 +0 +online +mute, vCPU 0 \\(serves this console\\)$");
    box_expect_line(box, "^1 +1 +1 +online +hello, vCPU 0$");
    box_expect_line(box, "^2 +2 +2 +online +heartbeat, vCPU 0$");
    ask(box, "mem", "^[0-9a-f]+-[0-9a-f]+ .*hypervisor$");
    box_expect_line(box, " module ringfence\\.conf$");
    box_expect_line(box, " 16 MiB +hello at 0x0$");
    box_expect_line(box, " 8 MiB +heartbeat at 0x0$");
    box_expect_line(box, "^.* usable in this machine, 32 MiB owned by partitions$");
    ask(box, "plan", "^partition +hello: start auto, on stop stay$");
}

static void test_life_of_a_partition(void **state)
{
    struct box *box = *state;
    boot(box, "console-life");
    ask(box, "start heartbeat", "^heartbeat: starting$");
    box_expect_line(box, "heartbeat: running$");
    ask(box, "pause heartbeat", "^heartbeat: pausing$");
    box_expect_line(box, "heartbeat: paused$");
    ask(box, "list", "^heartbeat +paused ");
    ask(box, "pause heartbeat", "^heartbeat is paused already$");
    ask(box, "resume heartbeat", "^heartbeat: resuming$");
    box_expect_line(box, "heartbeat: running$");
    box_attach(box, "heartbeat");
    box_expect_line(box, "^heartbeat: second 2, ");
    box_detach(box);
    ask(box, "restart heartbeat", "^heartbeat: restarting$");
    box_expect_line(box, "heartbeat: running$");
    ask(box, "list", "^heartbeat +running +2 +8 MiB +2 ");
    ask(box, "stop heartbeat", "^heartbeat: stopping$");
    box_expect_line(box, "heartbeat: stopped$");
    ask(box, "list", "^hello +running ");
    box_expect_line(box, "^heartbeat +stopped +2 +8 MiB +2 ");
    ask(box, "restart heartbeat", "^heartbeat");
    ask(box, "start mute", "^mute: starting$");
    box_expect_line(box, "mute: stopped: powered off by the guest$");
    ask(box, "log", "^\\[ *[0-9]+\\.[0-9]{3}\\] heartbeat: paused$");
    box_expect_line(box, "^\\[ *[0-9]+\\.[0-9]{3}\\] mute: stopped: powered off by the guest$");
}

static void test_attach_log_and_stats(void **state)
{
    struct box *box = *state;
    boot(box, "console-attach");
    box_attach(box, "hello");
    box_expect_line(box, "^hello: echo until Ctrl-D$");
    box_send(box, "over there\r");
    box_expect_line(box, "^OVER THERE$");
    box_detach(box);
    ask(box, "log hello", "^hello: line 1 of 3$");
    box_expect_line(box, "^hello: line 3 of 3$");
    box_expect_line(box, "^OVER THERE$");
    ask(box, "stats hello", "^hello: running, [0-9]+\\.[0-9]{3} s since its start, ");
    box_expect_line(box, "^  vCPU 0 +on CPU 1 ");
    box_expect_line(box, "^    port +([0-9]+) +[0-9]+$");
    assert_true(box_number(box, 1) > 0);
    box_expect_line(box, "^    all exits +([0-9]+) +[0-9]+$");
    ask(box, "stats", "^hello: running, ");
    box_expect_line(box, "^heartbeat: stopped");
    /* What is typed while attached goes to the guest alone: Ctrl-D ends its echo, and `halt` is no command there. */
    box_attach(box, "hello");
    box_send(box, "halt\r");
    box_expect_line(box, "^HALT$");
    box_send(box, "\x04");
    box_expect_line(box, "^hello: staying, halted$");
    box_detach(box);
    ask(box, "version", "^Ringfence ");
}

static void test_halt(void **state)
{
    struct box *box = *state;
    boot(box, "console-halt");
    ask(box, "halt", "the box is halted$");
    if (!box_is_silent(box, 1))
        box_fail(box, "the box is not silent after `halt`");
    box_send(box, "version\r");
    if (!box_is_silent(box, 1))
        box_fail(box, "the box still answers after `halt`");
}

/* The machine comes again from its firmware on; an emulator that was told so ends instead. */
static void test_reboot(void **state)
{
    struct box *box = *state;
    boot(box, "console-reboot");
    ask(box, "reboot", "the box restarts");
    if (!box_expect_or_end(box, "Self-check:"))
        return;
    box_expect(box, "ringfence> ");
    box_attach(box, "hello");
    box_expect_line(box, "^hello: echo until Ctrl-D$");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_help_names_every_command),
        box_test(test_mistakes_are_answered_with_the_nearest_word),
        box_test(test_what_the_box_says_of_itself),
        box_test(test_life_of_a_partition),
        box_test(test_attach_log_and_stats),
        box_test(test_halt),
        box_test(test_reboot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
