/*
 * The local APIC: modes, registers, priorities, local sources, commands and errors. Each test names the section of the
 * Intel SDM, vol. 3A, whose rule it holds the model to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/local_apic.h"
#include "core/bytes.h"
#include "tests/unit/local_apic_box.h"

enum { SEND_VECTOR = 0x20, RECEIVE_VECTOR = 0x40, ILLEGAL_REGISTER = 0x80 };

static bool took_nmi(void)
{
    bool raised = lapic.nmi;
    lapic.nmi = false;
    return raised;
}

static uint32_t esr(void)
{
    put(ESR, 0);
    return get(ESR);
}

/* "Local APIC State After Power-Up or Reset" */
static void power_up_values(void **state)
{
    (void)state;
    assert_true(rdmsr(MSR_BASE) == BASE_XAPIC);
    assert_true(local_apic_page(&lapic, LOCAL_APIC_BASE));
    assert_int_equal(get(ID), 0x35000000);
    assert_int_equal(get(VERSION), 0x01050014);
    for (uint32_t offset = ISR; offset < ESR; offset += 0x10)
        assert_int_equal(get(offset), 0);
    static const uint32_t zero[] = {TPR,     APR,      PPR,           RRD,           LDR,   ESR,
                                    ICR_LOW, ICR_HIGH, INITIAL_COUNT, CURRENT_COUNT, DIVIDE};
    for (size_t i = 0; i < array_size(zero); i++)
        assert_int_equal(get(zero[i]), 0);
    assert_int_equal(get(DFR), 0xffffffff);
    assert_int_equal(get(SVR), 0xff);
    for (uint32_t offset = LVT_TIMER; offset <= LVT_ERROR; offset += 0x10)
        assert_int_equal(get(offset), MASKED);
    assert_int_equal(local_apic_pending(&lapic), -1);
    assert_false(local_apic_extint(&lapic));
    assert_true(local_apic_next_deadline(&lapic) == LOCAL_APIC_NEVER);
    lapic.config.bootstrap = false;
    struct local_apic_config config = lapic.config;
    local_apic_power_on(&lapic, &config);
    assert_true(rdmsr(MSR_BASE) == 0xfee00800);
}

/* "Local APIC Register Address Map": what each register keeps of all ones. */
static void writable_bits(void **state)
{
    static const struct {
        uint32_t offset, want;
    } registers[] = {
        {SVR, 0x13ff},
        {TPR, 0xff},
        {LDR, 0xff000000},
        {ICR_HIGH, 0xff000000},
        {LVT_TIMER, 0x700ff},
        {LVT_THERMAL, 0x107ff},
        {LVT_PERFORMANCE, 0x107ff},
        {LVT_LINT0, 0x1a7ff},
        {LVT_LINT1, 0x1a7ff},
        {LVT_ERROR, 0x100ff},
        {DIVIDE, 0xb},
        {INITIAL_COUNT, 0xffffffff},
        {ID, 0x35000000},
        {VERSION, 0x01050014},
        {RRD, 0},
        {EOI, 0},
        {CURRENT_COUNT, 0},
        {ISR, 0},
        {IRR + 0x70, 0},
    };

    (void)state;
    for (size_t i = 0; i < array_size(registers); i++) {
        put(registers[i].offset, 0xffffffff);
        assert_int_equal(get(registers[i].offset), registers[i].want);
    }
    put(DFR, 0);
    assert_int_equal(get(DFR), 0x0fffffff);
    put(ICR_LOW, 0xfff3f8ff); /* fixed, no shorthand, every other bit: delivery status is not kept */
    assert_int_equal(get(ICR_LOW), 0xc8ff);
    put(PPR, 0xff);
    put(TPR, 0);
    assert_int_equal(get(PPR), 0);
    assert_int_equal(esr(), 0);
}

