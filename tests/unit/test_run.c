/* The run loop against a scripted CPU: exits are counted and handled, requests obeyed, an ended guest not entered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/run.h"

#include <string.h>

#include "core/console.h"
#include "core/lifecycle.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

static struct partition *p;
static struct vcpu *vcpu;

static int set_up(bool virtual_interrupts)
{
    fake_guest_setup(BOOT_FLAT, 16 * KIB, 4 * KIB);
    fake_guest_module("demo", 16);
    fake_guest.config.load = fake_guest.config.entry = 0x1000;
    fake_guest.plan.virtual_interrupts = virtual_interrupts;
    fake_cpu_setup();
    p = fake_backend_setup(1);
    vcpu = &p->vcpus[0];
    assert_int_equal(lifecycle_ask(p, GOAL_START), LIFECYCLE_ACCEPTED);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return set_up(false);
}

static int setup_virtual(void **state)
{
    (void)state;
    return set_up(true);
}

static int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

/* Runs the loop until the script is used up. */
static void run_as(bool console, const struct exit *script, uint32_t length)
{
    jmp_buf end;
    fake_backend.script = script;
    fake_backend.script_length = length;
    fake_backend.end = &end;
    if (setjmp(end) == 0)
        run_cpu(&fake_backend_table, vcpu, console, fake_guest.machine.tsc_hz);
    fake_backend.end = NULL;
}

static void run(const struct exit *script, uint32_t length) { run_as(false, script, length); }

static void exits_are_counted_and_handled(void **state)
{
    (void)state;
    static const struct exit script[] = {
        {.kind = EXIT_CPUID, .length = 2},
        {.kind = EXIT_CPUID, .length = 2},
        {.kind = EXIT_KICK},
        {.kind = EXIT_HYPERCALL, .length = 3},
        {.kind = EXIT_PORT, .length = 1, .size = 1, .address = 0x1234},
    };
    run(script, array_size(script));
    const struct fake_vcpu *fake = fake_vcpu_of(vcpu);
    assert_int_equal(p->starts, 1);
    assert_int_equal(fake->runs, array_size(script) + 1);
    assert_int_equal(fake->advances, 4);
    assert_int_equal(vcpu->stats.exits[EXIT_CPUID], 2);
    assert_int_equal(vcpu->stats.exits[EXIT_KICK], 1);
    assert_int_equal(vcpu->stats.exits[EXIT_HYPERCALL], 1);
    assert_int_equal(vcpu->stats.exits[EXIT_PORT], 1);
    assert_int_equal(vcpu->stats.exits[EXIT_MEMORY], 0);
    assert_int_equal(vcpu->gpr[GPR_RAX] & 0xff, 0xff);
    /* A kick is taken note of before anything is looked at, each time round. */
    assert_int_equal(fake_cpu.kicks_taken, fake->runs);
}

/* A guest that resets itself goes on in its next life; no exit of the first one is counted there. */
static void reset_begins_anew(void **state)
{
    (void)state;
    static const struct exit script[] = {
        {.kind = EXIT_CPUID, .length = 2},
        {.kind = EXIT_PORT, .length = 1, .size = 1, .write = true, .address = 0x64, .value = 0xfe},
        {.kind = EXIT_CACHE, .length = 2},
    };
    run(script, array_size(script));
    assert_int_equal(p->starts, 2);
    assert_int_equal(fake_vcpu_of(vcpu)->resets, 2);
    assert_int_equal(vcpu->stats.exits[EXIT_CPUID], 0);
    assert_int_equal(vcpu->stats.exits[EXIT_CACHE], 1);
}

static void requests_come_before_the_guest(void **state)
{
    (void)state;
    static const struct exit script[] = {{.kind = EXIT_KICK}};
    run(script, array_size(script));
    assert_int_equal(fake_vcpu_of(vcpu)->nmis, 0);
    vcpu->requests = VCPU_REQUEST_NMI;
    run(NULL, 0);
    assert_int_equal(fake_vcpu_of(vcpu)->nmis, 1);
}

enum { SLOW_TICKS = 50000000 }; /* of the fake clock, far more than the console's period */

static size_t slow_read(struct console_port *self, char *to, size_t size)
{
    (void)self;
    (void)to;
    (void)size;
    fake_cpu.clock += SLOW_TICKS;
    return 0;
}

static size_t slow_write(struct console_port *self, const char *from, size_t size)
{
    (void)self;
    (void)from;
    return size;
}

/* On a slow CPU the console's work takes longer than its period. The guest has its time between all the same. */
static void console_leaves_the_guest_time(void **state)
{
    (void)state;
    static const struct plan plan;
    static const struct exit script[] = {{.kind = EXIT_KICK}, {.kind = EXIT_KICK}};
    struct console_port port = {.read = slow_read, .write = slow_write};
    console_init(&port, &(struct config){0}, &fake_guest.machine, &plan, &fake_backend_table);
    run_as(true, script, array_size(script));
    assert_int_equal(fake_vcpu_of(vcpu)->runs, array_size(script) + 1);
    assert_int_equal(fake_cpu.clock, SLOW_TICKS); /* it was not served again at once */
    assert_int_equal(fake_cpu.buffer_clears, 2);  /* for its start, and behind the other partitions' output */
    assert_in_range(fake_cpu.timer_deadline, fake_cpu.clock + fake_guest.machine.tsc_hz / 2000, UINT64_MAX - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exits_are_counted_and_handled),
        TEST(reset_begins_anew),
        TEST(requests_come_before_the_guest),
        cmocka_unit_test_setup_teardown(console_leaves_the_guest_time, setup_virtual, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
