/*
 * The short ways of the local APIC model, held against the long ones, whose tests name the rules of the SDM: two models
 * see the same, one by each way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/fast_apic.h"

#include <stdlib.h>

#include "core/acpi_tables.h"
#include "core/bytes.h"
#include "core/partition.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/local_apic_box.h"

enum { TIMER = 0x80, DEADLINE_MODE = 0x40000, OTHER = 0x91 };

static struct local_apic quick;

/* Whose local APIC that is. The second one: the 8259s are wired to the first. */
static struct vcpu vcpu;
static struct partition partition;

static void vcpu_setup(void)
{
    memset(&partition, 0, sizeof partition);
    fake_cpu_setup();
    fake_cpu.clock = now;
    memset(&vcpu, 0, sizeof vcpu);
    vcpu.index = 1;
    vcpu.apic = &quick;
    vcpu.partition = &partition;
    vcpu.loop_due = 3000;
}

static bool write_register(uint32_t number, uint64_t value)
{
    vcpu.gpr[GPR_RCX] = number | 0xffull << 32; /* the upper half does not count */
    vcpu.gpr[GPR_RAX] = (uint32_t)value | 0xffull << 32;
    vcpu.gpr[GPR_RDX] = value >> 32;
    return fast_apic_write(&vcpu);
}

static bool read_register(uint32_t number, uint64_t *value)
{
    vcpu.gpr[GPR_RCX] = number;
    vcpu.gpr[GPR_RAX] = vcpu.gpr[GPR_RDX] = UINT64_MAX;
    if (!fast_apic_read(&vcpu)) {
        assert_true(vcpu.gpr[GPR_RAX] == UINT64_MAX && vcpu.gpr[GPR_RDX] == UINT64_MAX);
        return false;
    }
    *value = vcpu.gpr[GPR_RDX] << 32 | vcpu.gpr[GPR_RAX];
    return true;
}

static bool end(void) { return write_register(x2(EOI), 0); }

static bool arm(uint64_t deadline)
{
    fake_cpu.clock = now;
    return write_register(MSR_DEADLINE, deadline);
}

static int timer(bool by_itself)
{
    fake_cpu.clock = now;
    return fast_apic_timer(&vcpu, by_itself);
}

/* x2APIC mode, TSC-deadline timer with a vector; both models alike. */
static int setup(void **state)
{
    setup_x2apic(state);
    assert_true(wrmsr(x2(LVT_TIMER), DEADLINE_MODE | TIMER));
    now = 1000;
    quick = lapic;
    vcpu_setup();
    return 0;
}

static void both_accept(uint8_t vector, bool level)
{
    accept(vector, level);
    const struct interrupt_message message = {
        .delivery = DELIVERY_FIXED, .vector = vector, .level = level, .assert_line = true};
    accept_message(&quick, &message);
}

static void both_take(uint8_t vector)
{
    local_apic_take(&lapic, vector);
    local_apic_take(&quick, vector);
}

static void expect_same(void) { assert_memory_equal(&quick, &lapic, sizeof quick); }

static void reads_are_the_same(void **state)
{
    (void)state;
    assert_true(wrmsr(x2(TPR), 0x30));
    quick = lapic;
    unsigned answered = 0;
    uint64_t value;
    for (uint32_t number = MSR_X2APIC; number < MSR_X2APIC + 0x100; number++) {
        if (!read_register(number, &value))
            continue;
        assert_true(value == rdmsr(number));
        answered++;
    }
    assert_int_equal(answered, 3);
    assert_false(read_register(0, &value));
    assert_false(read_register(UINT32_MAX, &value));
    /* Numbers that are the same in the bits of a register's offset. */
    for (uint32_t high = 1; high < 16; high++)
        for (uint32_t number = MSR_X2APIC; number < MSR_X2APIC + 0x40; number++)
            assert_false(read_register(high << 28 | number, &value));
    setup_enabled(NULL);
    quick = lapic;
    assert_false(read_register(x2(TPR), &value)); /* xAPIC: #GP */
}