/* "Error Status Register": illegal register address, in xAPIC mode. */
static void reserved_addresses(void **state)
{
    static const uint32_t reserved[] = {0x00, 0x10, 0x40, 0x70, 0x290, 0x2e0, 0x2f0, 0x3a0, 0x3d0, 0x3f0, 0x400, 0xff0};
    struct bus_access odd = {.address = LOCAL_APIC_BASE + VERSION, .size = 1, .value = 0x77};

    (void)state;
    for (size_t i = 0; i < array_size(reserved); i++) {
        assert_int_equal(get(reserved[i]), 0);
        assert_int_equal(esr(), ILLEGAL_REGISTER);
        put(reserved[i], 0xff);
        assert_int_equal(esr(), ILLEGAL_REGISTER);
        assert_int_equal(esr(), 0);
    }
    assert_true(local_apic_memory(&lapic, &odd, now));
    assert_int_equal(odd.value, 0);
    odd = (struct bus_access){.address = LOCAL_APIC_BASE + VERSION + 4, .size = 4, .value = 0x77};
    assert_true(local_apic_memory(&lapic, &odd, now));
    assert_int_equal(odd.value, 0);
    odd = (struct bus_access){.address = LOCAL_APIC_BASE + TPR, .size = 8, .write = true, .value = 0x1234};
    assert_true(local_apic_memory(&lapic, &odd, now));
    assert_int_equal(get(TPR), 0);
    assert_int_equal(esr(), 0);
}

/* "x2APIC State Transitions": from each mode to each mode. */
static void mode_transitions(void **state)
{
    static const uint64_t modes[] = {BASE_DISABLED, BASE_DISABLED | 0x400, BASE_XAPIC, BASE_X2APIC};
    static const bool legal[4][4] = {
        {true, false, true, false}, /* from disabled */
        {false},                    /* cannot be reached */
        {true, false, true, true},  /* from xAPIC */
        {true, false, false, true}, /* from x2APIC */
    };

    (void)state;
    for (size_t from = 0; from < 4; from++) {
        for (size_t to = 0; from != 1 && to < 4; to++) {
            power_on(7);
            assert_true(from == 2 || wrmsr(MSR_BASE, modes[from]));
            assert_int_equal(wrmsr(MSR_BASE, modes[to]), legal[from][to]);
            assert_true(rdmsr(MSR_BASE) == (legal[from][to] ? modes[to] : modes[from]));
            assert_int_equal(local_apic_page(&lapic, LOCAL_APIC_BASE), rdmsr(MSR_BASE) == BASE_XAPIC);
        }
    }
}

/* "Local APIC Status and Location": reserved bits; BSP; and the page does not move. */
static void base_register_bits(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < 64; bit++) {
        bool changeable = bit == 8 || bit == 10 || bit == 11;
        power_on(7);
        assert_int_equal(wrmsr(MSR_BASE, BASE_XAPIC ^ (uint64_t)1 << bit), changeable);
    }
    power_on(7);
    assert_true(wrmsr(MSR_BASE, BASE_XAPIC & ~0x100ull));
    assert_true(rdmsr(MSR_BASE) == BASE_XAPIC);
    assert_true(wrmsr(MSR_BASE, BASE_DISABLED));
}

/* "x2APIC Transitions From Disabled Mode": registers are lost on the way, the id is not. */
static void disabling_loses_the_registers(void **state)
{
    (void)state;
    put(TPR, 0x20);
    put(LVT_LINT0, 0x700);
    accept(0x80, false);
    assert_true(wrmsr(MSR_BASE, BASE_DISABLED));
    assert_int_equal(local_apic_pending(&lapic), -1);
    struct bus_access access = {.address = LOCAL_APIC_BASE + ID, .size = 4, .value = 0x77};
    assert_false(local_apic_memory(&lapic, &access, now));
    assert_int_equal(access.value, 0x77);
    assert_false(rdmsr_ok(x2(ID)));
    accept(0x80, false); /* nobody there */
    assert_true(wrmsr(MSR_BASE, BASE_XAPIC));
    assert_int_equal(get(TPR), 0);
    assert_int_equal(get(SVR), 0xff);
    assert_int_equal(get(LVT_LINT0), MASKED);
    assert_int_equal(get(ID), 0x35000000);
    assert_int_equal(local_apic_pending(&lapic), -1);
}

/* "State Changes From xAPIC Mode to x2APIC Mode": initialised registers stay, the logical id becomes the derived one.
 */
static void entering_x2apic_keeps_the_registers(void **state)
{
    (void)state;
    put(TPR, 0x20);
    put(LVT_ERROR, 0x44);
    put(LDR, 0x01000000);
    put(ICR_HIGH, 0x05000000);
    accept(0x80, false);
    assert_true(wrmsr(MSR_BASE, BASE_X2APIC));
    assert_int_equal(rdmsr(x2(TPR)), 0x20);
    assert_int_equal(rdmsr(x2(LVT_ERROR)), 0x44);
    assert_int_equal(rdmsr(x2(LDR)), 0x00030020);
    assert_true(rdmsr(x2(ICR_LOW)) == 0);
    assert_int_equal(local_apic_pending(&lapic), 0x80);
    struct bus_access access = {.address = LOCAL_APIC_BASE + ID, .size = 4};
    assert_false(local_apic_memory(&lapic, &access, now));
}

