/*
 * Start, stop, restart, pause and resume: by hand step by step, and then every order in which the CPUs of a partition,
 * its guest and the console can come, held against a model of a few lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/lifecycle.h"

#include <stdio.h>
#include <string.h>

#include "core/exit_handle.h"
#include "core/log.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"
#include "tests/unit/fake_phys.h"

#define MEMORY (16 * KIB)
#define SPLIT  0x3000u
#define LOAD   0x1000u

enum { IMAGE_SIZE = 0x100, QUICK = 1000 };

static struct partition *p;
static struct {
    uint32_t calls;
    bool reboot;
} box_end;

/* In place of core/console.c. */
void console_end_box(bool reboot)
{
    box_end.calls++;
    box_end.reboot = reboot;
}

/* ---- CPUs ---- */

/*
 * A CPU looks at its vCPU only after a kick; otherwise it stays in the guest or waits. So a kick that is forgotten
 * leaves a goal undone.
 */
static struct {
    bool in_guest[FAKE_BACKEND_VCPUS];
    uint32_t kicks_seen[FAKE_BACKEND_VCPUS];
} cpus;

static uint32_t kicks(uint32_t i) { return fake_cpu.kicks[p->vcpus[i].cpu]; }

/* The partition is changed by nobody while a vCPU is in its guest. */
static void assert_nobody_in_guest(void)
{
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        assert_false(cpus.in_guest[i]);
}

static void look(uint32_t i)
{
    enum partition_state state = p->state;
    uint32_t starts = p->starts;
    cpus.in_guest[i] = false;
    cpus.kicks_seen[i] = kicks(i);
    fake_cpu.current = p->vcpus[i].cpu;
    bool runs = lifecycle_obey(&p->vcpus[i], &fake_backend_table);
    if (p->state != state || p->starts != starts) {
        assert_nobody_in_guest();
        assert_int_equal(i, 0);
    }
    cpus.in_guest[i] = runs;
    if (runs) {
        assert_int_equal(p->state, PARTITION_RUNNING);
        assert_int_equal(p->vcpus[i].state, VCPU_RUNNING);
        assert_true(lifecycle_settled(p));
    }
}

static bool step(uint32_t i)
{
    if (cpus.kicks_seen[i] == kicks(i))
        return false;
    look(i);
    return true;
}

/* Every CPU looks until nobody is kicked any more. */
static void settle(void)
{
    bool moved = true;
    for (uint32_t rounds = 0; moved; rounds++) {
        moved = false;
        assert_true(rounds < 20);
        for (uint32_t i = 0; i < p->vcpu_count; i++)
            moved |= step(i);
    }
    assert_true(lifecycle_settled(p));
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        assert_int_equal(cpus.in_guest[i], p->state == PARTITION_RUNNING && p->vcpus[i].state == VCPU_RUNNING);
}

/* ---- what is set up ---- */

static void prepare(uint32_t vcpus, enum stop_action on_stop)
{
    fake_cpu_setup();
    fake_cpu.clock = 5000;
    p = fake_backend_setup(vcpus);
    fake_guest.config.on_stop = on_stop;
    memset(&cpus, 0, sizeof cpus);
    memset(&box_end, 0, sizeof box_end);
}

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, MEMORY, SPLIT);
    uint8_t *image = fake_guest_module("demo", IMAGE_SIZE);
    for (unsigned i = 0; i < IMAGE_SIZE; i++)
        image[i] = (uint8_t)(i + 1);
    fake_guest.config.load = LOAD;
    fake_guest.config.entry = LOAD + 0x10;
    prepare(2, ON_STOP_STAY);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

static void ask(enum partition_goal goal) { assert_int_equal(lifecycle_ask(p, goal), LIFECYCLE_ACCEPTED); }

static void ask_and_settle(enum partition_goal goal)
{
    ask(goal);
    settle();
}

/* As the guest's kernel starts its other CPUs. */
static void start_others(void)
{
    struct interrupt_message message = {
        .shorthand = SHORTHAND_OTHERS, .assert_line = true, .delivery = DELIVERY_INIT, .vector = 0};
    assert_int_equal(partition_interrupt(p, &message, 0), p->vcpu_count > 1 ? INTERRUPT_DELIVER : INTERRUPT_NOTHING);
    settle();
    message.delivery = DELIVERY_STARTUP;
    message.vector = 0x9a;
    if (p->vcpu_count > 1)
        assert_int_equal(partition_interrupt(p, &message, 0), INTERRUPT_DELIVER);
    settle();
}

