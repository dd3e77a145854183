/*
 * What reaches a local APIC from other CPUs: posting, absorbing, and whom a destination names. Quoted are headings of
 * the Intel SDM, vol. 3A; posting itself is ours.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/local_apic.h"
#include "core/bytes.h"
#include "tests/unit/local_apic_box.h"

#include <pthread.h>

static bool post(uint8_t delivery, uint8_t vector, bool level)
{
    const struct interrupt_message message = {
        .delivery = delivery, .vector = vector, .level = level, .assert_line = true};

    return local_apic_post(&lapic, &message);
}

static void only_the_first_post_kicks(void **state)
{
    (void)state;
    assert_false(local_apic_has_posts(&lapic));
    assert_true(post(DELIVERY_FIXED, 0x40, false));
    assert_false(post(DELIVERY_FIXED, 0x41, true));
    assert_true(local_apic_has_posts(&lapic));
    assert_int_equal(local_apic_pending(&lapic), -1); /* not before it is absorbed */
    local_apic_absorb(&lapic);
    assert_false(local_apic_has_posts(&lapic));
    assert_int_equal(get(IRR + 0x20), 3);
    assert_int_equal(get(TMR + 0x20), 2);
    local_apic_absorb(&lapic);
    assert_int_equal(get(IRR + 0x20), 3);
    assert_true(post(DELIVERY_LOWEST, 0x41, false)); /* an edge this time */
    local_apic_absorb(&lapic);
    assert_int_equal(get(TMR + 0x20), 0);
}

/* "Delivery Mode": ExtINT is the 8259s; NMI, INIT and start-up are not the local APIC's, the rest is nothing. */
static void events_by_delivery_mode(void **state)
{
    static const uint8_t others[] = {DELIVERY_SMI, 3, DELIVERY_NMI, DELIVERY_INIT, DELIVERY_STARTUP, 0xff};

    (void)state;
    assert_true(post(DELIVERY_EXTINT, 0x20, false));
    assert_false(local_apic_extint(&lapic));
    local_apic_absorb(&lapic);
    assert_true(local_apic_extint(&lapic));
    local_apic_take_extint(&lapic);
    assert_false(local_apic_extint(&lapic));
    for (size_t i = 0; i < array_size(others); i++) {
        assert_false(post(others[i], 0x40, false));
        assert_false(local_apic_has_posts(&lapic));
    }
}

/* A message to itself takes in what others have posted before it. */
static void accepting_absorbs(void **state)
{
    (void)state;
    assert_true(post(DELIVERY_FIXED, 0x40, false));
    accept(0x41, false);
    assert_false(local_apic_has_posts(&lapic));
    assert_int_equal(get(IRR + 0x20), 3);
    accept(0x42, false);
    assert_int_equal(get(IRR + 0x20), 7);
    const struct interrupt_message extint = {.delivery = DELIVERY_EXTINT};
    accept_message(&lapic, &extint);
    assert_true(local_apic_extint(&lapic));
    local_apic_init_reset(&lapic);
    assert_false(local_apic_extint(&lapic));
}

/* "Local APIC State After It Has Been Software Disabled": fixed interrupts are not accepted. */
static void a_disabled_apic_takes_nothing(void **state)
{
    (void)state;
    put(SVR, 0xff);
    assert_true(post(DELIVERY_FIXED, 0x40, false));
    assert_false(post(DELIVERY_EXTINT, 0, false));
    local_apic_absorb(&lapic);
    put(SVR, 0x1ff);
    assert_int_equal(local_apic_pending(&lapic), -1);
    assert_false(local_apic_extint(&lapic));
    assert_true(wrmsr(MSR_BASE, BASE_DISABLED));
    assert_true(post(DELIVERY_FIXED, 0x40, false));
    assert_false(post(DELIVERY_EXTINT, 0, false));
    local_apic_absorb(&lapic);
    assert_true(wrmsr(MSR_BASE, BASE_XAPIC));
    assert_int_equal(local_apic_pending(&lapic), -1);
    assert_false(local_apic_extint(&lapic));
}

/* "Error Status Register": receive illegal vector. */
static void an_illegal_vector_is_the_receivers_error(void **state)
{
    (void)state;
    assert_true(post(DELIVERY_FIXED, 15, false));
    local_apic_absorb(&lapic);
    assert_int_equal(get(IRR), 0);
    put(ESR, 0);
    assert_int_equal(get(ESR), 0x40);
}

/* The level of the pin outlives INIT. */
static void init_keeps_the_level_of_the_pin(void **state)
{
    (void)state;
    local_apic_set_lint0(&lapic, true);
    local_apic_init_reset(&lapic);
    put(SVR, 0x1ff);
    assert_false(local_apic_extint(&lapic));
    put(LVT_LINT0, 0x700);
    assert_true(local_apic_extint(&lapic));
}