/* "Local APIC State After an INIT Reset", "x2APIC State Transitions": INIT keeps mode and id. */
static void init_keeps_mode_and_id(void **state)
{
    (void)state;
    assert_true(wrmsr(x2(TPR), 0x20));
    assert_true(wrmsr(x2(LVT_TIMER), 0x40044));
    assert_true(wrmsr(MSR_DEADLINE, 1000));
    accept(0x80, false);
    assert_true(local_apic_post(&lapic, &(struct interrupt_message){.delivery = DELIVERY_FIXED, .vector = 0x90}));
    local_apic_init_reset(&lapic);
    local_apic_absorb(&lapic);
    assert_true(rdmsr(MSR_BASE) == BASE_X2APIC);
    assert_int_equal(rdmsr(x2(ID)), 0x12345);
    assert_int_equal(rdmsr(x2(LDR)), 0x12340020);
    assert_int_equal(rdmsr(x2(SVR)), 0xff);
    assert_int_equal(rdmsr(x2(LVT_TIMER)), MASKED);
    assert_int_equal(rdmsr(x2(TPR)), 0);
    assert_int_equal(rdmsr(MSR_DEADLINE), 0);
    assert_true(wrmsr(x2(SVR), 0x1ff));
    assert_int_equal(local_apic_pending(&lapic), -1);
}

/* "x2APIC Register Address Space" and "Reserved Bit Checking": every MSR, both ways. */
static void x2apic_access_rights(void **state)
{
    (void)state;
    for (uint32_t number = 0x7ff; number <= 0x900; number++) {
        uint32_t i = number - 0x800; /* wraps for 7ffh: beyond everything */
        bool maps = i >= 0x10 && i <= 0x27;
        bool both = i == 0x08 || i == 0x0f || i == 0x28 || i == 0x30 || (i >= 0x32 && i <= 0x38) || i == 0x3e;
        bool read_only = i == 0x02 || i == 0x03 || i == 0x0a || i == 0x0d || maps || i == 0x39;
        bool write_only = i == 0x0b || i == 0x3f;
        setup_x2apic(state);
        assert_int_equal(rdmsr_ok(number), both || read_only);
        assert_int_equal(wrmsr(number, 0), both || write_only);
    }
    static const struct {
        uint32_t offset;
        uint32_t good;
    } masks[] = {
        {TPR, 0xff},
        {EOI, 0},
        {SVR, 0x13ff},
        {ESR, 0},
        {LVT_TIMER, 0x710ff},
        {LVT_THERMAL, 0x117ff},
        {LVT_LINT0, 0x1f7ff},
        {LVT_LINT1, 0x1f7ff},
        {LVT_ERROR, 0x110ff},
        {DIVIDE, 0xb},
        {SELF_IPI, 0xff},
        {INITIAL_COUNT, 0xffffffff},
        {LVT_PERFORMANCE, 0x117ff},
    };
    for (size_t i = 0; i < array_size(masks); i++) {
        for (uint32_t bit = 0; bit < 64; bit++) {
            setup_x2apic(state);
            bool good = bit < 32 && (masks[i].good >> bit & 1) != 0;
            assert_int_equal(wrmsr(x2(masks[i].offset), (uint64_t)1 << bit), good);
        }
    }
    for (uint32_t bit = 0; bit < 64; bit++) {
        setup_x2apic(state);
        assert_int_equal(wrmsr(x2(ICR_LOW), (uint64_t)1 << bit), bit >= 32 || (0xcdfffu >> bit & 1) != 0);
    }
    power_on(0);
    for (uint32_t number = 0x800; number < 0x840; number++) { /* not in xAPIC mode */
        assert_false(rdmsr_ok(number));
        assert_false(wrmsr(number, 0));
    }
    assert_false(rdmsr_ok(0x1a));
    assert_false(wrmsr(0x1c, 0));
}

