/* What time brings: restarts that were put off, heartbeats that stop, CPUs that do not answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/supervise.h"

#include <stdio.h>
#include <string.h>

#include "core/exit_handle.h"
#include "core/hypercall.h"
#include "core/lifecycle.h"
#include "core/log.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_box_end.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

#define MEMORY (16 * KIB)
#define HZ     (p->machine->tsc_hz)

static struct partition *p;
static uint64_t log_from;

static uint32_t told(const char *text)
{
    struct log_reader reader = {.at = log_from};
    struct slice line;
    uint64_t lost;
    uint32_t count = 0;
    while (log_reader_next(&reader, &line, &lost)) {
        char copy[LOG_LINE_SIZE + 1];
        snprintf(copy, sizeof copy, "%.*s", (int)line.length, line.at);
        count += strstr(copy, text) != NULL;
    }
    return count;
}

/* Both CPUs look until nothing is under way. */
static void settle(void)
{
    for (uint32_t i = 0; i < 4; i++)
        (void)lifecycle_obey(&p->vcpus[i % 2 == 0 ? 1 : 0], &fake_backend_table);
    assert_true(lifecycle_settled(p));
}

static void look_at(uint64_t now)
{
    fake_cpu.clock = now;
    supervise(now, HZ);
    settle();
}

static void ask(enum partition_goal goal)
{
    assert_int_equal(lifecycle_ask(p, goal), LIFECYCLE_ACCEPTED);
    settle();
}

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, MEMORY, 0x3000);
    fake_guest_module("demo", 16);
    fake_guest.config.load = fake_guest.config.entry = 0x1000;
    fake_cpu_setup();
    memset(&box_end, 0, sizeof box_end);
    p = fake_backend_setup(2);
    /* The looks go over the table of partitions; this one is a copy of what matters there. */
    memset(&partition_table, 0, sizeof partition_table);
    partition_table.count = 1;
    partition_table.partitions[0] = *p;
    p = &partition_table.partitions[0];
    for (uint32_t i = 0; i < 2; i++)
        p->vcpus[i].partition = p;
    fake_cpu.clock = 10 * HZ;
    ask(GOAL_START);
    log_from = ring_end(log_ring());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    look_at(fake_cpu.clock); /* with no kick waiting: forgets what was told of the CPUs */
    memset(&partition_table, 0, sizeof partition_table);
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

static void rule(enum fault_class class, struct fault_rule r) { fake_guest.config.faults[class] = r; }

static void fault_at(uint64_t now)
{
    fake_cpu.clock = now;
    lifecycle_fault(p, FAULT_TRIPLE_FAULT, "it broke");
    settle();
}

/* ---- restarts with a limit ---- */

static void restarts_wait_longer_and_end(void **state)
{
    (void)state;
    uint64_t t = 20 * HZ;
    rule(FAULT_TRIPLE_FAULT, (struct fault_rule){FAULT_RESTART, 3, 60});
    fault_at(t);
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_int_equal(p->starts, 2);
    assert_int_equal(told("p: starts again in 0.000 s: restart 1 of 3 within 60 s"), 1);

    t += HZ;
    fault_at(t);
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_string_equal(p->reason, "it broke");
    assert_int_equal(told("p: starts again in 1.000 s: restart 2 of 3 within 60 s"), 1);
    look_at(t + HZ - 1);
    assert_int_equal(p->state, PARTITION_STOPPED);
    look_at(t + HZ);
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_int_equal(p->starts, 3);
    assert_string_equal(p->reason, "");

    t += 2 * HZ;
    fault_at(t);
    look_at(t + 2 * HZ - 1);
    assert_int_equal(p->state, PARTITION_STOPPED);
    look_at(t + 2 * HZ);
    assert_int_equal(p->starts, 4);

    t += 3 * HZ;
    fault_at(t);
    assert_int_equal(told("p: its restarts are used up, fault.triple-fault = restart 3/60s: it stays stopped"), 1);
    look_at(t + 1000 * HZ);
    assert_int_equal(p->state, PARTITION_STOPPED);

    /* A person may try again, and then the policy does. */
    ask(GOAL_START);
    fault_at(t + 1001 * HZ);
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_int_equal(told("restart 1 of 3"), 2);
}

