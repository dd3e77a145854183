/* Start, stop, restart, pause and resume, step by step; and what a guest asks of its own CPUs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/lifecycle_box.h"

static void start_makes_one_vcpu_ready(void **state)
{
    (void)state;
    fake_cpu.clock = 7 * fake_guest.machine.tsc_hz;
    ask_and_settle(GOAL_START);
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_int_equal(p->starts, 1);
    assert_true(p->started_at == 7 * fake_guest.machine.tsc_hz);
    assert_true(cpus.in_guest[0]);
    assert_false(cpus.in_guest[1]);
    assert_int_equal(p->vcpus[1].state, VCPU_WAIT_SIPI);
    assert_int_equal(fake_backend.vcpus[0].resets, 1);
    assert_int_equal(fake_backend.vcpus[0].flushes, 1);
    assert_int_equal(fake_backend.vcpus[0].entry.mode, VCPU_MODE_FLAT32);
    assert_int_equal(fake_backend.vcpus[0].entry.rip, LOAD + 0x10);
    assert_int_equal(fake_backend.vcpus[1].resets, 0);
    assert_int_equal(fake_cpu.interrupt_resets >= 2, 1); /* each CPU leaves nothing of the last guest */
    assert_int_equal(fake_cpu.predictor_clears, 2);
    assert_int_equal(fake_cpu.buffer_clears, 2);
}

static void expect_fresh_ram(void)
{
    uint8_t ram[MEMORY];
    fake_guest_read(0, ram, sizeof ram);
    for (size_t i = 0; i < sizeof ram; i++)
        assert_int_equal(ram[i], i >= LOAD && i < LOAD + IMAGE_SIZE ? (uint8_t)(i - LOAD + 1) : 0);
}

static void check_ram_before_entry(struct vcpu *vcpu)
{
    (void)vcpu;
    expect_fresh_ram();
}

static void every_start_has_fresh_ram(void **state)
{
    (void)state;
    uint8_t dirt[MEMORY];
    static const enum partition_goal goals[] = {GOAL_START, GOAL_RESTART, GOAL_RESTART};
    memset(dirt, 0xd1, sizeof dirt);
    fake_backend.on_reset = check_ram_before_entry;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(partition_write(p, gpa(0), dirt, sizeof dirt));
        ask_and_settle(goals[i]);
        assert_int_equal(fake_backend.vcpus[0].resets, i + 1);
        assert_int_equal(p->starts, i + 1);
    }
    assert_true(partition_write(p, gpa(0), dirt, sizeof dirt));
    lifecycle_guest_reset(p);
    settle();
    assert_int_equal(p->starts, 4);
}

static void start_forgets_the_last_life(void **state)
{
    (void)state;
    start_all();
    p->vcpus[0].stats.exits[EXIT_CPUID] = 5;
    p->vcpus[1].stats.exits[EXIT_PORT] = 6;
    p->vcpus[0].kvm_clock = gpa(0x2001);
    p->vcpus[1].kvm_clock = gpa(0x2041);
    ask(GOAL_RESTART);
    __atomic_fetch_or(&p->vcpus[1].requests, VCPU_REQUEST_SIPI | VCPU_REQUEST_NMI, __ATOMIC_SEQ_CST);
    settle();
    for (uint32_t i = 0; i < 2; i++) {
        for (size_t kind = 0; kind < EXIT_KINDS; kind++)
            assert_int_equal(p->vcpus[i].stats.exits[kind], 0);
        assert_int_equal(p->vcpus[i].kvm_clock.raw, 0);
        assert_int_equal(p->vcpus[i].requests, 0);
    }
    assert_int_equal(p->vcpus[1].state,
                     VCPU_WAIT_SIPI); /* the old start-up message does not start the new life's CPU */
    assert_int_equal(fake_backend.vcpus[1].nmis, 0);
}

/* A vCPU that has not parked yet may still send a vector to one that has: it must not pend in the next life. */
static void late_vectors_do_not_outlive_a_restart(void **state)
{
    (void)state;
    start_all();
    ask(GOAL_RESTART);
    step(0);
    const struct interrupt_message late = {.destination = 0, .vector = 0x40};
    assert_int_equal(partition_interrupt(p, &late, 1), INTERRUPT_DELIVER);
    assert_int_equal(fake_cpu.vectors_sent, 1);
    step(1);
    uint32_t resets = fake_cpu.interrupt_resets;
    look(0);
    assert_int_equal(p->starts, 2);
    assert_true(fake_cpu.interrupt_resets > resets);
}