static void an_eoi_is_the_same(void **state)
{
    (void)state;
    for (uint32_t vector = 16; vector < 256; vector++) {
        both_accept((uint8_t)vector, false);
        both_take((uint8_t)vector);
        assert_true(end());
        assert_true(wrmsr(x2(EOI), 0));
        assert_false(outcome.eoi);
        expect_same();
    }
    assert_true(end()); /* nothing in service: nothing ends */
    assert_true(wrmsr(x2(EOI), 0));
    expect_same();
}

static void nested_ones_end_from_the_top(void **state)
{
    (void)state;
    static const uint8_t vectors[] = {0x31, 0x91, 0xf1};
    for (size_t i = 0; i < array_size(vectors); i++) {
        both_accept(vectors[i], false);
        both_take(vectors[i]);
    }
    for (size_t i = 0; i < array_size(vectors); i++) {
        assert_true(end());
        assert_true(wrmsr(x2(EOI), 0));
        expect_same();
    }
    assert_int_equal(local_apic_pending(&quick), -1);
}

static void expect_eoi_declined(void)
{
    struct local_apic before = quick;
    assert_false(end());
    assert_memory_equal(&quick, &before, sizeof quick);
}

static void an_eoi_with_consequences_is_declined(void **state)
{
    (void)state;
    both_accept(OTHER, true);
    both_take(OTHER);
    expect_eoi_declined(); /* the I/O APIC must hear of it */
    setup(NULL);
    both_accept(OTHER, false);
    both_take(OTHER);
    both_accept(0x31, false);
    expect_eoi_declined(); /* another becomes deliverable */
    setup_enabled(NULL);
    quick = lapic;
    expect_eoi_declined(); /* xAPIC mode: #GP */
}

static void a_message_is_in_the_register_the_same(void **state)
{
    (void)state;
    static const uint64_t plain[] = {0x700004010, 0x7000000ff, 0x700004091, 0x7000040f0};
    static struct vcpu vcpus[8];
    struct local_apic receiver;
    struct local_apic_config config = {.id = 7};
    local_apic_power_on(&receiver, &config);
    vcpus[7].apic = &receiver;
    partition.vcpus = vcpus;
    partition.vcpu_count = array_size(vcpus);
    for (size_t i = 0; i < array_size(plain); i++) {
        assert_true(write_register(x2(ICR_LOW), plain[i]));
        assert_true(wrmsr(x2(ICR_LOW), plain[i]));
        assert_true(outcome.send);
        expect_same();
    }
    struct local_apic before = quick;
    assert_false(write_register(x2(ICR_LOW), 0x70000400f)); /* an error */
    for (uint32_t bit = 8; bit < 32; bit++)
        if (bit != 14)
            assert_false(write_register(x2(ICR_LOW), 0x700004091 | 1ull << bit));
    assert_memory_equal(&quick, &before, sizeof quick);
    setup_enabled(NULL);
    quick = lapic;
    assert_false(write_register(x2(ICR_LOW), 0x700004091)); /* xAPIC mode: #GP */
}

static void a_deadline_is_the_same(void **state)
{
    (void)state;
    static const uint64_t values[] = {1001, 5000, 2000, 0, UINT64_MAX, 0};
    for (size_t i = 0; i < array_size(values); i++) {
        assert_true(arm(values[i]));
        assert_true(wrmsr(MSR_DEADLINE, values[i]));
        expect_same();
        assert_true(local_apic_next_deadline(&quick) == local_apic_next_deadline(&lapic));
    }
}

static void expect_deadline_declined(uint64_t value)
{
    struct local_apic before = quick;
    assert_false(arm(value));
    assert_memory_equal(&quick, &before, sizeof quick);
}

static void a_deadline_that_is_due_is_declined(void **state)
{
    (void)state;
    expect_deadline_declined(now);
    expect_deadline_declined(1);
    assert_true(arm(1001));
    now = 1001;
    expect_deadline_declined(2000); /* the one before has passed and was not seen yet */
    expect_deadline_declined(0);
    assert_true(wrmsr(x2(LVT_TIMER), TIMER));
    quick = lapic;
    expect_deadline_declined(5000); /* not in this mode: ignored, by the long way */
}

