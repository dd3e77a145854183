/*
 * A partition for a test of its life cycle, on CPUs that look at it when they are kicked, and a box that can end.
 */
#pragma once

#include "core/lifecycle.h"

#include <stdio.h>
#include <string.h>

#include "core/exit_handle.h"
#include "core/log.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_box_end.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"
#include "tests/unit/fake_phys.h"

#define MEMORY (16 * KIB)
#define SPLIT  0x3000u
#define LOAD   0x1000u

enum { IMAGE_SIZE = 0x100, QUICK = 1000 };

static struct partition *p;

/*
 * A CPU looks at its vCPU only after a kick; otherwise it stays in the guest or waits. So a kick that is forgotten
 * leaves a goal undone.
 */
static struct {
    bool in_guest[FAKE_BACKEND_VCPUS];
    uint32_t kicks_seen[FAKE_BACKEND_VCPUS];
} cpus;

static inline uint32_t kicks(uint32_t i) { return fake_cpu.kicks[p->vcpus[i].cpu]; }

/* The partition is changed by nobody while a vCPU is in its guest. */
static inline void assert_nobody_in_guest(void)
{
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        assert_false(cpus.in_guest[i]);
}

static inline void look(uint32_t i)
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

static inline bool step(uint32_t i)
{
    if (cpus.kicks_seen[i] == kicks(i))
        return false;
    look(i);
    return true;
}

/* Every CPU looks until nobody is kicked any more. */
static inline void settle(void)
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

static inline void prepare(uint32_t vcpus, enum stop_action on_stop)
{
    fake_cpu_setup();
    fake_cpu.clock = 5000;
    p = fake_backend_setup(vcpus);
    fake_guest.config.on_stop = on_stop;
    memset(&cpus, 0, sizeof cpus);
    memset(&box_end, 0, sizeof box_end);
}

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

static inline void ask(enum partition_goal goal) { assert_int_equal(lifecycle_ask(p, goal), LIFECYCLE_ACCEPTED); }

static inline void ask_and_settle(enum partition_goal goal)
{
    ask(goal);
    settle();
}

/* As the guest's kernel starts its other CPUs. */
static inline void start_others(void)
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

static inline void start_all(void)
{
    ask_and_settle(GOAL_START);
    start_others();
    for (uint32_t i = 0; i < p->vcpu_count; i++)
        assert_true(cpus.in_guest[i]);
}

static inline void become(enum partition_state state)
{
    if (state != PARTITION_STOPPED)
        start_all();
    if (state == PARTITION_PAUSED)
        ask_and_settle(GOAL_PAUSE);
    assert_int_equal(p->state, state);
}

static inline uint32_t log_count(const char *text)
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

static inline void request(uint32_t vcpu, uint32_t bits)
{
    __atomic_fetch_or(&p->vcpus[vcpu].requests, bits, __ATOMIC_SEQ_CST);
    fake_cpu.kicks[p->vcpus[vcpu].cpu]++;
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

static inline const struct goal_case *case_of(enum partition_state from, enum partition_goal goal)
{
    for (size_t i = 0; i < array_size(goal_cases); i++)
        if (goal_cases[i].from == from && goal_cases[i].goal == goal)
            return &goal_cases[i];
    fail();
    return NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