static void stop_leaves_nobody_running(void **state)
{
    (void)state;
    start_all();
    uint32_t clears = fake_cpu.predictor_clears;
    ask_and_settle(GOAL_STOP);
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_int_equal(fake_cpu.predictor_clears, clears + 2); /* on each of its CPUs */
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(p->vcpus[i].state, VCPU_OFF);
    assert_string_equal(p->reason, "");
    for (uint32_t i = 0; i < 2; i++)
        look(i);
    assert_nobody_in_guest();
}

static void pause_keeps_everything(void **state)
{
    (void)state;
    const uint8_t mark = 0x77;
    start_all();
    assert_true(partition_write(p, gpa(0x2fff), &mark, 1));
    uint32_t resets = fake_cpu.interrupt_resets, clears = fake_cpu.predictor_clears;
    ask_and_settle(GOAL_PAUSE);
    assert_int_equal(p->state, PARTITION_PAUSED);
    assert_nobody_in_guest();
    ask_and_settle(GOAL_RESUME);
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_true(cpus.in_guest[0] && cpus.in_guest[1]);
    assert_int_equal(fake_cpu.interrupt_resets, resets); /* interrupts that pend are the guest's */
    assert_int_equal(fake_cpu.predictor_clears, clears);
    assert_int_equal(fake_backend.vcpus[0].resets, 1);
    assert_int_equal(fake_backend.vcpus[1].resets, 1);
    assert_int_equal(p->starts, 1);
    uint8_t found;
    fake_guest_read(0x2fff, &found, 1);
    assert_int_equal(found, mark);
}

static void requests_wait_while_paused(void **state)
{
    (void)state;
    become(PARTITION_PAUSED);
    struct interrupt_message nmi = {.destination = 2, .delivery = DELIVERY_NMI};
    assert_int_equal(partition_interrupt(p, &nmi, 0), INTERRUPT_DELIVER);
    settle();
    assert_int_equal(fake_backend.vcpus[1].nmis, 0);
    ask_and_settle(GOAL_RESUME);
    assert_int_equal(fake_backend.vcpus[1].nmis, 1);
}

static void every_goal_from_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_size(goal_cases); i++) {
        prepare(3, ON_STOP_STAY);
        become(goal_cases[i].from);
        uint32_t starts = p->starts;
        uint32_t goal_word = p->goal;
        assert_int_equal(lifecycle_ask(p, goal_cases[i].goal), goal_cases[i].answer);
        if (goal_cases[i].answer == LIFECYCLE_ACCEPTED) {
            assert_int_equal(lifecycle_goal(p), goal_cases[i].goal);
        } else {
            assert_int_equal(p->goal, goal_word);
        }
        settle();
        assert_int_equal(p->state, goal_cases[i].to);
        assert_int_equal(p->starts, starts + goal_cases[i].started);
    }
}

/* A wish during any change is kept, and judged by what has come of the change. Only a stop takes its place. */
static void a_wish_during_a_change_comes_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_size(goal_cases); i++) {
        for (unsigned next = GOAL_START; goal_cases[i].answer == LIFECYCLE_ACCEPTED && next <= GOAL_RESUME; next++) {
            const struct goal_case *then = case_of(goal_cases[i].to, (enum partition_goal)next);
            prepare(3, ON_STOP_STAY);
            become(goal_cases[i].from);
            uint32_t starts = p->starts;
            ask(goal_cases[i].goal);
            step(1); /* has parked: what is asked for now must not count as another goal for it */
            assert_int_equal(lifecycle_ask(p, then->goal), LIFECYCLE_LATER);
            for (unsigned other = GOAL_START; other <= GOAL_RESUME; other++)
                if (other != GOAL_STOP)
                    assert_int_equal(lifecycle_ask(p, (enum partition_goal)other),
                                     other == next ? LIFECYCLE_LATER : LIFECYCLE_BUSY);
            assert_int_equal(lifecycle_goal(p), goal_cases[i].goal);
            settle();
            assert_int_equal(p->state, then->to);
            assert_int_equal(p->starts, starts + goal_cases[i].started + then->started);
            settle();
            assert_int_equal(p->state, then->to); /* nothing is left to do */
        }
    }
}