static void the_timers_interrupt_is_the_same(void **state)
{
    (void)state;
    both_accept(TIMER, true); /* its vector has been a level-triggered one before */
    both_take(TIMER);
    assert_true(wrmsr(x2(EOI), 0));
    quick = lapic;
    assert_true(rdmsr(x2(TMR) + TIMER / 32) != 0);
    assert_true(arm(2000));
    assert_true(wrmsr(MSR_DEADLINE, 2000));
    now = 2000;
    assert_int_equal(timer(false), TIMER);
    local_apic_tick(&lapic, now);
    assert_int_equal(local_apic_pending(&lapic), TIMER);
    local_apic_take(&lapic, TIMER);
    expect_same();
    assert_int_equal(timer(false), -1); /* once */
}

/* For a CPU that takes vectors by itself; it is told of this one by the caller. */
static void the_timers_request_is_the_same(void **state)
{
    (void)state;
    both_accept(OTHER, false); /* company does not matter */
    both_take(OTHER);
    both_accept(OTHER + 1, false);
    assert_true(arm(2000));
    assert_true(wrmsr(MSR_DEADLINE, 2000));
    now = 1999;
    assert_int_equal(timer(true), -1);
    now = 2000;
    (void)!local_apic_take_changes(&lapic);
    (void)!local_apic_take_changes(&quick);
    assert_int_equal(timer(true), TIMER);
    local_apic_tick(&lapic, now);
    assert_int_equal(local_apic_take_changes(&lapic), LOCAL_APIC_CHANGED_VECTORS);
    expect_same();
    assert_int_equal(timer(true), -1); /* once */
}

static void a_request_that_was_level_triggered_is_declined(void **state)
{
    (void)state;
    both_accept(TIMER, true);
    both_take(TIMER);
    assert_true(arm(2000));
    now = 2000;
    struct local_apic before = quick;
    assert_int_equal(timer(true), -1);
    assert_memory_equal(&quick, &before, sizeof quick);
}

static void expect_timer_declined(void)
{
    struct local_apic before = quick;
    assert_int_equal(timer(false), -1);
    assert_memory_equal(&quick, &before, sizeof quick);
}

static void arm_and_wait(void)
{
    setup(NULL);
    assert_true(arm(2000));
    now = 2000;
}

static void the_timers_interrupt_with_company_is_declined(void **state)
{
    (void)state;
    const struct interrupt_message message = {.delivery = DELIVERY_FIXED, .vector = 0x31, .assert_line = true};
    const struct interrupt_message extint = {.delivery = DELIVERY_EXTINT, .assert_line = true};
    expect_timer_declined(); /* not armed */
    arm_and_wait();
    now--;
    expect_timer_declined();
    arm_and_wait();
    accept_message(&quick, &message);
    expect_timer_declined();
    arm_and_wait();
    assert_true(local_apic_post(&quick, &message));
    expect_timer_declined();
    arm_and_wait();
    accept_message(&quick, &extint);
    expect_timer_declined();
    arm_and_wait();
    quick.nmi = true;
    expect_timer_declined();
    arm_and_wait();
    quick.registers[TPR / 4] = TIMER & 0xf0;
    expect_timer_declined();
    quick.registers[TPR / 4] = (TIMER & 0xf0) - 1;
    assert_int_equal(timer(false), TIMER);
    arm_and_wait();
    accept_message(&quick,
                   &(struct interrupt_message){.delivery = DELIVERY_FIXED, .vector = TIMER | 0xf, .assert_line = true});
    local_apic_take(&quick, TIMER | 0xf);
    expect_timer_declined(); /* the same class is in service, and with a lower one too it goes the long way */
    arm_and_wait();
    quick.registers[LVT_TIMER / 4] |= MASKED;
    expect_timer_declined();
    arm_and_wait();
    quick.registers[LVT_TIMER / 4] = DEADLINE_MODE | 15;
    expect_timer_declined(); /* an error, for the long way */
}

