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

#include "core/acpi_tables.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"
#include "core/local_apic.h"
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

/* The CPU takes vectors by itself: it is told, and nothing is injected. */
static void requested_vectors_are_left_to_the_cpu(void **state)
{
    (void)state;
    fake(1)->by_itself = true;
    assert_true(enters(1));
    send(0, 1, 0x41);
    assert_int_equal(fake_cpu.kicks[2], 1);
    assert_true(enters(1));
    assert_int_equal(fake(1)->offered, LOCAL_APIC_CHANGED_VECTORS);
    assert_int_equal(local_apic_requested(p->vcpus[1].apic), 0x41);
    assert_true(enters(1));
    assert_int_equal(fake(1)->offered, 0);
    assert_int_equal(fake(1)->interrupts, 0);
    fake(1)->by_itself = false;
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 1);
}

static void the_8259s_interrupts_are_injected_all_the_same(void **state)
{
    (void)state;
    const struct interrupt_message extint = {.delivery = DELIVERY_EXTINT, .assert_line = true};
    fake(1)->by_itself = true;
    fake(1)->interrupts_blocked = true;
    send(0, 1, 0x41);
    assert_true(local_apic_post(p->vcpus[1].apic, &extint) || local_apic_has_posts(p->vcpus[1].apic));
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 0);
    fake(1)->interrupts_blocked = false;
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 1);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 1);
    assert_int_equal(local_apic_requested(p->vcpus[1].apic), 0x41);
}

/* HLT with interrupts off, or with a priority above: only the run loop knows that it goes on sleeping. */
static void a_cpu_that_takes_by_itself_wakes_by_what_it_can_take(void **state)
{
    (void)state;
    fake(1)->by_itself = true;
    handle(1, (struct exit){.kind = EXIT_HALT, .length = 1});
    assert_false(enters(1));
    write_msr(1, MSR_TPR, 0x50);
    send(0, 1, 0x41);
    assert_false(enters(1));
    write_msr(1, MSR_TPR, 0);
    fake(1)->interrupts_blocked = true;
    assert_false(enters(1));
    fake(1)->interrupts_blocked = false;
    assert_true(enters(1));
    assert_int_equal(p->vcpus[1].state, VCPU_RUNNING);
    assert_int_equal(fake(1)->interrupts, 0);
}

static void a_written_register_has_its_consequences(void **state)
{
    (void)state;
    struct local_apic *apic = p->vcpus[1].apic;
    apic->registers[0x310 / 4] = 0;
    apic->registers[0x300 / 4] = 0x4041;
    handle(1, (struct exit){.kind = EXIT_APIC_WRITTEN, .address = 0x300});
    assert_int_equal(fake_cpu.kicks[1], 1);
    assert_true(enters(0));
    assert_int_equal(fake(0)->interrupt_vector, 0x41);
    handle(1, (struct exit){.kind = EXIT_APIC_WRITTEN, .address = UINT64_MAX});
    assert_int_equal(fake(1)->exceptions, 0);
    assert_true(lifecycle_settled(p));
}