static void a_stop_takes_the_place_of_a_wish(void **state)
{
    (void)state;
    for (unsigned wish = GOAL_START; wish <= GOAL_RESUME; wish++) {
        prepare(2, ON_STOP_STAY);
        start_all();
        ask(GOAL_RESTART);
        assert_int_equal(lifecycle_ask(p, (enum partition_goal)wish), LIFECYCLE_LATER);
        assert_int_equal(lifecycle_ask(p, GOAL_STOP), LIFECYCLE_LATER);
        settle();
        assert_int_equal(p->state, PARTITION_STOPPED);
        assert_int_equal(p->starts, 2);
    }
}

/* The guest does not run between its own restart and the stop: one word is enough for one that resets itself for ever.
 */
static void a_guest_that_resets_for_ever_is_stopped(void **state)
{
    (void)state;
    start_all();
    cpus.in_guest[0] = false;
    lifecycle_guest_reset(p);
    assert_int_equal(lifecycle_ask(p, GOAL_STOP), LIFECYCLE_LATER);
    for (uint32_t i = 0; !lifecycle_settled(p); i++) {
        assert_true(i < 20);
        step(i % 2);
        assert_false(cpus.in_guest[0]);
    }
    assert_int_equal(p->state, PARTITION_STOPPED);
    settle();
    assert_int_equal(p->state, PARTITION_STOPPED);
}

/* The guest's own end takes the place of the pause, and what was to come next still comes. */
static void a_wish_outlives_the_goal_it_waits_for(void **state)
{
    (void)state;
    static const struct {
        enum partition_goal next;
        enum partition_state to;
    } wishes[] = {{GOAL_STOP, PARTITION_STOPPED}, {GOAL_RESUME, PARTITION_RUNNING}, {GOAL_PAUSE, PARTITION_PAUSED}};
    for (size_t i = 0; i < array_size(wishes); i++) {
        prepare(2, ON_STOP_STAY);
        start_all();
        ask(GOAL_PAUSE);
        assert_int_equal(lifecycle_ask(p, wishes[i].next), LIFECYCLE_LATER);
        cpus.in_guest[0] = false;
        lifecycle_guest_reset(p);
        settle();
        assert_int_equal(p->starts, 2);
        assert_int_equal(p->state, wishes[i].to);
    }
}

/* Nobody can be resumed who has ended meanwhile. */
static void a_wish_that_has_become_impossible_is_dropped(void **state)
{
    (void)state;
    start_all();
    ask(GOAL_PAUSE);
    assert_int_equal(lifecycle_ask(p, GOAL_RESUME), LIFECYCLE_LATER);
    lifecycle_fault(p, FAULT_UNKNOWN, "it broke");
    settle();
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_string_equal(p->reason, "it broke");
}

static void reason_is_one_line_when_the_image_is_bad(void **state)
{
    (void)state;
    fake_guest.config.entry = LOAD - 1;
    ask_and_settle(GOAL_START);
    assert_int_equal(p->state, PARTITION_STOPPED);
    assert_int_equal(p->starts, 0);
    assert_int_equal(fake_backend.vcpus[0].resets, 0);
    assert_string_equal(p->reason, "partition 'p': kernel 'demo' has its entry at 0xfff, expected an address of the "
                                   "image, 0x1000 to 0x1100");
    assert_int_equal(log_count("0x1000 to 0x1100\n"), 1);

    /* Nor does a failed restart leave anything of the old life running. */
    fake_guest.config.entry = LOAD;
    start_all();
    assert_string_equal(p->reason, "");
    fake_guest.config.entry = 0;
    ask_and_settle(GOAL_RESTART);
    assert_int_equal(p->state, PARTITION_STOPPED);
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(p->vcpus[i].state, VCPU_OFF);
    assert_true(p->reason[0] != '\0');
}

/* ---- INIT, SIPI, NMI ---- */

