/*
 * The run loop's waits: what the console's CPU does between guests, and how a guest that waits is waited for. Console
 * and supervision are records here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/run.h"

#include <string.h>

#include "core/lifecycle.h"
#include "core/log.h"
#include "core/supervise.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

#define HZ     fake_guest.machine.tsc_hz
#define PERIOD (HZ / 1000)

static struct partition *p;
static struct vcpu *vcpu;

/* In place of core/console.c and core/supervise.c: the looks that they get. */

static struct {
    uint32_t services, supervisions;
    uint64_t looked_at, tsc_hz;
    uint32_t end_after; /* leave the loop at this service; 0: never */
    jmp_buf end;
} looks;

void console_service(void)
{
    looks.services++;
    looks.looked_at = fake_cpu.clock;
    if (looks.services == looks.end_after)
        longjmp(looks.end, 1);
}
void console_end_box(bool reboot) { fail_msg("the box ends, reboot %d", reboot); }
void supervise(uint64_t now, uint64_t tsc_hz)
{
    assert_int_equal(now, looks.looked_at);
    looks.supervisions++;
    looks.tsc_hz = tsc_hz;
}

static int setup_mode(bool virtual_interrupts)
{
    fake_guest_setup(BOOT_FLAT, 16 * KIB, 4 * KIB);
    fake_guest_module("demo", 16);
    fake_guest.config.load = fake_guest.config.entry = 0x1000;
    fake_guest.plan.virtual_interrupts = virtual_interrupts;
    fake_cpu_setup();
    /* The loop remembers when the console is due: each test begins later than the one before has ended. */
    static uint64_t start;
    fake_cpu.clock = start += 1ull << 40;
    memset(&looks, 0, sizeof looks);
    p = fake_backend_setup(1);
    vcpu = &p->vcpus[0];
    assert_int_equal(lifecycle_ask(p, GOAL_START), LIFECYCLE_ACCEPTED);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    return setup_mode(false);
}

static int setup_virtual(void **state)
{
    (void)state;
    return setup_mode(true);
}

static int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

/* Runs the loop until the script is used up. */
static void run(const struct exit *script, uint32_t length)
{
    jmp_buf end;
    fake_backend.script = script;
    fake_backend.script_length = length;
    fake_backend.end = &end;
    if (setjmp(end) == 0)
        run_cpu(&fake_backend_table, vcpu, false, fake_guest.machine.tsc_hz);
    fake_backend.end = NULL;
}

/* Runs the loop with the console on its CPU until `services` looks at it. */
static void run_console(struct vcpu *of, uint32_t services)
{
    looks.end_after = services;
    if (setjmp(looks.end) == 0)
        run_cpu(&fake_backend_table, of, true, HZ);
}

static void until_the_wait_is_over(void) { fake_cpu.clock = fake_cpu.timer_deadline; }

/* A thousand looks a second, and no more; between them the CPU waits with its timer set to the next one. */
static void a_cpu_of_nobody_serves_the_console(void **state)
{
    (void)state;
    fake_cpu.on_wait = until_the_wait_is_over;
    uint64_t begin = fake_cpu.clock;
    run_console(NULL, 1001);
    assert_int_equal(looks.supervisions, 1000);
    assert_int_equal(looks.tsc_hz, HZ);
    assert_true(fake_cpu.clock == begin + HZ);
    assert_int_equal(fake_cpu.waits, 1000);
    assert_int_equal(fake_cpu.idles, 0);
}

static uint32_t spurious_wakes;

static void wake_early(void)
{
    fake_cpu.clock++;
    spurious_wakes++;
}

/* A CPU that is kicked again and again does not look more often for it. */
static void a_kick_is_no_look(void **state)
{
    (void)state;
    spurious_wakes = 0;
    fake_cpu.on_wait = wake_early;
    run_console(NULL, 2);
    assert_int_equal(spurious_wakes, PERIOD);
}

static void leave_the_loop(void) { longjmp(looks.end, 1); }

/* Without console and without a partition there is nothing that time could bring. */
static void an_idle_cpu_waits_for_ever(void **state)
{
    (void)state;
    fake_cpu.on_wait = leave_the_loop;
    if (setjmp(looks.end) == 0)
        run_cpu(&fake_backend_table, NULL, false, HZ);
    assert_true(fake_cpu.timer_deadline == UINT64_MAX);
    assert_int_equal(looks.services, 0);
}

