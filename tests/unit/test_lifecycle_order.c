/*
 * Every order in which the CPUs of a partition, its guest and the console can come, held against a model of a few lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/lifecycle_box.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_order_of_two_vcpus),
        TEST(every_order_of_three_vcpus),
        TEST(long_random_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