/* "Task Priority and Processor Priority"; CR8 is its class. */
static void processor_priority(void **state)
{
    (void)state;
    put(TPR, 0x37);
    assert_int_equal(get(PPR), 0x37);
    assert_int_equal(local_apic_cr8(&lapic), 3);
    accept(0x35, false); /* same class as TPR */
    assert_int_equal(local_apic_pending(&lapic), -1);
    accept(0x40, false);
    assert_int_equal(local_apic_pending(&lapic), 0x40);
    local_apic_take(&lapic, 0x40);
    assert_int_equal(get(PPR), 0x40);
    assert_int_equal(local_apic_pending(&lapic), -1);
    accept(0x4f, false); /* same class as the one in service */
    assert_int_equal(local_apic_pending(&lapic), -1);
    accept(0x50, false);
    assert_int_equal(local_apic_pending(&lapic), 0x50);
    put(TPR, 0x45);
    assert_int_equal(get(PPR), 0x45);
    assert_true(local_apic_set_cr8(&lapic, 15));
    assert_int_equal(get(TPR), 0xf0);
    assert_int_equal(local_apic_pending(&lapic), -1);
    assert_true(local_apic_set_cr8(&lapic, 0));
    assert_false(local_apic_set_cr8(&lapic, 16));
    assert_false(local_apic_set_cr8(&lapic, UINT64_MAX));
    assert_int_equal(get(TPR), 0);
}

/* "Interrupt Acceptance for Fixed Interrupts": all vectors, highest first, through IRR and ISR to EOI. */
static void every_vector_comes_in_order(void **state)
{
    (void)state;
    for (uint32_t vector = 16; vector < 256; vector++) {
        accept((uint8_t)vector, false);
        assert_true((get(IRR + vector / 32 * 0x10) >> vector % 32 & 1) != 0);
        accept((uint8_t)vector, false); /* merges */
    }
    for (uint32_t vector = 255; vector >= 16; vector--) {
        assert_int_equal(local_apic_pending(&lapic), (int)vector);
        local_apic_take(&lapic, (uint8_t)vector);
        assert_int_equal(get(IRR + vector / 32 * 0x10) >> vector % 32 & 1, 0);
        assert_int_equal(get(ISR + vector / 32 * 0x10), 1u << vector % 32);
        assert_int_equal(get(PPR), vector & 0xf0);
        put(EOI, 0);
        assert_int_equal(get(ISR + vector / 32 * 0x10), 0);
        assert_false(outcome.eoi);
    }
    assert_int_equal(local_apic_pending(&lapic), -1);
    local_apic_take(&lapic, 0x80); /* not requested */
    assert_int_equal(get(ISR + 0x40), 0);
}

/* "Signaling Interrupt Servicing Completion": nesting, and the message to the I/O APICs for level vectors only. */
static void eoi_ends_the_highest_and_is_broadcast_for_levels(void **state)
{
    (void)state;
    accept(0x41, true);
    local_apic_take(&lapic, 0x41);
    accept(0x91, false);
    local_apic_take(&lapic, 0x91);
    assert_int_equal(get(TMR + 0x20), 2);
    put(EOI, 0xffffffff);
    assert_false(outcome.eoi);
    put(EOI, 0);
    assert_true(outcome.eoi);
    assert_int_equal(outcome.eoi_vector, 0x41);
    put(EOI, 0); /* nothing in service */
    assert_false(outcome.eoi);
    accept(0x41, false); /* an edge now: TMR follows the last acceptance */
    assert_int_equal(get(TMR + 0x20), 0);
    local_apic_take(&lapic, 0x41);
    put(EOI, 0);
    assert_false(outcome.eoi);
    put(SVR, 0x11ff); /* "EOI-broadcast suppression" */
    accept(0x41, true);
    local_apic_take(&lapic, 0x41);
    put(EOI, 0);
    assert_false(outcome.eoi);
}

/* "Arbitration Priority Register (APR)" */
static void arbitration_priority(void **state)
{
    (void)state;
    put(TPR, 0x58);
    assert_int_equal(get(APR), 0x58);
    accept(0x72, false);
    assert_int_equal(get(APR), 0x70);
    local_apic_take(&lapic, 0x72);
    assert_int_equal(get(APR), 0x50 & 0x70);
}