static void startup_message_starts_a_waiting_vcpu(void **state)
{
    (void)state;
    ask_and_settle(GOAL_START);
    p->vcpus[1].sipi_vector = 0x9a;
    request(1, VCPU_REQUEST_INIT | VCPU_REQUEST_SIPI); /* both before it looks: INIT comes first */
    settle();
    assert_true(cpus.in_guest[1]);
    assert_int_equal(fake_backend.vcpus[1].resets, 1);
    assert_int_equal(fake_backend.vcpus[1].flushes, 1);
    assert_int_equal(fake_backend.vcpus[1].entry.mode, VCPU_MODE_REAL);
    assert_int_equal(fake_backend.vcpus[1].entry.cs_selector, 0x9a00);
    assert_int_equal(fake_backend.vcpus[1].entry.cs_base, 0);
    assert_int_equal(fake_backend.vcpus[1].entry.rip, 0);

    /* The second one of the usual two does nothing: it runs. */
    p->vcpus[1].sipi_vector = 0x10;
    request(1, VCPU_REQUEST_SIPI);
    settle();
    assert_int_equal(fake_backend.vcpus[1].resets, 1);

    /* INIT takes it out of the guest until the next one. */
    uint32_t interrupt_resets = fake_cpu.interrupt_resets;
    request(1, VCPU_REQUEST_INIT);
    settle();
    assert_false(cpus.in_guest[1]);
    assert_int_equal(p->vcpus[1].state, VCPU_WAIT_SIPI);
    assert_int_equal(fake_cpu.interrupt_resets, interrupt_resets + 1);
    assert_true(cpus.in_guest[0]);
    request(1, VCPU_REQUEST_SIPI);
    settle();
    assert_true(cpus.in_guest[1]);
    assert_int_equal(fake_backend.vcpus[1].entry.cs_selector, 0x1000);
}

static void init_of_the_first_vcpu_restarts(void **state)
{
    (void)state;
    start_all();
    request(0, VCPU_REQUEST_INIT | VCPU_REQUEST_SIPI | VCPU_REQUEST_NMI);
    settle();
    assert_int_equal(p->starts, 2);
    assert_int_equal(p->state, PARTITION_RUNNING);
    assert_int_equal(p->vcpus[0].state, VCPU_RUNNING);
    assert_int_equal(p->vcpus[1].state, VCPU_WAIT_SIPI);
    assert_int_equal(fake_backend.vcpus[0].nmis, 0);
}

static void nmi_waits_until_it_can_be_taken(void **state)
{
    (void)state;
    start_all();
    fake_backend.vcpus[1].nmi_blocked = true;
    request(1, VCPU_REQUEST_NMI);
    settle();
    assert_true(cpus.in_guest[1]);
    assert_int_equal(fake_backend.vcpus[1].nmi_tries, 1);
    fake_backend.vcpus[1].nmi_blocked = false;
    look(1); /* the NMI window's exit */
    assert_int_equal(fake_backend.vcpus[1].nmis, 1);
    look(1);
    assert_int_equal(fake_backend.vcpus[1].nmis, 1);
}

static void nmi_to_a_waiting_vcpu_is_dropped(void **state)
{
    (void)state;
    ask_and_settle(GOAL_START);
    request(1, VCPU_REQUEST_NMI);
    settle();
    assert_int_equal(fake_backend.vcpus[1].nmi_tries, 0);
    start_others();
    assert_int_equal(fake_backend.vcpus[1].nmi_tries, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(start_makes_one_vcpu_ready),
        TEST(every_start_has_fresh_ram),
        TEST(start_forgets_the_last_life),
        TEST(late_vectors_do_not_outlive_a_restart),
        TEST(stop_leaves_nobody_running),
        TEST(pause_keeps_everything),
        TEST(requests_wait_while_paused),
        TEST(every_goal_from_every_state),
        TEST(a_wish_during_a_change_comes_next),
        TEST(a_stop_takes_the_place_of_a_wish),
        TEST(a_guest_that_resets_for_ever_is_stopped),
        TEST(a_wish_outlives_the_goal_it_waits_for),
        TEST(a_wish_that_has_become_impossible_is_dropped),
        TEST(reason_is_one_line_when_the_image_is_bad),
        TEST(startup_message_starts_a_waiting_vcpu),
        TEST(init_of_the_first_vcpu_restarts),
        TEST(nmi_waits_until_it_can_be_taken),
        TEST(nmi_to_a_waiting_vcpu_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