static void start_all(void)
{
    ask_and_settle(GOAL_START);
    start_others();
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        assert_true(cpus.in_guest[i]);
}

static void become(enum partition_state state)
{
    if (state != PARTITION_STOPPED)
        start_all();
    if (state == PARTITION_PAUSED)
        ask_and_settle(GOAL_PAUSE);
    assert_int_equal(p->state, state);
}

static uint32_t log_count(const char *text)
{
    struct log_reader reader = {.at = 0};
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

/* ---- step by step ---- */

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

/* Every goal in every state: what is answered, and what comes of it. */
#define S PARTITION_STOPPED
#define R PARTITION_RUNNING
#define P PARTITION_PAUSED
static const struct goal_case {
    enum partition_state from;
    enum partition_goal goal;
    enum lifecycle_answer answer;
    enum partition_state to;
    uint32_t started;
} goal_cases[] = {
    {S, GOAL_START, LIFECYCLE_ACCEPTED, R, 1},   {S, GOAL_STOP, LIFECYCLE_REFUSED, S, 0},
    {S, GOAL_RESTART, LIFECYCLE_ACCEPTED, R, 1}, {S, GOAL_PAUSE, LIFECYCLE_REFUSED, S, 0},
    {S, GOAL_RESUME, LIFECYCLE_REFUSED, S, 0},   {R, GOAL_START, LIFECYCLE_REFUSED, R, 0},
    {R, GOAL_STOP, LIFECYCLE_ACCEPTED, S, 0},    {R, GOAL_RESTART, LIFECYCLE_ACCEPTED, R, 1},
    {R, GOAL_PAUSE, LIFECYCLE_ACCEPTED, P, 0},   {R, GOAL_RESUME, LIFECYCLE_REFUSED, R, 0},
    {P, GOAL_START, LIFECYCLE_REFUSED, P, 0},    {P, GOAL_STOP, LIFECYCLE_ACCEPTED, S, 0},
    {P, GOAL_RESTART, LIFECYCLE_ACCEPTED, R, 1}, {P, GOAL_PAUSE, LIFECYCLE_REFUSED, P, 0},
    {P, GOAL_RESUME, LIFECYCLE_ACCEPTED, R, 0},
};

static const struct goal_case *case_of(enum partition_state from, enum partition_goal goal)
{
    for (size_t i = 0; i < array_size(goal_cases); i++)
        if (goal_cases[i].from == from && goal_cases[i].goal == goal)
            return &goal_cases[i];
    fail();
    return NULL;
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

static void request(uint32_t vcpu, uint32_t bits)
{
    __atomic_fetch_or(&p->vcpus[vcpu].requests, bits, __ATOMIC_SEQ_CST);
    fake_cpu.kicks[p->vcpus[vcpu].cpu]++;
}

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

/* ---- ends ---- */

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

/* ---- every order ---- */

/* What must come of a sequence of events, whoever carries it out. */
static struct {
    enum partition_state state;
    enum partition_goal goal, next;
    uint32_t starts;
    uint32_t goals; /* how many there were */
} model;

static void model_begin(enum partition_goal goal)
{
    model.goal = goal;
    model.goals++;
}

static void model_settle(void)
{
    switch (model.goal) {
    case GOAL_NONE:
        return;
    case GOAL_START:
    case GOAL_RESTART:
        model.state = PARTITION_RUNNING;
        model.starts++;
        break;
    case GOAL_RESUME:
        model.state = PARTITION_RUNNING;
        break;
    case GOAL_STOP:
        model.state = PARTITION_STOPPED;
        break;
    case GOAL_PAUSE:
        model.state = PARTITION_PAUSED;
        break;
    }
    model.goal = GOAL_NONE;
    if (model.next != GOAL_NONE && case_of(model.state, model.next)->answer == LIFECYCLE_ACCEPTED)
        model_begin(model.next);
    model.next = GOAL_NONE;
}

/* After each look: what is settled is done once and as asked; what is not has changed nothing yet. */
static void model_compare(void)
{
    while (model.goal != GOAL_NONE && (lifecycle_settled(p) || p->goal / 256 != model.goals))
        model_settle();
    assert_int_equal(p->goal / 256, model.goals);
    assert_int_equal(lifecycle_goal(p), model.goal);
    assert_int_equal(p->state, model.state);
    assert_int_equal(p->starts, model.starts);
}

static void model_ask(enum partition_goal goal)
{
    bool busy = model.goal != GOAL_NONE;
    enum lifecycle_answer answer = lifecycle_ask(p, goal);
    bool waits = model.next == GOAL_NONE || model.next == goal || goal == GOAL_STOP;
    assert_int_equal(answer == LIFECYCLE_LATER, busy && waits);
    assert_int_equal(answer == LIFECYCLE_BUSY, busy && !waits);
    if (answer == LIFECYCLE_LATER)
        model.next = goal;
    if (answer == LIFECYCLE_ACCEPTED)
        model_begin(goal);
}

/* The guest on vCPU i does something that ends or resets it; the CPU then looks again, without a kick. */
static void model_end(uint32_t i, enum partition_goal goal)
{
    if (!cpus.in_guest[i])
        return;
    cpus.in_guest[i] = false;
    if (goal == GOAL_STOP)
        lifecycle_fault(p, FAULT_UNKNOWN, "vCPU %u ended", i);
    else
        lifecycle_guest_reset(p);
    if (model.goal == GOAL_NONE || model.goal == GOAL_PAUSE || model.goal == GOAL_RESUME)
        model_begin(goal);
    look(i);
}

static void act(uint32_t action)
{
    uint32_t vcpus = p->vcpu_count;
    if (action < vcpus)
        step(action);
    else if (action < 2 * vcpus)
        model_end(action - vcpus, GOAL_STOP);
    else if (action == 2 * vcpus)
        model_end(0, GOAL_RESTART);
    else
        model_ask((enum partition_goal)(action - 2 * vcpus));
}

static uint32_t action_count(uint32_t vcpus) { return 2 * vcpus + 1 + GOAL_RESUME; }

/* All sequences of `length` actions from `from` on, one by one: the digits of a number. */
static void every_sequence(uint32_t vcpus, uint32_t length, enum partition_state from)
{
    uint32_t count = action_count(vcpus);
    uint64_t sequences = 1;
    for (uint32_t i = 0; i < length; i++)
        sequences *= count;
    for (uint64_t number = 0; number < sequences; number++) {
        prepare(vcpus, ON_STOP_STAY);
        become(from);
        model.state = from;
        model.goal = model.next = GOAL_NONE;
        model.starts = p->starts;
        model.goals = p->goal / 256;
        uint64_t rest = number;
        for (uint32_t i = 0; i < length; i++, rest /= count) {
            act((uint32_t)(rest % count));
            model_compare();
        }
        settle();
        model_compare();
    }
}

static void every_order_of_two_vcpus(void **state)
{
    (void)state;
    static const enum partition_state from[] = {PARTITION_STOPPED, PARTITION_RUNNING, PARTITION_PAUSED};
    for (size_t i = 0; i < array_size(from); i++)
        every_sequence(2, from[i] == PARTITION_RUNNING ? 5 : 4, from[i]);
}

static void every_order_of_three_vcpus(void **state)
{
    (void)state;
    every_sequence(3, 4, PARTITION_RUNNING);
}

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static void long_random_orders(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (uint32_t round = 0; round < 300; round++) {
        uint32_t vcpus = 1 + round % FAKE_BACKEND_VCPUS;
        prepare(vcpus, ON_STOP_STAY);
        memset(&model, 0, sizeof model);
        for (uint32_t i = 0; i < 100; i++) {
            act(random_next(&seed) % action_count(vcpus));
            model_compare();
            if (random_next(&seed) % 16 == 0 && p->state == PARTITION_RUNNING && vcpus > 1)
                request(1, VCPU_REQUEST_SIPI);
        }
        settle();
        model_compare();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        TEST(every_order_of_two_vcpus),
        TEST(every_order_of_three_vcpus),
        TEST(long_random_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