/* "Local APIC State After It Has Been Software Disabled" */
static void software_disabled(void **state)
{
    (void)state;
    put(LVT_LINT0, 0x45);
    accept(0x80, false);
    put(SVR, 0xff);
    assert_int_equal(get(LVT_LINT0), 0x45 | MASKED);
    put(LVT_LINT0, 0x46);
    assert_int_equal(get(LVT_LINT0), 0x46 | MASKED);
    accept(0x90, false);
    assert_int_equal(local_apic_pending(&lapic), 0x80); /* "are held": what was there before */
    put(ICR_LOW, 0x40091);                              /* to itself */
    assert_int_equal(local_apic_pending(&lapic), 0x80);
    put(ICR_LOW, 0x4055); /* it can still send */
    assert_true(outcome.send);
    put(SVR, 0x1ff);
    assert_int_equal(get(LVT_LINT0), 0x46 | MASKED);
    put(LVT_LINT0, 0x46);
    assert_int_equal(get(LVT_LINT0), 0x46);
}

/* "Local Vector Table": delivery modes of the pin. */
static void pins_deliver_as_programmed(void **state)
{
    static const struct {
        uint32_t entry;
        int pending;
        bool nmi, extint;
    } cases[] = {
        {0x00045, 0x45, false, false}, {0x10045, -1, false, false},
        {0x00200, -1, false, false},                               /* SMI and INIT: not for a guest to give itself */
        {0x00400, -1, true, false},    {0x08400, -1, true, false}, /* the trigger bit means nothing */
        {0x10400, -1, false, false},   {0x00500, -1, false, false},
        {0x00700, -1, false, true},    {0x10700, -1, false, false},
        {0x00145, -1, false, false}, /* reserved modes */
        {0x00345, -1, false, false},   {0x00645, -1, false, false},
    };

    for (size_t i = 0; i < array_size(cases); i++) {
        setup_enabled(state);
        put(LVT_LINT0, cases[i].entry);
        assert_false(took_nmi());
        local_apic_set_lint0(&lapic, true);
        assert_int_equal(local_apic_pending(&lapic), cases[i].pending);
        assert_int_equal(local_apic_extint(&lapic), cases[i].extint);
        assert_int_equal(took_nmi(), cases[i].nmi);
        local_apic_set_lint0(&lapic, true); /* no edge */
        assert_false(took_nmi());
        local_apic_set_lint0(&lapic, false);
        assert_false(local_apic_extint(&lapic));
    }
}

/* "Local Vector Table": trigger mode and remote IRR of LINT0. */
static void level_triggered_lint0(void **state)
{
    (void)state;
    put(LVT_LINT0, 0x08045);
    local_apic_set_lint0(&lapic, true);
    assert_int_equal(get(LVT_LINT0), 0x0c045);
    assert_int_equal(get(TMR + 0x20), 0x20);
    local_apic_take(&lapic, 0x45);
    assert_int_equal(local_apic_pending(&lapic), -1);
    put(EOI, 0); /* still asserted: again */
    assert_int_equal(local_apic_pending(&lapic), 0x45);
    local_apic_take(&lapic, 0x45);
    local_apic_set_lint0(&lapic, false);
    put(EOI, 0);
    assert_int_equal(local_apic_pending(&lapic), -1);
    assert_int_equal(get(LVT_LINT0), 0x08045);
    put(LVT_LINT0, 0x18045);
    local_apic_set_lint0(&lapic, true);
    assert_int_equal(local_apic_pending(&lapic), -1);
    put(LVT_LINT0, 0x08045); /* unmasked while asserted */
    assert_int_equal(local_apic_pending(&lapic), 0x45);
    put(LVT_LINT0, 0x00045); /* an edge now: remote IRR has no meaning */
    assert_int_equal(get(LVT_LINT0), 0x00045);
    put(LVT_LINT0, 0x0c045); /* remote IRR is read-only: this one is the acceptance, not the write */
    local_apic_take(&lapic, 0x45);
    put(LVT_LINT0, 0x0c046);
    assert_int_equal(get(LVT_LINT0), 0x0c046);
    put(EOI, 0); /* of 45h */
    assert_int_equal(get(LVT_LINT0), 0x0c046);
}

/* An edge is one whatever came of the one before. */
static void every_rise_is_an_edge(void **state)
{
    (void)state;
    put(LVT_LINT0, 0x00045);
    local_apic_set_lint0(&lapic, true);
    local_apic_take(&lapic, 0x45);
    assert_int_equal(get(TMR + 0x20), 0);
    put(EOI, 0);
    assert_int_equal(local_apic_pending(&lapic), -1);
    local_apic_set_lint0(&lapic, false);
    assert_int_equal(local_apic_pending(&lapic), -1);
    local_apic_set_lint0(&lapic, true);
    assert_int_equal(local_apic_pending(&lapic), 0x45);
}