static void a_class_has_its_own_limit(void **state)
{
    (void)state;
    rule(FAULT_TRIPLE_FAULT, (struct fault_rule){FAULT_RESTART, 1, 60});
    rule(FAULT_RESET, (struct fault_rule){FAULT_RESTART, 1, 60});
    fault_at(20 * HZ);
    assert_int_equal(p->state, PARTITION_RUNNING);
    lifecycle_guest_reset(p);
    settle();
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_int_equal(told("p: stopped: reset by the guest"), 1);
    lifecycle_guest_reset(p);
    settle();
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_int_equal(told("fault.reset = restart 1/60s: it stays stopped"), 1);
}

/* Several vCPUs that break together are one fault. */
static void faults_at_once_are_one(void **state)
{
    (void)state;
    rule(FAULT_TRIPLE_FAULT, (struct fault_rule){FAULT_RESTART, 2, 60});
    fake_cpu.clock = 20 * HZ;
    lifecycle_fault(p, FAULT_TRIPLE_FAULT, "one");
    lifecycle_fault(p, FAULT_TRIPLE_FAULT, "two");
    lifecycle_fault(p, FAULT_TRIPLE_FAULT, "three");
    settle();
    assert_int_equal(p->starts, 2);
    assert_int_equal(p->restarts[FAULT_TRIPLE_FAULT].count, 1);
}

static void put_off(uint64_t *t)
{
    rule(FAULT_TRIPLE_FAULT, (struct fault_rule){FAULT_RESTART, 3, 60});
    fault_at(20 * HZ);
    *t = 21 * HZ;
    fault_at(*t);
    assert_int_equal(p->state, PARTITION_STOPPED);
}

static void a_stop_ends_what_was_put_off(void **state)
{
    (void)state;
    uint64_t t;
    put_off(&t);
    assert_int_equal(lifecycle_ask(p, GOAL_STOP), LIFECYCLE_ACCEPTED);
    assert_int_equal(lifecycle_ask(p, GOAL_STOP), LIFECYCLE_REFUSED);
    look_at(t + 10 * HZ);
    assert_int_equal(p->state, PARTITION_STOPPED);
}

static void a_start_does_not_wait(void **state)
{
    (void)state;
    uint64_t t;
    put_off(&t);
    ask(GOAL_START);
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_int_equal(p->starts, 3);
    look_at(t + 10 * HZ);
    assert_int_equal(p->starts, 3);
}

static void questions_change_nothing_of_it(void **state)
{
    (void)state;
    uint64_t t;
    put_off(&t);
    assert_int_equal(lifecycle_ask(p, GOAL_PAUSE), LIFECYCLE_REFUSED);
    assert_int_equal(lifecycle_ask(p, GOAL_RESUME), LIFECYCLE_REFUSED);
    look_at(t + HZ);
    assert_int_equal(p->state, PARTITION_RUNNING);
}

/* ---- heartbeat ---- */

static void beat(uint64_t now, uint64_t milliseconds)
{
    struct exit exit = {.kind = EXIT_HYPERCALL, .length = 3};
    fake_cpu.clock = now;
    p->vcpus[0].gpr[GPR_RAX] = HYPERCALL_HEARTBEAT;
    p->vcpus[0].gpr[GPR_RBX] = milliseconds;
    exit_handle(&p->vcpus[0], &fake_backend_table, &exit);
    assert_int_equal(p->vcpus[0].gpr[GPR_RAX], 0);
}

static void nobody_waits_for_a_heart_that_never_beat(void **state)
{
    (void)state;
    look_at(100000 * HZ);
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_int_equal(p->starts, 1);
}

