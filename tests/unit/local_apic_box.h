/*
 * One local APIC for a test, and the two ways to its registers. Frequencies are prime to each other, so that no
 * conversion is exact by accident.
 */
#pragma once

#include "core/local_apic.h"

enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    APR = 0x90,
    PPR = 0xa0,
    EOI = 0xb0,
    RRD = 0xc0,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR_LOW = 0x300,
    ICR_HIGH = 0x310,
    LVT_TIMER = 0x320,
    LVT_THERMAL = 0x330,
    LVT_PERFORMANCE = 0x340,
    LVT_LINT0 = 0x350,
    LVT_LINT1 = 0x360,
    LVT_ERROR = 0x370,
    INITIAL_COUNT = 0x380,
    CURRENT_COUNT = 0x390,
    DIVIDE = 0x3e0,
    SELF_IPI = 0x3f0
};
enum { MSR_BASE = 0x1b, MSR_DEADLINE = 0x6e0, MSR_X2APIC = 0x800 };

#define BASE_XAPIC    0xfee00900ull
#define BASE_X2APIC   0xfee00d00ull
#define BASE_DISABLED 0xfee00100ull
#define MASKED        0x10000u
#define TSC_HZ        2399999939ull
#define BUS_HZ        99999989u

static struct local_apic lapic;
static struct local_apic_outcome outcome;
static uint64_t now;

static inline void power_on(uint32_t id)
{
    const struct local_apic_config config = {.id = id, .bootstrap = true, .tsc_hz = TSC_HZ, .bus_hz = BUS_HZ};

    now = 0;
    local_apic_power_on(&lapic, &config);
}

static inline void take_outcome(struct local_apic *from)
{
    outcome = from->outcome;
    from->outcome = (struct local_apic_outcome){0};
}

static inline uint32_t get(uint32_t offset)
{
    struct bus_access access = {.address = LOCAL_APIC_BASE + offset, .size = 4, .value = 0xdead};

    assert_true(local_apic_memory(&lapic, &access, now));
    return (uint32_t)access.value;
}

static inline void put(uint32_t offset, uint32_t value)
{
    struct bus_access access = {.address = LOCAL_APIC_BASE + offset, .size = 4, .write = true, .value = value};

    assert_true(local_apic_memory(&lapic, &access, now));
    take_outcome(&lapic);
}

static inline bool rdmsr_ok(uint32_t number)
{
    uint64_t value;

    return local_apic_msr_read(&lapic, number, now, &value);
}

static inline uint64_t rdmsr(uint32_t number)
{
    uint64_t value = 0xdead;

    assert_true(local_apic_msr_read(&lapic, number, now, &value));
    return value;
}

static inline bool wrmsr(uint32_t number, uint64_t value)
{
    bool good = local_apic_msr_write(&lapic, number, value, now);

    take_outcome(&lapic);
    return good;
}

static inline uint32_t x2(uint32_t offset) { return MSR_X2APIC + offset / 0x10; }

static inline int setup_power_on(void **state)
{
    (void)state;
    power_on(0x35);
    return 0;
}

/* Software-enabled, xAPIC. */
static inline int setup_enabled(void **state)
{
    (void)state;
    power_on(0x35);
    put(SVR, 0x1ff);
    return 0;
}

static inline int setup_x2apic(void **state)
{
    (void)state;
    power_on(0x12345);
    assert_true(wrmsr(MSR_BASE, BASE_X2APIC));
    assert_true(wrmsr(x2(SVR), 0x1ff));
    return 0;
}

/* A post that is absorbed at once. */
static inline void accept_message(struct local_apic *to, const struct interrupt_message *message)
{
    (void)!local_apic_post(to, message);
    local_apic_absorb(to);
}

static inline void accept(uint8_t vector, bool level)
{
    const struct interrupt_message message = {
        .delivery = DELIVERY_FIXED, .vector = vector, .level = level, .assert_line = true};

    accept_message(&lapic, &message);
}