/* "Local APIC Status and Location": with EN = 0 the pin is the CPU's INTR. */
static void pins_of_a_disabled_apic(void **state)
{
    (void)state;
    assert_true(wrmsr(MSR_BASE, BASE_DISABLED));
    local_apic_set_lint0(&lapic, true);
    assert_true(local_apic_extint(&lapic));
    assert_true(wrmsr(MSR_BASE, BASE_XAPIC));
    assert_false(local_apic_extint(&lapic));
}

/* "Interrupt Command Register (ICR)": fields, in both modes. */
static void icr_becomes_a_message(void **state)
{
    (void)state;
    put(ICR_HIGH, 0x12345678);
    assert_false(outcome.send);
    put(ICR_LOW, 0x4055);
    assert_true(outcome.send);
    assert_int_equal(outcome.message.destination, 0x12);
    assert_int_equal(outcome.message.vector, 0x55);
    assert_int_equal(outcome.message.delivery, DELIVERY_FIXED);
    assert_false(outcome.message.logical);
    assert_true(outcome.message.assert_line);
    assert_int_equal(outcome.message.shorthand, SHORTHAND_NONE);
    put(ICR_LOW, 0xc9ff); /* lowest priority, logical; the trigger bit is overridden */
    assert_true(outcome.send && outcome.message.logical && !outcome.message.level);
    assert_int_equal(outcome.message.delivery, DELIVERY_LOWEST);
    put(ICR_HIGH, 0xff000000);
    put(ICR_LOW, 0x4055);
    assert_true(outcome.message.destination == 0xffffffff); /* physical broadcast */
    put(ICR_LOW, 0x4855);
    assert_int_equal(outcome.message.destination, 0xff);
    put(ICR_LOW, 0xc8500); /* INIT level de-assert to all others */
    assert_true(outcome.send && outcome.message.level && !outcome.message.assert_line);
    assert_int_equal(outcome.message.shorthand, SHORTHAND_OTHERS);
    put(ICR_LOW, 0x84055);
    assert_true(outcome.send);
    assert_int_equal(outcome.message.shorthand, SHORTHAND_ALL);
    setup_x2apic(state);
    assert_true(wrmsr(x2(ICR_LOW), 0xff00000000004699));
    assert_true(outcome.send);
    assert_true(outcome.message.destination == 0xff000000);
    assert_int_equal(outcome.message.delivery, DELIVERY_STARTUP);
    assert_int_equal(outcome.message.vector, 0x99);
    assert_true(rdmsr(x2(ICR_LOW)) == 0xff00000000004699);
}

/* Table "Valid Combinations for the ... Local xAPIC Interrupt Command Register" */
static void icr_combinations_without_meaning(void **state)
{
    (void)state;
    for (uint32_t delivery = 0; delivery < 8; delivery++) {
        for (uint32_t shorthand = 0; shorthand < 4; shorthand++) {
            setup_enabled(state);
            put(ICR_LOW, shorthand << 18 | 0x4000 | delivery << 8 | 0x55);
            bool reserved = delivery == 3 || delivery == 7;
            bool includes_self = shorthand == 1 || shorthand == 2;
            bool refused = reserved || (includes_self && delivery != 0);
            assert_int_equal(outcome.send, !refused && shorthand != 1);
            assert_int_equal(local_apic_pending(&lapic), delivery == 0 && shorthand == 1 ? 0x55 : -1);
            assert_false(took_nmi());
        }
    }
}

/* "SELF IPI Register" */
static void self_ipi(void **state)
{
    (void)state;
    assert_true(wrmsr(x2(SELF_IPI), 0x77));
    assert_false(outcome.send);
    assert_int_equal(local_apic_pending(&lapic), 0x77);
    assert_int_equal(rdmsr(x2(TMR + 0x30)), 0);
    assert_true(wrmsr(x2(SELF_IPI), 0x05));
    assert_true(wrmsr(x2(ESR), 0));
    assert_int_equal(rdmsr(x2(ESR)), SEND_VECTOR | RECEIVE_VECTOR);
}