/* A backend that reports such a thing for a guest with the CPU's own local APIC is wrong: that guest ends. */
static void without_a_model_there_is_nothing_to_end(void **state)
{
    (void)state;
    p->vcpus[1].apic = NULL;
    handle(1, (struct exit){.kind = EXIT_INTERRUPT_ENDED, .vector = 0x61});
    assert_false(lifecycle_settled(p));
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

/* SDM vol. 3, "Interrupt Command Register (ICR)", destination shorthand: the destination field does not count. */
static void shorthands_name_their_targets(void **state)
{
    (void)state;
    static const struct {
        uint64_t shorthand;
        uint32_t first, second;
    } cases[] = {{1, 1, 0}, {2, 1, 1}, {3, 0, 1}}; /* self, all, all but self */
    for (size_t i = 0; i < array_size(cases); i++) {
        uint8_t vector = (uint8_t)(0x41 + 0x10 * i);
        fake(0)->interrupts = fake(1)->interrupts = 0;
        write_msr(0, MSR_SVR, 0x1ff);
        write_msr(0, MSR_ICR, cases[i].shorthand << 18 | ICR_TO(7) | vector);
        assert_true(enters(0) && enters(1));
        assert_int_equal(fake(0)->interrupts, cases[i].first);
        assert_int_equal(fake(1)->interrupts, cases[i].second);
    }
}

/* "Lowest Priority Delivery Mode": one of those that match gets it, not all. */
static void lowest_priority_reaches_one(void **state)
{
    (void)state;
    write_msr(0, MSR_SVR, 0x1ff);
    write_msr(0, MSR_ICR, (uint64_t)0xffffffff << 32 | 0x100 | 0x41);
    assert_true(enters(0) && enters(1));
    assert_int_equal(fake(0)->interrupts + fake(1)->interrupts, 1);
}

/* xAPIC mode: the registers are in the page at FEE00000h, and in no other; messages go the same way. */
static void the_page_answers_in_xapic_mode(void **state)
{
    (void)state;
    write_msr(1, MSR_APIC_BASE, 0xfee00000);
    write_msr(1, MSR_APIC_BASE, 0xfee00800);
    assert_true(virtual_interrupts_owns_memory(&p->vcpus[1], 0xfee00000));
    assert_true(virtual_interrupts_owns_memory(&p->vcpus[1], 0xfee00fff));
    assert_false(virtual_interrupts_owns_memory(&p->vcpus[1], 0xfee01000));
    assert_false(virtual_interrupts_owns_memory(&p->vcpus[1], 0xfedfffff));
    assert_false(virtual_interrupts_owns_memory(&p->vcpus[0], 0xfee00000)); /* x2APIC mode: nothing is there */
    struct bus_access id = {.address = 0xfee00020, .size = 4};
    assert_true(virtual_interrupts_memory(&p->vcpus[1], &id));
    assert_int_equal(id.value, 2u << 24);
    id.address += 0x1000;
    assert_false(virtual_interrupts_memory(&p->vcpus[1], &id));
    write_msr(0, MSR_SVR, 0x1ff);
    struct bus_access icr = {.address = 0xfee00300, .size = 4, .write = true, .value = 0x41 | 3 << 18};
    assert_true(virtual_interrupts_memory(&p->vcpus[1], &icr));
    assert_true(enters(0));
    assert_int_equal(fake(0)->interrupt_vector, 0x41);
}

static void access_ioapic(uint32_t index, uint32_t value)
{
    struct platform_outcome outcome;
    struct bus_access select = {.address = GUEST_IOAPIC_BASE, .size = 4, .write = true, .value = index};
    struct bus_access window = {.address = GUEST_IOAPIC_BASE + 0x10, .size = 4, .write = true, .value = value};
    assert_true(platform_memory(p->platform, &select, fake_cpu.clock, &outcome));
    assert_true(platform_memory(p->platform, &window, fake_cpu.clock, &outcome));
    partition_deliver(p, &outcome);
}

/* The transmitter is empty and stays so: its interrupt is asserted from now on. */
static void raise_uart(void)
{
    struct platform_outcome outcome;
    static const struct {
        uint16_t port;
        uint8_t value;
    } raise[] = {{GUEST_UART_PORT + 4, 0x0b}, {GUEST_UART_PORT + 1, 2}}; /* OUT2, transmitter empty */
    for (size_t i = 0; i < array_size(raise); i++) {
        struct bus_access a = {.address = raise[i].port, .size = 1, .write = true, .value = raise[i].value};
        assert_true(platform_port(p->platform, &a, fake_cpu.clock, &outcome));
        partition_deliver(p, &outcome);
    }
}

/* 82093AA, "Remote IRR": the local APIC's EOI of a level-triggered interrupt lets a line that is still high send again.
 */
static void an_eoi_reaches_the_ioapic(void **state)
{
    (void)state;
    access_ioapic(0x10 + 2 * GUEST_UART_IRQ + 1, 2u << 24);
    access_ioapic(0x10 + 2 * GUEST_UART_IRQ, 0x8000 | 0x61); /* level */
    raise_uart();
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupt_vector, 0x61);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 1);
    write_msr(1, MSR_EOI, 0);
    assert_true(enters(1));
    assert_int_equal(fake(1)->interrupts, 2);
}

/* The same where the CPU itself ends it. */
static void the_end_of_a_level_reaches_the_ioapic(void **state)
{
    (void)state;
    struct local_apic *apic = p->vcpus[1].apic;
    fake(1)->by_itself = true;
    access_ioapic(0x10 + 2 * GUEST_UART_IRQ + 1, 2u << 24);
    access_ioapic(0x10 + 2 * GUEST_UART_IRQ, 0x8061);
    raise_uart();
    assert_true(enters(1));
    assert_int_equal(local_apic_requested(apic), 0x61);
    assert_true(local_apic_levels(apic, 1) == 1ull << (0x61 - 64));
    local_apic_take(apic, 0x61);
    apic->registers[(0x100 + 3 * 0x10) / 4] = 0; /* as the CPU does at EOI */
    assert_true(enters(1));
    assert_int_equal(local_apic_requested(apic), 0);
    handle(1, (struct exit){.kind = EXIT_INTERRUPT_ENDED, .vector = 0x61});
    assert_true(enters(1));
    assert_int_equal(local_apic_requested(apic), 0x61);
    assert_true(lifecycle_settled(p));
}