static void a_heart_that_stops_is_a_fault(void **state)
{
    (void)state;
    beat(20 * HZ, 1000);
    look_at(21 * HZ - 1);
    beat(21 * HZ - 1, 1000);
    look_at(22 * HZ - 2);
    assert_int_equal(p->starts, 1);
    look_at(22 * HZ - 1);
    assert_int_equal(told("p: stopped: its heartbeat has run out"), 1);
    assert_int_equal(p->state, PARTITION_RUNNING); /* by default it is a reset */
    assert_int_equal(p->starts, 2);
    assert_true(p->heartbeat_due == 0); /* the new life has not beaten yet */
    look_at(1000 * HZ);
    assert_int_equal(p->starts, 2);
}

static void a_watch_can_be_ended(void **state)
{
    (void)state;
    beat(20 * HZ, 1000);
    beat(20 * HZ, 0);
    look_at(100 * HZ);
    assert_int_equal(p->starts, 1);
    assert_int_equal(told("run out"), 0);
}

static void each_policy_for_the_watchdog(void **state)
{
    (void)state;
    rule(FAULT_WATCHDOG, (struct fault_rule){.action = FAULT_LOG});
    beat(20 * HZ, 1000);
    look_at(21 * HZ);
    look_at(22 * HZ);
    assert_int_equal(told("p: its heartbeat has run out: it goes on"), 1);
    assert_int_equal(p->starts, 1);

    rule(FAULT_WATCHDOG, (struct fault_rule){.action = FAULT_INJECT});
    beat(30 * HZ, 1000);
    look_at(31 * HZ);
    assert_int_equal(told("p: its heartbeat has run out: it gets an NMI"), 1);
    assert_int_equal(fake_vcpu_of(&p->vcpus[0])->nmis, 1);
    assert_int_equal(p->state, PARTITION_RUNNING);

    rule(FAULT_WATCHDOG, (struct fault_rule){.action = FAULT_STOP});
    beat(40 * HZ, 1000);
    look_at(41 * HZ);
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_string_equal(p->reason, "its heartbeat has run out");

    ask(GOAL_START);
    rule(FAULT_WATCHDOG, (struct fault_rule){.action = FAULT_REBOOT_BOX});
    beat(50 * HZ, 1000);
    look_at(51 * HZ);
    assert_int_equal(box_end.calls, 1);
    assert_true(box_end.reboot);
}

/* A guest that lets its heartbeat run out all the time does not fill the log. */
static void a_heart_that_stumbles_is_told_now_and_then(void **state)
{
    (void)state;
    rule(FAULT_WATCHDOG, (struct fault_rule){.action = FAULT_LOG});
    for (uint64_t t = 20 * HZ; t < 30 * HZ; t += HZ / 10) {
        beat(t, HYPERCALL_HEARTBEAT_MIN);
        look_at(t + HYPERCALL_HEARTBEAT_MIN * (HZ / 1000));
    }
    assert_int_equal(told("p: its heartbeat has run out: it goes on"), FAULT_PACE_MOST);
    assert_int_equal(told("the rest is not told"), 1);
    beat(100 * HZ, HYPERCALL_HEARTBEAT_MIN);
    look_at(101 * HZ);
    assert_int_equal(told("p: 90 resets or faults before this one were not told"), 1);
}

/* A guest that is paused cannot beat. */
static void a_pause_is_not_the_guests_time(void **state)
{
    (void)state;
    beat(20 * HZ, 1000);
    ask(GOAL_PAUSE);
    look_at(25 * HZ);
    assert_int_equal(p->state, PARTITION_PAUSED);
    ask(GOAL_RESUME);
    look_at(26 * HZ - 1);
    assert_int_equal(p->starts, 1);
    look_at(26 * HZ);
    assert_int_equal(p->starts, 2);
}