static void the_cpus_timer_follows(void **state)
{
    (void)state;
    assert_true(write_register(MSR_DEADLINE, 2000));
    assert_int_equal(fake_cpu.timer_deadline, 2000);
    assert_true(write_register(MSR_DEADLINE, 5000));
    assert_int_equal(fake_cpu.timer_deadline, 3000); /* the run loop wants it before */
    assert_true(write_register(MSR_DEADLINE, 2000));
    fake_cpu.clock = 2000;
    assert_int_equal(fast_apic_timer(&vcpu, false), TIMER);
    assert_int_equal(fake_cpu.timer_deadline, 3000);
    assert_true(write_register(x2(EOI), 0));
    assert_int_equal(fast_apic_timer(&vcpu, false), -1);
    assert_true(write_register(MSR_DEADLINE, 2500));
    fake_cpu.clock = 3000;
    assert_int_equal(fast_apic_timer(&vcpu, false), -1); /* both are due: the run loop */
    assert_int_equal(quick.timer.deadline, 2500);
}

/* Two vCPUs, of which this is the second; `lapic` is the first one's. */
static struct vcpu pair[2];

static void pair_setup(void)
{
    power_on(0);
    assert_true(wrmsr(MSR_BASE, BASE_X2APIC));
    pair[0] = pair[1] = (struct vcpu){.partition = &partition};
    pair[0].apic = &lapic;
    pair[0].cpu = 5;
    partition = (struct partition){.vcpu_count = 2, .vcpus = pair};
}

static void a_message_to_another_is_posted(void **state)
{
    (void)state;
    pair_setup();
    assert_true(write_register(x2(ICR_LOW), 0x4091));
    assert_int_equal(fake_cpu.kicks[5], 1);
    assert_true(write_register(x2(ICR_LOW), 0x40a1));
    assert_int_equal(fake_cpu.kicks[5], 1); /* it is on its way */
    assert_true(wrmsr(x2(SVR), 0x1ff));
    local_apic_absorb(&lapic);
    assert_int_equal(local_apic_pending(&lapic), 0xa1);
    local_apic_take(&lapic, 0xa1);
    assert_true(wrmsr(x2(EOI), 0));
    assert_int_equal(local_apic_pending(&lapic), 0x91);
}

static void expect_message_declined(uint64_t value)
{
    struct local_apic sender = quick, receiver = lapic;
    assert_false(write_register(x2(ICR_LOW), value));
    assert_memory_equal(&quick, &sender, sizeof quick);
    assert_memory_equal(&lapic, &receiver, sizeof lapic);
    assert_int_equal(fake_cpu.kicks[5], 0);
}

static void other_messages_are_declined(void **state)
{
    (void)state;
    pair_setup();
    expect_message_declined(1ull << 32 | 0x4091); /* itself */
    expect_message_declined(2ull << 32 | 0x4091); /* nobody */
    expect_message_declined(0xffffffffull << 32 | 0x4091);
    expect_message_declined(0x4491); /* NMI */
    expect_message_declined(0x400f);
    assert_true(wrmsr(MSR_BASE, BASE_DISABLED));
    expect_message_declined(0x4091); /* takes nothing */
}

/* The first vCPU's interrupts from the 8259s come before its local APIC's: then the timer is the run loop's business.
 */