/* The 8259s interrupt the first vCPU through LINT0, as firmware leaves it ("virtual wire mode"). */
static void the_8259s_come_through_lint0(void **state)
{
    (void)state;
    static const struct {
        uint16_t port;
        uint8_t value;
    } writes[] = {
        {0x20, 0x11}, {0x21, 0x30}, {0x21, 4},    {0x21, 3}, {0x21, 0xfe}, /* ICW1-4: from 30h, AEOI; IRQ 0 alone */
        {0x43, 0x34}, {0x40, 0},    {0x40, 0x10},                          /* counter 0: rate generator */
    };
    uint64_t due;
    for (size_t i = 0; i < array_size(writes); i++) {
        struct platform_outcome outcome;
        struct bus_access a = {.address = writes[i].port, .size = 1, .write = true, .value = writes[i].value};
        assert_true(platform_port(p->platform, &a, fake_cpu.clock, &outcome));
    }
    assert_true(turn(0, &due)); /* a rise that nobody listened to may be waiting */
    for (uint32_t before, i = 0; i < 3; i++) {
        before = fake(0)->interrupts;
        handle(0, (struct exit){.kind = EXIT_HALT, .length = 1});
        assert_false(turn(0, &due));
        assert_true(due != UINT64_MAX && due > fake_cpu.clock);
        fake_cpu.clock = due;
        assert_true(turn(0, &due));
        assert_int_equal(fake(0)->interrupts, before + 1);
        assert_int_equal(fake(0)->interrupt_vector, 0x30);
    }
    fake(0)->interrupts_blocked = true;
    fake_cpu.clock = due;
    uint32_t before = fake(0)->interrupts;
    assert_true(turn(0, &due)); /* the window is waited for, with the interrupt not yet taken from the 8259s */
    assert_int_equal(fake(0)->interrupts, before);
    fake(0)->interrupts_blocked = false;
    assert_true(turn(0, &due));
    assert_int_equal(fake(0)->interrupts, before + 1);
}

/* An LVT entry whose delivery mode is NMI raises one on its own CPU (SDM vol. 3, "Local Vector Table"). */
static void a_line_set_to_nmi_raises_one(void **state)
{
    (void)state;
    enum { MSR_LVT_LINT0 = 0x835 };
    write_msr(1, MSR_LVT_LINT0, 0x400);
    local_apic_set_lint0(p->vcpus[1].apic, true);
    assert_true(enters(1));
    assert_int_equal(fake_cpu.kicks[2], 1); /* the requests have been looked at already: once more */
    assert_true(enters(1));
    assert_int_equal(fake(1)->nmis, 1);
    assert_int_equal(fake(1)->interrupts, 0);
}

static void registers_are_read_back(void **state)
{
    (void)state;
    write_msr(1, MSR_TPR, 0x35);
    handle(1, (struct exit){.kind = EXIT_MSR_READ, .length = 2, .address = MSR_TPR});
    assert_int_equal(p->vcpus[1].gpr[GPR_RAX], 0x35);
    assert_int_equal(p->vcpus[1].gpr[GPR_RDX], 0);
    handle(1, (struct exit){.kind = EXIT_MSR_READ, .length = 2, .address = MSR_EOI}); /* write-only */
    assert_int_equal(fake(1)->exceptions, 1);
    assert_int_equal(fake(1)->vector, 13);
}

/* Only CR8 is given to exit; anything else is a fault of ours or of the CPU, and ends the guest with its record. */
static void another_control_register_ends(void **state)
{
    (void)state;
    handle(1, (struct exit){.kind = EXIT_CONTROL_REGISTER, .length = 3, .address = 3, .write = true});
    assert_int_equal(lifecycle_goal(p), GOAL_STOP);
    assert_int_equal(fake(1)->dumps, 1);
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
        TEST(requested_vectors_are_left_to_the_cpu),
        TEST(the_8259s_interrupts_are_injected_all_the_same),
        TEST(a_cpu_that_takes_by_itself_wakes_by_what_it_can_take),
        TEST(the_end_of_a_level_reaches_the_ioapic),
        TEST(a_written_register_has_its_consequences),
        TEST(without_a_model_there_is_nothing_to_end),
        TEST(shorthands_name_their_targets),
        TEST(lowest_priority_reaches_one),
        TEST(the_page_answers_in_xapic_mode),
        TEST(an_eoi_reaches_the_ioapic),
        TEST(the_8259s_come_through_lint0),
        TEST(a_line_set_to_nmi_raises_one),
        TEST(registers_are_read_back),
        TEST(another_control_register_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
