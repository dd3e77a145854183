/* How a partition ends: the reason, what its policy does then, and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/lifecycle_box.h"

static void end_says_why(void **state)
{
    (void)state;
    start_all();
    uint32_t before = log_count("p: stopped: vCPU 1: it broke at 1234");
    lifecycle_fault(p, FAULT_UNKNOWN, "vCPU %u: it broke at %x", 1, 0x1234);
    settle();
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_string_equal(p->reason, "vCPU 1: it broke at 1234");
    assert_int_equal(log_count("p: stopped: vCPU 1: it broke at 1234"), before + 1);
    assert_int_equal(box_end.calls, 0);
    ask_and_settle(GOAL_START);
    assert_string_equal(p->reason, "");
}

static void first_of_two_reasons_stands(void **state)
{
    (void)state;
    start_all();
    lifecycle_fault(p, FAULT_UNKNOWN, "the cause");
    lifecycle_fault(p, FAULT_UNKNOWN, "what came of it");
    settle();
    assert_string_equal(p->reason, "the cause");
}

static void overlong_reason_is_cut(void **state)
{
    (void)state;
    char text[2 * PARTITION_REASON_SIZE];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    start_all();
    lifecycle_fault(p, FAULT_UNKNOWN, "%s", text);
    settle();
    assert_int_equal(strlen(p->reason), PARTITION_REASON_SIZE - 1);
}

/* A guest that ends while somebody pauses it must not be found running after a resume. */
static void end_during_pause_is_kept(void **state)
{
    (void)state;
    start_all();
    ask(GOAL_PAUSE);
    step(0); /* has parked; vCPU 1 is still in its guest */
    lifecycle_fault(p, FAULT_UNKNOWN, "vCPU 1: powered off");
    settle();
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_string_equal(p->reason, "vCPU 1: powered off");
}

static void guest_reset_during_pause_is_kept(void **state)
{
    (void)state;
    start_all();
    ask(GOAL_PAUSE);
    step(0);
    lifecycle_guest_reset(p);
    settle();
    assert_int_equal(p->starts, 2);
    assert_int_equal(p->state, PARTITION_RUNNING);
}

static void end_during_stop_and_restart(void **state)
{
    (void)state;
    start_all();
    ask(GOAL_STOP);
    lifecycle_guest_reset(p); /* too late */
    settle();
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_int_equal(p->starts, 1);

    start_all();
    ask(GOAL_RESTART);
    lifecycle_fault(p, FAULT_UNKNOWN, "at the last moment");
    settle();
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_int_equal(p->starts, 3);
    assert_string_equal(p->reason, "");
}

static void on_stop_ends_the_box(void **state)
{
    (void)state;
    static const struct {
        enum stop_action action;
        bool reboot;
    } cases[] = {{ON_STOP_HALT_BOX, false}, {ON_STOP_REBOOT_BOX, true}};
    for (size_t i = 0; i < array_size(cases); i++) {
        prepare(2, cases[i].action);
        start_all();
        ask_and_settle(GOAL_STOP);
        assert_int_equal(box_end.calls, 0); /* a person's stop is no end of the guest's own */
        start_all();
        lifecycle_guest_reset(p);
        settle();
        assert_int_equal(box_end.calls, 0);
        lifecycle_fault(p, FAULT_UNKNOWN, "done");
        settle();
        assert_int_equal(box_end.calls, 1);
        assert_int_equal(box_end.reboot, cases[i].reboot);
        assert_int_equal(p->state, PARTITION_STOPPED);
    }
}

static void end_quickly(uint32_t vcpus_that_end)
{
    fake_cpu.clock += fake_guest.machine.tsc_hz - QUICK;
    for (uint32_t i = 0; i < vcpus_that_end; i++)
        lifecycle_fault(p, FAULT_UNKNOWN, "vCPU %u broke", i);
    settle();
}