/* "Error Status Register": illegal vectors, by every way in. */
static void illegal_vectors(void **state)
{
    (void)state;
    for (uint32_t vector = 0; vector < 16; vector++) {
        put(ICR_LOW, 0x4000 | vector);
        assert_false(outcome.send);
        assert_int_equal(esr(), SEND_VECTOR);
        put(ICR_LOW, 0x4100 | vector);
        assert_int_equal(esr(), SEND_VECTOR);
        put(ICR_LOW, 0x44000 | vector);
        assert_int_equal(esr(), SEND_VECTOR | RECEIVE_VECTOR);
        accept((uint8_t)vector, false);
        assert_int_equal(esr(), RECEIVE_VECTOR);
        put(LVT_LINT0, vector);
        local_apic_set_lint0(&lapic, true);
        local_apic_set_lint0(&lapic, false);
        assert_int_equal(esr(), RECEIVE_VECTOR);
        put(ICR_LOW, 0x4600 | vector); /* a start-up message's vector is a page */
        assert_true(outcome.send);
        assert_int_equal(esr(), 0);
    }
    assert_int_equal(get(IRR), 0);
    put(ICR_LOW, 0x44010); /* 16 is the first legal one, for the sender and the receiver */
    assert_int_equal(local_apic_pending(&lapic), 16);
    put(ICR_LOW, 0x4010);
    assert_true(outcome.send);
    assert_int_equal(esr(), 0);
}

/* "Error Status Register": "write/read register"; a write re-arms the interrupt. */
static void esr_is_written_before_it_is_read(void **state)
{
    (void)state;
    put(LVT_ERROR, 0xe1);
    (void)get(0x400);
    assert_int_equal(get(ESR), 0);
    assert_int_equal(local_apic_pending(&lapic), 0xe1);
    local_apic_take(&lapic, 0xe1);
    put(EOI, 0);
    accept(1, false); /* not re-armed yet */
    assert_int_equal(local_apic_pending(&lapic), -1);
    put(ESR, 0);
    assert_int_equal(get(ESR), ILLEGAL_REGISTER | RECEIVE_VECTOR);
    assert_int_equal(get(ESR), ILLEGAL_REGISTER | RECEIVE_VECTOR); /* reading changes nothing */
    accept(1, false);
    assert_int_equal(local_apic_pending(&lapic), 0xe1);
    assert_int_equal(esr(), RECEIVE_VECTOR);
    assert_int_equal(esr(), 0);
    put(LVT_ERROR, 0x01); /* itself illegal: ends */
    (void)get(0x400);
    assert_int_equal(esr(), ILLEGAL_REGISTER | RECEIVE_VECTOR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(power_up_values, setup_power_on),
        cmocka_unit_test_setup(writable_bits, setup_enabled),
        cmocka_unit_test_setup(reserved_addresses, setup_enabled),
        cmocka_unit_test_setup(mode_transitions, setup_power_on),
        cmocka_unit_test_setup(base_register_bits, setup_power_on),
        cmocka_unit_test_setup(disabling_loses_the_registers, setup_enabled),
        cmocka_unit_test_setup(entering_x2apic_keeps_the_registers, setup_enabled),
        cmocka_unit_test_setup(init_keeps_mode_and_id, setup_x2apic),
        cmocka_unit_test_setup(x2apic_access_rights, setup_x2apic),
        cmocka_unit_test_setup(processor_priority, setup_enabled),
        cmocka_unit_test_setup(every_vector_comes_in_order, setup_enabled),
        cmocka_unit_test_setup(eoi_ends_the_highest_and_is_broadcast_for_levels, setup_enabled),
        cmocka_unit_test_setup(arbitration_priority, setup_enabled),
        cmocka_unit_test_setup(software_disabled, setup_enabled),
        cmocka_unit_test_setup(pins_deliver_as_programmed, setup_enabled),
        cmocka_unit_test_setup(level_triggered_lint0, setup_enabled),
        cmocka_unit_test_setup(every_rise_is_an_edge, setup_enabled),
        cmocka_unit_test_setup(pins_of_a_disabled_apic, setup_enabled),
        cmocka_unit_test_setup(icr_becomes_a_message, setup_enabled),
        cmocka_unit_test_setup(icr_combinations_without_meaning, setup_enabled),
        cmocka_unit_test_setup(self_ipi, setup_x2apic),
        cmocka_unit_test_setup(illegal_vectors, setup_enabled),
        cmocka_unit_test_setup(esr_is_written_before_it_is_read, setup_enabled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
