/*
 * The life cycle with real CPUs: a thread for each vCPU and one that asks. What test_lifecycle_order.c tries step by step in
 * every order, here between any two instructions, as far as luck goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/lifecycle.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "core/console.h"
#include "core/exit_handle.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

enum { VCPUS = 3, ASKED = 3000, SETTLE_LOOKS = 50000000 };

static struct partition *p;

/* Everything here is touched by several threads. */
static struct {
    bool quit;
    bool guests_misbehave; /* they end and reset themselves */
    bool in_guest[VCPUS];
    uint32_t entered_while_changed;
    uint32_t changed_while_in_guest;
    uint32_t dirty_ram;
} shared;

#define GET(x)    __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define SET(x, v) __atomic_store_n(&(x), (v), __ATOMIC_SEQ_CST)
#define COUNT(x)  __atomic_fetch_add(&(x), 1, __ATOMIC_SEQ_CST)

void console_end_box(bool reboot) { (void)reboot; }

/* The boot CPU is starting the partition. */
static void check_start(struct vcpu *vcpu)
{
    uint32_t word = 0;
    if (vcpu->index != 0)
        return;
    for (uint32_t i = 0; i < VCPUS; i++)
        if (GET(shared.in_guest[i]))
            COUNT(shared.changed_while_in_guest);
    if (!partition_read(p, gpa(0x2000), &word, sizeof word) || word != 0)
        COUNT(shared.dirty_ram);
}

static void start_others(void)
{
    struct interrupt_message message = {
        .shorthand = SHORTHAND_OTHERS, .assert_line = true, .delivery = DELIVERY_INIT, .vector = 0};
    (void)partition_interrupt(p, &message, 0);
    message.delivery = DELIVERY_STARTUP;
    (void)partition_interrupt(p, &message, 0);
}

/* What the guest does between two exits. */
static void be_guest(struct vcpu *vcpu, uint32_t turn)
{
    const uint32_t dirt = 0xd1d1d1d1;
    uint32_t starts = p->starts;
    if (!partition_write(p, gpa(0x2000), &dirt, sizeof dirt) || p->state != PARTITION_RUNNING)
        COUNT(shared.entered_while_changed);
    if (vcpu->index == 0 && turn % 8 == 0)
        start_others();
    if (turn % 4 == 0)
        sched_yield();
    if (p->starts != starts) /* another life has begun while this one ran */
        COUNT(shared.entered_while_changed);
}

static void misbehave(struct vcpu *vcpu, uint32_t turn)
{
    if (turn % 61 == 7)
        lifecycle_fault(p, FAULT_UNKNOWN, "vCPU %u ended", vcpu->index);
    else if (turn % 61 == 23)
        lifecycle_guest_reset(p);
}

static void *be_cpu(void *context)
{
    struct vcpu *vcpu = context;
    for (uint32_t turn = 1; !GET(shared.quit); turn++) {
        if (!lifecycle_obey(vcpu, &fake_backend_table)) {
            sched_yield();
            continue;
        }
        SET(shared.in_guest[vcpu->index], true);
        be_guest(vcpu, turn);
        SET(shared.in_guest[vcpu->index], false);
        if (shared.guests_misbehave)
            misbehave(vcpu, turn);
    }
    return NULL;
}

static bool settle(void)
{
    for (uint32_t i = 0; i < SETTLE_LOOKS; i++) {
        if (lifecycle_settled(p))
            return true;
        sched_yield();
    }
    return false;
}

/*
 * Asks for this and that; returns how many starts were accepted, and how many were to come later, of which some were
 * replaced by another wish. Half of the time it does not wait.
 */
static uint32_t ask_around(uint32_t *later, uint32_t *stuck, uint32_t *impossible)
{
    static const enum partition_goal goals[] = {GOAL_START, GOAL_PAUSE,   GOAL_RESUME, GOAL_PAUSE,
                                                GOAL_STOP,  GOAL_RESTART, GOAL_PAUSE,  GOAL_RESUME};
    uint32_t seed = 5, starts = 0;
    for (uint32_t i = 0; i < ASKED; i++) {
        seed = seed * 1664525u + 1013904223u;
        enum partition_goal goal = goals[seed >> 16 & 7];
        enum lifecycle_answer answer = lifecycle_ask(p, goal);
        starts += answer == LIFECYCLE_ACCEPTED && (goal == GOAL_START || goal == GOAL_RESTART);
        *later += answer == LIFECYCLE_LATER && (goal == GOAL_START || goal == GOAL_RESTART);
        if (seed >> 24 & 1)
            *stuck += !settle();
        /*
         * A stopped partition cannot be paused, however the question and its end cross; a paused one stays so until
         * this thread asks again.
         */
        if (lifecycle_settled(p) && GET(p->state) == PARTITION_PAUSED && GET(p->vcpus[0].state) == VCPU_OFF)
            (*impossible)++;
    }
    return starts;
}

static void run_box(bool guests_misbehave)
{
    pthread_t threads[VCPUS];
    uint32_t later = 0, stuck = 0, impossible = 0;
    memset(&shared, 0, sizeof shared);
    shared.guests_misbehave = guests_misbehave;
    for (uint32_t i = 0; i < VCPUS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, be_cpu, &p->vcpus[i]), 0);
    uint32_t starts = ask_around(&later, &stuck, &impossible);
    (void)lifecycle_ask(p, GOAL_STOP); /* once is enough, whatever the guest does to itself meanwhile */
    stuck += !settle();
    enum partition_state end = GET(p->state);
    SET(shared.quit, true);
    for (uint32_t i = 0; i < VCPUS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);

    assert_int_equal(stuck, 0);
    assert_int_equal(impossible, 0);
    assert_int_equal(shared.entered_while_changed, 0);
    assert_int_equal(shared.changed_while_in_guest, 0);
    assert_int_equal(shared.dirty_ram, 0);
    assert_int_equal(end, PARTITION_STOPPED);
    assert_true(starts > ASKED / 20);
    assert_true(p->starts >= starts);
    if (!guests_misbehave)
        assert_true(p->starts <= starts + later);
}

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, 16 * KIB, 4 * KIB);
    fake_guest_module("demo", 16);
    fake_guest.config.load = fake_guest.config.entry = 0x1000;
    fake_cpu_setup();
    p = fake_backend_setup(VCPUS);
    fake_backend.on_reset = check_start;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

static void goals_from_the_console(void **state)
{
    (void)state;
    run_box(false);
}

static void goals_while_the_guest_ends_and_resets_itself(void **state)
{
    (void)state;
    fake_guest.config.on_stop = ON_STOP_RESTART;
    run_box(true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(goals_from_the_console),
        TEST(goals_while_the_guest_ends_and_resets_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