enum { SENDERS = 3, ROUNDS = 20000 };
static uint32_t kicks;
static uint32_t done;

static void *send(void *argument)
{
    uint8_t base = (uint8_t)(0x20 + 0x40 * (uintptr_t)argument);

    for (uint32_t i = 0; i < ROUNDS; i++)
        if (post(DELIVERY_FIXED, (uint8_t)(base + i % 64), i % 2 != 0))
            __atomic_fetch_add(&kicks, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* The owner looks only when a kick says so; nothing may be left behind, and every vector has its own trigger mode. */
static void no_post_is_lost_between_cpus(void **state)
{
    pthread_t threads[SENDERS];
    uint32_t seen = 0;

    (void)state;
    kicks = done = 0;
    for (uintptr_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send, (void *)i), 0);
    while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < SENDERS || seen < __atomic_load_n(&kicks, __ATOMIC_SEQ_CST)) {
        uint32_t count = __atomic_load_n(&kicks, __ATOMIC_SEQ_CST);
        if (count == seen)
            continue;
        seen = count;
        local_apic_absorb(&lapic);
    }
    for (uint32_t i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(local_apic_has_posts(&lapic));
    for (uint32_t vector = 0x20; vector < 0x20 + SENDERS * 0x40; vector++) {
        assert_true((get(IRR + vector / 32 * 0x10) >> vector % 32 & 1) != 0);
        assert_int_equal(get(TMR + vector / 32 * 0x10) >> vector % 32 & 1, vector % 2);
    }
}

static bool matches(uint32_t destination, bool logical)
{
    const struct interrupt_message message = {.destination = destination, .logical = logical};

    return local_apic_matches(&lapic, &message);
}

/* "Determining IPI Destination": physical. */
static void physical_destinations(void **state)
{
    (void)state;
    assert_true(matches(0x35, false));
    assert_false(matches(0x34, false));
    assert_false(matches(0x135, false));
    assert_false(matches(0xff, false)); /* whoever sends makes FFh the broadcast */
    assert_true(matches(0xffffffff, false));
    setup_x2apic(state);
    assert_true(matches(0x12345, false));
    assert_false(matches(0x45, false));
    assert_true(matches(0xffffffff, false));
    assert_true(wrmsr(MSR_BASE, BASE_DISABLED));
    assert_false(matches(0x12345, false));
    assert_false(matches(0xffffffff, false));
}

/* "Logical Destination Mode": flat and cluster model. */
static void logical_destinations_of_an_xapic(void **state)
{
    (void)state;
    assert_false(matches(0xff, true)); /* LDR 0: no one */
    put(LDR, 0x12000000);
    assert_true(matches(0x10, true));
    assert_true(matches(0x02, true));
    assert_false(matches(0x01, true));
    assert_true(matches(0xff, true));
    assert_false(matches(0x110, true));
    assert_true(matches(0xffffffff, true));
    put(DFR, 0x0fffffff); /* cluster 1, member 2 */
    assert_true(matches(0x12, true));
    assert_true(matches(0x1f, true));
    assert_false(matches(0x11, true));
    assert_false(matches(0x22, true));
    assert_true(matches(0xff, true));
    assert_false(matches(0x112, true));
    put(DFR, 0x7fffffff); /* no model */
    assert_false(matches(0x12, true));
}

/* "Logical Destination Mode in x2APIC Mode": LDR = (id[19:4] << 16) | (1 << id[3:0]). */
static void logical_destinations_of_an_x2apic(void **state)
{
    (void)state;
    assert_int_equal(rdmsr(x2(LDR)), 0x12340020);
    assert_true(matches(0x12340020, true));
    assert_true(matches(0x1234ffff, true));
    assert_false(matches(0x1234ffdf, true));
    assert_false(matches(0x12350020, true));
    assert_false(matches(0x12340000, true));
    assert_true(matches(0xffffffff, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(only_the_first_post_kicks, setup_enabled),
        cmocka_unit_test_setup(events_by_delivery_mode, setup_enabled),
        cmocka_unit_test_setup(accepting_absorbs, setup_enabled),
        cmocka_unit_test_setup(a_disabled_apic_takes_nothing, setup_enabled),
        cmocka_unit_test_setup(an_illegal_vector_is_the_receivers_error, setup_enabled),
        cmocka_unit_test_setup(init_keeps_the_level_of_the_pin, setup_enabled),
        cmocka_unit_test_setup(no_post_is_lost_between_cpus, setup_enabled),
        cmocka_unit_test_setup(physical_destinations, setup_enabled),
        cmocka_unit_test_setup(logical_destinations_of_an_xapic, setup_enabled),
        cmocka_unit_test_setup(logical_destinations_of_an_x2apic, setup_x2apic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
