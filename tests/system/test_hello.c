/*
 * The small guest: it starts, talks, is kept from what is not its own, and ends in each of the ways a PC has.
 */
#include "tests/system/box.h"

#include <stdio.h>

static const char *const hello_module[] = {"hello=guests/hello.elf", NULL};

/* A box of two CPUs: the console on 0, hello with this command line on 1. It waits for the command `start hello`. */
static void start_box(struct box *box, const char *name, const char *command_line, const char *more)
{
    char conf[1024];
    snprintf(conf, sizeof conf,
             "version = 1\n"
             "[partition hello]\n"
             "cpus = 1\n"
             "memory = 16M\n"
             "boot = multiboot1\n"
             "kernel = hello\n"
             "start = manual\n"
             "cmdline = %s\n%s",
             command_line, more);
    box_start(box, &(struct box_setup){.name = name, .conf = conf, .modules = hello_module, .cpus = 2});
    box_expect(box, "ringfence> ");
}

static void test_says_what_it_was_given_and_powers_off(void **state)
{
    struct box *box = *state;
    start_box(box, "hello-poweroff", "flood=2", "");
    box_command(box, "start hello");
    box_expect(box, "hello: stopped");
    box_command(box, "log hello");
    box_expect_line(box, "hello: command line 'flood=2'");
    box_expect_line(box, "hello: APIC id [01], ([0-9]+) KiB of memory above 1 MiB");
    assert_int_equal(box_number(box, 1), 15 * 1024);
    box_expect_line(box, "hello: line 2 of 2");
    box_expect_line(box, "hello: done, powering off");
    assert_false(box_seen(box, "still here"));
}

static void test_attach_carries_both_directions(void **state)
{
    struct box *box = *state;
    start_box(box, "hello-echo", "echo stay", "");
    box_command(box, "start hello");
    box_attach(box, "hello");
    box_expect_line(box, "hello: echo until Ctrl-D");
    box_send(box, "partition\r");
    box_expect(box, "PARTITION");
    box_detach(box);
    box_command(box, "list");
    box_expect_line(box, "^hello +running ");
}

static void test_a_busy_guest_is_stopped_and_started_again(void **state)
{
    struct box *box = *state;
    start_box(box, "hello-spin", "spin", "");
    for (unsigned round = 0; round < 2; round++) {
        box_command(box, "start hello");
        box_expect(box, "hello: running");
        box_command(box, "stop hello");
        box_expect(box, "hello: stopped");
    }
    box_command(box, "list");
    box_expect_line(box, "^hello +stopped ");
}

/* Each way to end, on its own box: the reason says which it was. */
static void test_triple_fault_ends_only_the_guest(void **state)
{
    struct box *box = *state;
    start_box(box, "hello-triple-fault", "triple-fault", "");
    box_command(box, "start hello");
    box_expect_line(box, "hello: stopped: .*triple fault");
    box_command(box, "version");
    box_expect(box, "Ringfence ");
}

static void test_reset_port_restarts_when_told_so(void **state)
{
    struct box *box = *state;
    start_box(box, "hello-reboot", "reboot", "on_stop = restart\n");
    box_command(box, "start hello");
    box_attach(box, "hello");
    for (unsigned start = 0; start < 3; start++)
        box_expect_line(box, "hello: command line 'reboot'");
    assert_false(box_seen(box, "still here"));
}

/* Instructions and registers that no guest may have: each is refused, and the guest lives on to say so. */
static void test_what_is_not_the_guests_is_refused(void **state)
{
    struct box *box = *state;
    start_box(box, "hello-refused",
              "vmxon rdmsr=0x480 rdmsr=0x1d9 wrmsr=0x3a wrmsr=0x79 in=0x60 in=0x1f0 out=0x1f0 in32=0xcfc poweroff", "");
    box_command(box, "start hello");
    box_expect_line(box, "hello: stopped: powered off by the guest");
    box_command(box, "log hello"); /* while attached, news of what is let through could part a line */
    box_expect_line(box, "hello: vmxon 0x0 faults, vector 6,");
    box_expect_line(box, "hello: rdmsr 0x480 faults, vector 13,");
    box_expect_line(box, "hello: rdmsr 0x1d9 faults, vector 13,");
    box_expect_line(box, "hello: wrmsr 0x3a faults, vector 13,");
    box_expect_line(box, "hello: wrmsr 0x79 faults, vector 13,");
    box_expect_line(box, "hello: in 0x60 gives 0xff");
    box_expect_line(box, "hello: in 0x1f0 gives 0xff");
    box_expect_line(box, "hello: out 0x1f0 done");
    box_expect_line(box, "hello: in32 0xcfc gives 0xffffffff");
}

/* Messages to a CPU that is another partition's, or the hypervisor's, reach nobody. Its own id is 0 in either mode. */
static void test_interrupts_stay_inside_the_partition(void **state)
{
    struct box *box = *state;
    box_start(box, &(struct box_setup){.name = "hello-icr",
                                       .conf = "version = 1\n"
                                               "[box]\n"
                                               "console_cpu = 1\n"
                                               "[partition hello]\n"
                                               "cpus = 0\n"
                                               "memory = 16M\n"
                                               "boot = multiboot1\n"
                                               "kernel = hello\n"
                                               "start = manual\n"
                                               "cmdline = ipi=1 ipi-nmi=1 ipi-init=1 ipi-startup=1 stay\n",
                                       .modules = hello_module,
                                       .cpus = 2});
    box_expect(box, "ringfence> ");
    box_command(box, "start hello");
    box_attach(box, "hello");
    box_expect_line(box, "hello: ipi to 0x1 done");
    box_expect_line(box, "hello: nmi to 0x1 done");
    box_expect_line(box, "hello: init to 0x1 done");
    box_expect_line(box, "hello: start-up to 0x1 done");
    box_expect_line(box, "hello: staying, halted");
    box_detach(box);
    box_command(box, "cpus");
    box_expect_line(box, "^1 .*online.*serves this console");
}

/* An address outside the partition: the guest is stopped, with the address in the reason. */
static void test_memory_outside_stops_the_guest(void **state)
{
    struct box *box = *state;
    start_box(box, "hello-outside", "write=0x20000000 stay", "");
    box_command(box, "start hello");
    box_expect_line(box, "hello: stopped: .*20000000");
    box_command(box, "list");
    box_expect_line(box, "^hello +stopped .*20000000");
    assert_false(box_seen(box, "staying"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        box_test(test_says_what_it_was_given_and_powers_off),     box_test(test_attach_carries_both_directions),
        box_test(test_a_busy_guest_is_stopped_and_started_again), box_test(test_triple_fault_ends_only_the_guest),
        box_test(test_reset_port_restarts_when_told_so),          box_test(test_what_is_not_the_guests_is_refused),
        box_test(test_interrupts_stay_inside_the_partition),      box_test(test_memory_outside_stops_the_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