static void on_stop_restart_gives_up(void **state)
{
    (void)state;
    for (uint32_t vcpus_that_end = 1; vcpus_that_end <= 2; vcpus_that_end++) {
        prepare(2, ON_STOP_RESTART);
        uint32_t given_up = log_count("not restarted again");
        start_all();
        for (uint32_t i = 0; i < 5; i++) {
            uint32_t told = log_count("p: stopped: vCPU 0 broke: it starts again");
            end_quickly(vcpus_that_end);
            assert_int_equal(log_count("p: stopped: vCPU 0 broke: it starts again"), told + 1);
            assert_int_equal(p->state, PARTITION_RUNNING);
            assert_int_equal(p->starts, i + 2);
            assert_int_equal(log_count("not restarted again"), given_up);
        }
        end_quickly(vcpus_that_end);
        assert_int_equal(p->state, PARTITION_STOPPED);
        assert_string_equal(p->reason, "vCPU 0 broke");
        assert_int_equal(log_count("not restarted again"), given_up + 1);

        /* A person may try again, and then the policy does. */
        start_all();
        end_quickly(1);
        assert_int_equal(p->state, PARTITION_RUNNING);
    }
}

static void on_stop_restart_goes_on_after_a_good_while(void **state)
{
    (void)state;
    prepare(1, ON_STOP_RESTART);
    start_all();
    for (uint32_t i = 0; i < 40; i++) {
        if (i % 5 == 4) /* not the sixth quick end in a row */
            fake_cpu.clock += fake_guest.machine.tsc_hz;
        lifecycle_fault(p, FAULT_UNKNOWN, "done");
        settle();
        assert_int_equal(p->state, PARTITION_RUNNING);
        assert_int_equal(p->starts, i + 2);
    }
}

/* Nothing of a guest that resets itself for ever fills the log; a minute later, or after a person's word, it is told.
 */
static void many_ends_are_told_now_and_then(void **state)
{
    (void)state;
    start_all();
    uint32_t told = log_count("p: reset by the guest"), closed = log_count("the rest is not told");
    for (uint32_t i = 0; i < 1000; i++) {
        lifecycle_guest_reset(p);
        settle();
    }
    assert_int_equal(log_count("p: reset by the guest"), told + FAULT_PACE_MOST);
    assert_int_equal(log_count("p: more than 10 resets or faults within a minute: the rest is not told"), closed + 1);
    assert_int_equal(p->starts, 1001);

    fake_cpu.clock += FAULT_PACE_SECONDS * fake_guest.machine.tsc_hz;
    lifecycle_guest_reset(p);
    settle();
    assert_int_equal(log_count("p: 990 resets or faults before this one were not told"), 1);
    assert_int_equal(log_count("p: reset by the guest"), told + FAULT_PACE_MOST + 1);

    for (uint32_t i = 0; i < 20; i++) {
        lifecycle_guest_reset(p);
        settle();
    }
    ask_and_settle(GOAL_RESTART);
    told = log_count("p: reset by the guest");
    lifecycle_guest_reset(p);
    settle();
    assert_int_equal(log_count("p: reset by the guest"), told + 1);
}

/* The end that stays is told, whatever was told before. */
static void the_last_end_is_always_told(void **state)
{
    (void)state;
    prepare(1, ON_STOP_RESTART);
    start_all();
    for (uint32_t i = 0; i < 30; i++) {
        lifecycle_guest_reset(p);
        settle();
    }
    uint32_t told = log_count("p: stopped: it broke");
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(log_count("p: stopped: it broke"), told);
        lifecycle_fault(p, FAULT_UNKNOWN, "it broke");
        settle();
    }
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_int_equal(log_count("p: stopped: it broke"), told + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(end_says_why),
        TEST(first_of_two_reasons_stands),
        TEST(overlong_reason_is_cut),
        TEST(end_during_pause_is_kept),
        TEST(guest_reset_during_pause_is_kept),
        TEST(end_during_stop_and_restart),
        TEST(on_stop_ends_the_box),
        TEST(on_stop_restart_gives_up),
        TEST(on_stop_restart_goes_on_after_a_good_while),
        TEST(many_ends_are_told_now_and_then),
        TEST(the_last_end_is_always_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
