/*
 * An SMP Linux guest with virtual interrupts under timer ticks and IPIs for as long as SECONDS says (default 60, guest
 * time). A lost timer interrupt leaves a sleeper asleep for ever and a lost IPI leaves a CPU unscheduled: then the guest's
 * own counters stand still, its kernel complains, or its last line never comes. Not part of `make test`: `make endurance`.
 */
#include "tests/system/box.h"

#include <stdio.h>
#include <stdlib.h>

static const char conf[] = "version = 1\n"
                           "[partition linux]\n"
                           "cpus = 0-1\n"
                           "memory = 256M\n"
                           "kernel = vmlinuz\n"
                           "initrd = initrd\n"
                           "cmdline = console=ttyS0\n"
                           "interrupts = virtual\n";

static unsigned seconds(void)
{
    const char *given = getenv("SECONDS_OF_LOAD");
    return given != NULL && atoi(given) > 0 ? (unsigned)atoi(given) : 60;
}

/* The sum over both CPUs of a line of /proc/interrupts. */
static uint64_t counter(struct box *box, const char *name)
{
    char expression[64], command[96];
    snprintf(command, sizeof command, "grep '%s:' /proc/interrupts\r", name);
    snprintf(expression, sizeof expression, "%s: +([0-9]+) +([0-9]+) ", name);
    box_send(box, command);
    box_expect_line(box, expression);
    uint64_t first = box_number(box, 1), second = box_number(box, 2);
    box_expect(box, "# ");
    print_message("%s: %lu on CPU 0, %lu on CPU 1\n", name, (unsigned long)first, (unsigned long)second);
    assert_true(first > 0 && second > 0);
    return first + second;
}

/* A sleeper on each CPU, and a pipe from one CPU to the other that must wake its reader each time. */
static void load(struct box *box, unsigned until)
{
    char line[256];
    box_send(box, "f() { n=0; while [ ! -e /tmp/e ]; do sleep 0.02; n=$((n+1)); done; echo $n >/tmp/n$1; }\r");
    box_expect(box, "# ");
    box_send(box, "for c in 1 2; do (taskset -p $c $$ >/dev/null; f $c) & done 2>/dev/null\r");
    box_expect(box, "# ");
    snprintf(line, sizeof line,
             "r=0; while [ $(cut -d. -f1 /proc/uptime) -lt %u ]; do yes | taskset 2 head -n 500 | taskset 1 tail -n 1 "
             ">/dev/null; sleep 0.1; r=$((r+1)); done; touch /tmp/e; wait; echo rounds=$r\r",
             until);
    box_send(box, line);
}

static void test_interrupts_are_not_lost(void **state)
{
    struct box *box = *state;
    unsigned duration = seconds();
    const char *const modules[] = {"vmlinuz=guests/vmlinuz-6.1", "initrd=guests/initrd", NULL};
    box_start(box, &(struct box_setup){.name = "endurance",
                                       .conf = conf,
                                       .modules = modules,
                                       .cpus = 2,
                                       .memory_mib = 512,
                                       .limit_seconds = 600 + 20 * duration});
    box_expect(box, "ringfence> ");
    box_attach(box, "linux");
    box_expect(box, "guest:~# ");
    uint64_t ticks = counter(box, "LOC"), messages = counter(box, "RES");
    load(box, duration);
    box_expect_line(box, "^rounds=([0-9]+)$");
    uint64_t rounds = box_number(box, 1);
    box_expect(box, "# ");
    ticks = counter(box, "LOC") - ticks;
    messages = counter(box, "RES") - messages;
    box_send(box, "echo sleeps=$(cat /tmp/n1),$(cat /tmp/n2)\r");
    box_expect_line(box, "^sleeps=([0-9]+),([0-9]+)$");
    print_message("%u s: %lu rounds, %lu and %lu sleeps, %lu ticks, %lu reschedule messages\n", duration,
                  (unsigned long)rounds, (unsigned long)box_number(box, 1), (unsigned long)box_number(box, 2),
                  (unsigned long)ticks, (unsigned long)messages);
    assert_true(rounds > duration / 10 && box_number(box, 1) > duration && box_number(box, 2) > duration);
    assert_true(messages > rounds / 2);
    box_send(box, "echo complaints=$(dmesg | grep -ciE 'lost|stall|lockup|unstable|took too long|nobody cared|hung')\r");
    box_expect_line(box, "^complaints=([0-9]+)$");
    assert_int_equal(box_number(box, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {box_test(test_interrupts_are_not_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
