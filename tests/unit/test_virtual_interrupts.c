/*
 * `interrupts = virtual` from the run loop's side: who is woken, what is injected and when, what a restart forgets. The
 * local APIC model has tests of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/virtual_interrupts.h"

#include "core/exit_handle.h"
#include "core/lifecycle.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

enum {
    MSR_APIC_BASE = 0x1b,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_TPR = 0x808,
    MSR_EOI = 0x80b,
    MSR_SVR = 0x80f,
    MSR_ICR = 0x830,
    MSR_LVT_TIMER = 0x832,
};
#define ICR_TO(vcpu) ((uint64_t)(2 * (vcpu)) << 32) /* APIC ids: see fake_backend_setup */

static struct partition *p;

static struct fake_vcpu *fake(uint32_t i) { return &fake_backend.vcpus[i]; }

static void handle(uint32_t i, struct exit exit) { exit_handle(&p->vcpus[i], &fake_backend_table, &exit); }

static void write_msr(uint32_t i, uint32_t number, uint64_t value)
{
    uint32_t advances = fake(i)->advances;
    handle(i, (struct exit){.kind = EXIT_MSR_WRITE, .length = 2, .address = number, .value = value});
    assert_int_equal(fake(i)->advances, advances + 1);
}

/* One turn of the run loop up to the entry. True: the guest is entered. */
static bool turn(uint32_t i, uint64_t *due)
{
    *due = UINT64_MAX;
    fake_cpu.current = p->vcpus[i].cpu;
    return lifecycle_obey(&p->vcpus[i], &fake_backend_table) &&
           virtual_interrupts_prepare(&p->vcpus[i], &fake_backend_table, due);
}

static bool enters(uint32_t i)
{
    uint64_t due;
    return turn(i, &due);
}

static void start_all(void)
{
    assert_false(enters(1));
    assert_true(enters(0));
    write_msr(0, MSR_APIC_BASE, 0xfee00d00);
    write_msr(0, MSR_ICR, ICR_TO(1) | 0x4500); /* INIT */
    assert_false(enters(1));
    write_msr(0, MSR_ICR, ICR_TO(1) | 0x4608); /* start-up at 8000h */
    assert_true(enters(1));
    assert_int_equal(fake(1)->entry.cs_selector, 0x800);
    write_msr(1, MSR_APIC_BASE, 0xfee00c00);
    write_msr(1, MSR_SVR, 0x1ff);
    fake_cpu.kicks[1] = fake_cpu.kicks[2] = 0;
}

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, 16 * KIB, 4 * KIB);
    fake_guest_module("demo", 16);
    fake_guest.config.load = fake_guest.config.entry = 0x1000;
    fake_guest.plan.virtual_interrupts = true;
    fake_cpu_setup();
    p = fake_backend_setup(2);
    assert_int_equal(lifecycle_ask(p, GOAL_START), LIFECYCLE_ACCEPTED);
    start_all();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

static void send(uint32_t from, uint32_t to, uint8_t vector) { write_msr(from, MSR_ICR, ICR_TO(to) | vector); }

static void message_is_injected_and_never_physical(void **state)
{
    (void)state;
    send(0, 1, 0x41);
    assert_int_equal(fake_cpu.kicks[2], 1);
    assert_int_equal(fake(1)->interrupts, 0);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 1);
    assert_int_equal(fake(1)->interrupt_vector, 0x41);
    assert_int_equal(fake_cpu.vectors_sent, 0);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 1); /* once */
    assert_int_equal(fake(0)->interrupts, 0);
}

static void foreign_ids_reach_nobody(void **state)
{
    (void)state;
    write_msr(0, MSR_ICR, (uint64_t)1 << 32 | 0x41);
    write_msr(0, MSR_ICR, (uint64_t)4 << 32 | 0x4500);
    assert_true(enters(0) && enters(1));
    assert_int_equal(fake(0)->interrupts + fake(1)->interrupts, 0);
    assert_int_equal(p->vcpus[1].state, VCPU_RUNNING);
    for (uint32_t i = 0; i < FAKE_CPUS; i++)
        assert_int_equal(fake_cpu.kicks[i], 0);
}

static void waits_for_the_window_and_the_higher_goes_first(void **state)
{
    (void)state;
    fake(1)->interrupts_blocked = true;
    send(0, 1, 0x41);
    send(0, 1, 0x91);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 0);
    handle(1, (struct exit){.kind = EXIT_INTERRUPT_WINDOW});
    fake(1)->interrupts_blocked = false;
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupt_vector, 0x91);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 1); /* the other waits for the EOI */
    write_msr(1, MSR_EOI, 0);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 2);
    assert_int_equal(fake(1)->interrupt_vector, 0x41);
}

static void halt_waits_for_an_interrupt(void **state)
{
    (void)state;
    uint64_t due;
    handle(1, (struct exit){.kind = EXIT_HALT, .length = 1});
    assert_false(turn(1, &due));
    assert_true(due == UINT64_MAX);
    assert_false(enters(1)); /* a kick for nothing */
    send(0, 1, 0x41);
    assert_int_equal(fake_cpu.kicks[2], 1);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupt_vector, 0x41);
    assert_true(enters(1)); /* awake from now on */
}