static void a_stopped_partition_has_no_heartbeat(void **state)
{
    (void)state;
    beat(20 * HZ, 1000);
    ask(GOAL_STOP);
    look_at(100 * HZ);
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_int_equal(told("run out"), 0);
    ask(GOAL_START);
    look_at(200 * HZ);
    assert_int_equal(p->starts, 2);
}

/* ---- CPUs ---- */

static void a_cpu_that_does_not_answer_is_told_once(void **state)
{
    (void)state;
    fake_cpu.nmi_waits[2] = true;
    look_at(20 * HZ);
    look_at(22 * HZ - 1);
    assert_int_equal(told("has not answered"), 0);
    look_at(22 * HZ);
    look_at(30 * HZ);
    assert_int_equal(told("p: CPU 2 has not answered an NMI for 2 s"), 1);
    assert_int_equal(fake_cpu.nmis_again[2], 1); /* it may have been lost on the way */
    assert_int_equal(fake_cpu.nmis_again[1], 0);
    fake_cpu.nmi_waits[2] = false;
    look_at(31 * HZ);
    look_at(32 * HZ);
    assert_int_equal(told("p: CPU 2 answers again"), 1);
}

static void a_cpu_that_answers_now_and_then_is_well(void **state)
{
    (void)state;
    for (uint64_t t = 20; t < 40; t++) {
        fake_cpu.nmi_waits[1] = true;
        look_at(t * HZ);
        fake_cpu.nmi_waits[1] = t % 2 == 0;
        look_at(t * HZ + HZ / 2);
    }
    /* Kicked so often that an NMI always waits; but its guest exits. */
    fake_cpu.nmi_waits[1] = true;
    for (uint64_t t = 40; t < 60; t++) {
        p->vcpus[0].stats.exits[EXIT_KICK]++;
        look_at(t * HZ);
    }
    assert_int_equal(told("has not answered"), 0);
}

/* The hardware's own NMIs: the first, and again when there are twice as many. */
static void strange_nmis_are_told_now_and_then(void **state)
{
    (void)state;
    look_at(20 * HZ);
    assert_int_equal(told("that the hardware sent: "), 0);
    fake_cpu.strange_nmi_cpu = 3;
    for (uint32_t i = 1; i <= 20; i++) {
        fake_cpu.strange_nmis = i;
        look_at((20 + i) * HZ);
        look_at((20 + i) * HZ + 1);
    }
    assert_int_equal(told("CPU 3: NMI number 1 that the hardware sent: "), 1);
    assert_int_equal(told("CPU 3: NMI number 16 that the hardware sent"), 1);
    assert_int_equal(told("that the hardware sent: "), 5);
    assert_int_equal(p->starts, 1); /* no guest is to blame */
}

static void without_a_clock_nothing_is_judged(void **state)
{
    (void)state;
    fake_cpu.nmi_waits[1] = true;
    supervise(20 * HZ, 0);
    supervise(40 * HZ, 0);
    assert_int_equal(told("has not answered"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(restarts_wait_longer_and_end),
        TEST(a_class_has_its_own_limit),
        TEST(faults_at_once_are_one),
        TEST(a_stop_ends_what_was_put_off),
        TEST(a_start_does_not_wait),
        TEST(questions_change_nothing_of_it),
        TEST(nobody_waits_for_a_heart_that_never_beat),
        TEST(a_heart_that_stops_is_a_fault),
        TEST(a_watch_can_be_ended),
        TEST(each_policy_for_the_watchdog),
        TEST(a_heart_that_stumbles_is_told_now_and_then),
        TEST(a_pause_is_not_the_guests_time),
        TEST(a_stopped_partition_has_no_heartbeat),
        TEST(a_cpu_that_does_not_answer_is_told_once),
        TEST(a_cpu_that_answers_now_and_then_is_well),
        TEST(strange_nmis_are_told_now_and_then),
        TEST(without_a_clock_nothing_is_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