static void the_8259s_come_before_the_timer(void **state)
{
    (void)state;
    static struct ring ring;
    static const uint16_t writes[][2] = {{0x20, 0x11}, {0x21, 0x30}, {0x21, 4}, {0x21, 1}, {0x21, 0xef}};
    struct platform_outcome after;
    struct partition p = {.platform = calloc(1, platform_size())};
    assert_non_null(p.platform);
    platform_reset(p.platform, &ring, true, true, 1000000000);
    vcpu.index = 0;
    vcpu.partition = &p;
    assert_true(write_register(MSR_DEADLINE, 2000));
    fake_cpu.clock = 2000;
    struct local_apic before = quick;
    for (size_t i = 0; i < array_size(writes); i++) { /* the UART's input alone */
        struct bus_access a = {.address = writes[i][0], .size = 1, .write = true, .value = writes[i][1]};
        assert_true(platform_port(p.platform, &a, 2000, &after));
    }
    struct bus_access raise[] = {{.address = GUEST_UART_PORT + 4, .size = 1, .write = true, .value = 0x0b},
                                 {.address = GUEST_UART_PORT + 1, .size = 1, .write = true, .value = 2}};
    assert_true(platform_port(p.platform, &raise[0], 2000, &after));
    assert_true(platform_port(p.platform, &raise[1], 2000, &after));
    assert_int_equal(fast_apic_timer(&vcpu, false), -1);
    assert_memory_equal(&quick, &before, sizeof quick);
    raise[1].value = 0;
    assert_true(platform_port(p.platform, &raise[1], 2000, &after));
    assert_int_equal(fast_apic_timer(&vcpu, false), TIMER);
    free(p.platform);
}

/* A deadline that has passed raises its interrupt at once: more than a register's write. */
static void a_passed_deadline_is_declined(void **state)
{
    (void)state;
    struct local_apic before = quick;
    assert_false(write_register(MSR_DEADLINE, now));
    assert_memory_equal(&quick, &before, sizeof quick);
    assert_int_equal(fake_cpu.timer_deadline, 0);
}

static void other_registers_are_declined(void **state)
{
    (void)state;
    assert_false(write_register(x2(EOI), 1)); /* #GP */
    assert_false(write_register(x2(EOI), 1ull << 32));
    for (uint32_t number = MSR_X2APIC; number < MSR_X2APIC + 0x100; number++)
        if (number != x2(EOI))
            assert_false(write_register(number, 0));
    assert_false(write_register(MSR_BASE, BASE_X2APIC));
    vcpu.gpr[GPR_RCX] = x2(TPR) | 0xffull << 32;
    vcpu.gpr[GPR_RAX] = vcpu.gpr[GPR_RDX] = UINT64_MAX;
    quick.registers[TPR / 4] = 0x20;
    assert_true(fast_apic_read(&vcpu));
    assert_true(vcpu.gpr[GPR_RAX] == 0x20 && vcpu.gpr[GPR_RDX] == 0);
    vcpu.gpr[GPR_RCX] = x2(CURRENT_COUNT);
    assert_false(fast_apic_read(&vcpu));
    vcpu.apic = NULL;
    vcpu.gpr[GPR_RCX] = x2(TPR);
    assert_false(fast_apic_read(&vcpu));
    assert_false(write_register(x2(EOI), 0));
    assert_int_equal(fast_apic_timer(&vcpu, false), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reads_are_the_same, setup),
        cmocka_unit_test_setup(an_eoi_is_the_same, setup),
        cmocka_unit_test_setup(nested_ones_end_from_the_top, setup),
        cmocka_unit_test_setup(an_eoi_with_consequences_is_declined, setup),
        cmocka_unit_test_setup(a_message_is_in_the_register_the_same, setup),
        cmocka_unit_test_setup(a_deadline_is_the_same, setup),
        cmocka_unit_test_setup(a_deadline_that_is_due_is_declined, setup),
        cmocka_unit_test_setup(the_timers_interrupt_is_the_same, setup),
        cmocka_unit_test_setup(the_timers_request_is_the_same, setup),
        cmocka_unit_test_setup(a_request_that_was_level_triggered_is_declined, setup),
        cmocka_unit_test_setup(the_timers_interrupt_with_company_is_declined, setup),
        cmocka_unit_test_setup(the_cpus_timer_follows, setup),
        cmocka_unit_test_setup(a_message_to_another_is_posted, setup),
        cmocka_unit_test_setup(other_messages_are_declined, setup),
        cmocka_unit_test_setup(the_8259s_come_before_the_timer, setup),
        cmocka_unit_test_setup(a_passed_deadline_is_declined, setup),
        cmocka_unit_test_setup(other_registers_are_declined, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