/* What arrives while HLT is carried out must not be slept over. */
static void halt_with_something_pending_goes_on(void **state)
{
    (void)state;
    send(0, 1, 0x41);
    handle(1, (struct exit){.kind = EXIT_HALT, .length = 1});
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 1);
}

static void masked_interrupt_does_not_wake(void **state)
{
    (void)state;
    write_msr(1, MSR_TPR, 0x50);
    send(0, 1, 0x41);
    handle(1, (struct exit){.kind = EXIT_HALT, .length = 1});
    assert_false(enters(1));
    write_msr(0, MSR_ICR, ICR_TO(1) | 0x4400); /* NMI */
    assert_true(enters(1));
    assert_int_equal(fake(1)->nmis, 1);
    assert_int_equal(fake(1)->interrupts, 0);
}

static void timer_says_when_it_is_due(void **state)
{
    (void)state;
    uint64_t due, now = fake_cpu.clock;
    write_msr(1, MSR_LVT_TIMER, 0x40000 | 0x50); /* TSC deadline */
    write_msr(1, MSR_TSC_DEADLINE, now + 1000);
    handle(1, (struct exit){.kind = EXIT_HALT, .length = 1});
    assert_false(turn(1, &due));
    assert_true(due == now + 1000);
    fake_cpu.clock = now + 999;
    assert_false(turn(1, &due));
    fake_cpu.clock = now + 1000;
    assert_true(turn(1, &due));
    assert_int_equal(fake(1)->interrupt_vector, 0x50);
    assert_true(due == UINT64_MAX);
}

/* The CPU's own interrupts are the hypervisor's: acknowledged, and nothing of them reaches the guest. */
static void physical_interrupt_is_taken_by_the_hypervisor(void **state)
{
    (void)state;
    handle(1, (struct exit){.kind = EXIT_INTERRUPT});
    assert_int_equal(fake_cpu.interrupts_taken, 1);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 0);
}

static void task_priority_register(void **state)
{
    (void)state;
    p->vcpus[1].gpr[GPR_RDX] = 5;
    handle(1, (struct exit){.kind = EXIT_CONTROL_REGISTER, .length = 4, .address = 8, .write = true, .gpr = GPR_RDX});
    p->vcpus[1].gpr[GPR_RBX] = 0;
    handle(1, (struct exit){.kind = EXIT_CONTROL_REGISTER, .length = 4, .address = 8, .gpr = GPR_RBX});
    assert_int_equal(p->vcpus[1].gpr[GPR_RBX], 5);
    assert_int_equal(fake(1)->exceptions, 0);
    p->vcpus[1].gpr[GPR_RDX] = 16;
    handle(1, (struct exit){.kind = EXIT_CONTROL_REGISTER, .length = 4, .address = 8, .write = true, .gpr = GPR_RDX});
    assert_int_equal(fake(1)->exceptions, 1);
    assert_int_equal(fake(1)->vector, 13);
    assert_true(lifecycle_settled(p));
}

static void page_cannot_be_moved(void **state)
{
    (void)state;
    handle(1, (struct exit){.kind = EXIT_MSR_WRITE, .length = 2, .address = MSR_APIC_BASE, .value = 0xfed00c00});
    assert_int_equal(fake(1)->exceptions, 1);
    assert_int_equal(fake(1)->vector, 13);
}

static void device_messages_go_the_same_way(void **state)
{
    (void)state;
    const struct platform_outcome outcome = {.message_count = 1, .messages = {{.destination = 2, .vector = 0x61}}};
    partition_deliver(p, &outcome);
    assert_int_equal(fake_cpu.kicks[2], 1);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupt_vector, 0x61);
}

static void pause_keeps_and_restart_forgets(void **state)
{
    (void)state;
    send(0, 1, 0x41);
    assert_int_equal(lifecycle_ask(p, GOAL_PAUSE), LIFECYCLE_ACCEPTED);
    assert_false(enters(1));
    assert_false(enters(0));
    assert_int_equal(lifecycle_ask(p, GOAL_RESUME), LIFECYCLE_ACCEPTED);
    assert_false(enters(1));
    assert_true(enters(0));
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 1);

    send(0, 1, 0x51);
    write_msr(0, MSR_LVT_TIMER, 0x40000 | 0x50);
    write_msr(0, MSR_TSC_DEADLINE, fake_cpu.clock + 1);
    handle(0, (struct exit){.kind = EXIT_HALT, .length = 1});
    assert_int_equal(lifecycle_ask(p, GOAL_RESTART), LIFECYCLE_ACCEPTED);
    fake_cpu.clock += 1000;
    start_all();
    assert_true(enters(0) && enters(1));
    assert_int_equal(fake(0)->interrupts, 0);
    assert_int_equal(fake(1)->interrupts, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(message_is_injected_and_never_physical),
        TEST(foreign_ids_reach_nobody),
        TEST(waits_for_the_window_and_the_higher_goes_first),
        TEST(halt_waits_for_an_interrupt),
        TEST(halt_with_something_pending_goes_on),
        TEST(masked_interrupt_does_not_wake),
        TEST(timer_says_when_it_is_due),
        TEST(physical_interrupt_is_taken_by_the_hypervisor),
        TEST(task_priority_register),
        TEST(page_cannot_be_moved),
        TEST(device_messages_go_the_same_way),
        TEST(pause_keeps_and_restart_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