/* The backend's timer brings the guest back for the console; a CPU without one says so once and runs the guest. */
static void a_direct_guest_shares_its_cpu_with_the_console(void **state)
{
    (void)state;
    static const struct exit script[] = {{.kind = EXIT_TIMER}};
    run_console(vcpu, 1);
    assert_int_equal(fake_vcpu_of(vcpu)->timer_ticks, PERIOD);
    looks.services = 0;
    fake_backend.script = script;
    fake_backend.script_length = array_size(script);
    fake_cpu.clock_step = PERIOD;
    run_console(vcpu, 2);
    assert_int_equal(vcpu->stats.exits[EXIT_TIMER], 1);
}

/* A modelled local APIC leaves the physical one's timer for that; the backend's is there too, and is not missed. */
static void a_virtual_guest_shares_its_cpu_with_the_console(void **state)
{
    (void)state;
    uint64_t before = log_ring()->written;
    run_console(vcpu, 1);
    assert_int_equal(fake_vcpu_of(vcpu)->timer_ticks, PERIOD);
    fake_vcpu_of(vcpu)->timer_missing = true;
    fake_cpu.clock += PERIOD;
    looks.services = 0;
    run_console(vcpu, 1);
    assert_int_equal(log_ring()->written, before);
}

static void a_missing_timer_is_told(void **state)
{
    (void)state;
    uint64_t before = log_ring()->written, at, lost;
    char text[256] = "";
    fake_vcpu_of(vcpu)->timer_missing = true;
    run_console(vcpu, 1);
    at = before;
    (void)ring_read(log_ring(), &at, text, sizeof text - 1, &lost);
    assert_non_null(strstr(text, "CPU 0 cannot serve the console while its guest runs with direct interrupts: fake has "
                                 "no timer for it\n"));
}

/* A paused direct guest's local APIC is not touched: its CPU idles, or looks at the clock when the console is its. */
static void a_paused_direct_guest_keeps_its_timer(void **state)
{
    (void)state;
    static const struct exit script[] = {{.kind = EXIT_KICK}};
    run(script, array_size(script));
    assert_int_equal(lifecycle_ask(p, GOAL_PAUSE), LIFECYCLE_ACCEPTED);
    fake_cpu.timer_deadline = 12345;
    fake_cpu.on_wait = leave_the_loop;
    if (setjmp(looks.end) == 0)
        run_cpu(&fake_backend_table, vcpu, false, HZ);
    assert_int_equal(fake_cpu.idles, 1);
    fake_cpu.clock_step = PERIOD / 4; /* the clock is read, and so goes on */
    run_console(vcpu, 10);
    assert_int_equal(fake_cpu.idles, 1);
    assert_int_equal(fake_cpu.waits, 0);
    assert_int_equal(fake_cpu.timer_deadline, 12345);
}

/* Before each entry the CPU's timer is what is due first: the guest's own, here none. */
static void a_virtual_guest_is_entered_with_the_timer_set(void **state)
{
    (void)state;
    static const struct exit script[] = {{.kind = EXIT_KICK}};
    fake_cpu.timer_deadline = 12345;
    run(script, array_size(script));
    assert_int_equal(fake_vcpu_of(vcpu)->runs, 2);
    assert_true(fake_cpu.timer_deadline > fake_cpu.clock);
    assert_int_not_equal(fake_cpu.timer_deadline, 12345);
}

static void a_halted_virtual_guest_waits(void **state)
{
    (void)state;
    static const struct exit script[] = {{.kind = EXIT_HALT, .length = 1}};
    fake_cpu.on_wait = leave_the_loop;
    fake_backend.script = script;
    fake_backend.script_length = array_size(script);
    if (setjmp(looks.end) == 0)
        run_cpu(&fake_backend_table, vcpu, false, HZ);
    assert_int_equal(fake_vcpu_of(vcpu)->runs, 1);
    assert_int_equal(fake_cpu.waits, 1);
    assert_int_equal(fake_cpu.idles, 0);
    assert_int_equal(vcpu->stats.exits[EXIT_HALT], 1);
}

#define TEST(name)    cmocka_unit_test_setup_teardown(name, setup, teardown)
#define VIRTUAL(name) cmocka_unit_test_setup_teardown(name, setup_virtual, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_cpu_of_nobody_serves_the_console),
        TEST(a_kick_is_no_look),
        TEST(an_idle_cpu_waits_for_ever),
        TEST(a_direct_guest_shares_its_cpu_with_the_console),
        TEST(a_missing_timer_is_told),
        TEST(a_paused_direct_guest_keeps_its_timer),
        VIRTUAL(a_virtual_guest_shares_its_cpu_with_the_console),
        VIRTUAL(a_virtual_guest_is_entered_with_the_timer_set),
        VIRTUAL(a_halted_virtual_guest_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
