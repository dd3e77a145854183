/*
 * A CPU that works on the local APIC's registers itself: SDM vol. 3, "APIC Virtualization and Virtual Interrupts". One
 * model has such a CPU, as the manual describes it, the other does all by itself; both must look the same to a guest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/local_apic_box.h"

static struct local_apic helped; /* the model with the CPU; `lapic` is the other one */

static uint32_t *word(uint32_t map, uint8_t vector) { return &helped.registers[map / 4 + vector / 32 * 4]; }

/* "PPR Virtualization", "Evaluation of Pending Virtual Interrupts", "Virtual-Interrupt Delivery": the vector, or -1. */
static int cpu_take(void)
{
    uint8_t rvi = local_apic_requested(&helped), svi = local_apic_in_service(&helped);
    uint32_t vtpr = helped.registers[TPR / 4];
    uint32_t vppr = vtpr >> 4 >= svi >> 4 ? vtpr : svi & 0xf0u;
    if (rvi >> 4 <= vppr >> 4)
        return -1;
    *word(IRR, rvi) &= ~(1u << rvi % 32);
    *word(ISR, rvi) |= 1u << rvi % 32;
    return rvi;
}

/* "EOI Virtualization": the vector whose end exits, or -1. */
static int cpu_eoi(void)
{
    uint8_t svi = local_apic_in_service(&helped);
    *word(ISR, svi) &= ~(1u << svi % 32);
    return svi != 0 && (local_apic_levels(&helped, svi / 64) >> svi % 64 & 1) != 0 ? svi : -1;
}

static void both_accept(uint8_t vector, bool level)
{
    const struct interrupt_message message = {
        .delivery = DELIVERY_FIXED, .vector = vector, .level = level, .assert_line = true};
    accept(vector, level);
    accept_message(&helped, &message);
}

static void both_take(void)
{
    int vector = local_apic_pending(&lapic);
    assert_int_equal(cpu_take(), vector);
    if (vector >= 0)
        local_apic_take(&lapic, (uint8_t)vector);
}

static void both_end(void)
{
    int ended = cpu_eoi();
    if (ended >= 0)
        local_apic_ended(&helped, (uint8_t)ended);
    take_outcome(&helped);
    struct local_apic_outcome told = outcome;
    assert_true(wrmsr(x2(EOI), 0));
    assert_int_equal(told.eoi, outcome.eoi);
    assert_int_equal(told.eoi_vector, outcome.eoi_vector);
}

static int setup(void **state)
{
    setup_x2apic(state);
    helped = lapic;
    (void)!local_apic_take_changes(&helped);
    return 0;
}

static void looks_the_same_to_the_guest(void **state)
{
    (void)state;
    uint32_t random = 1, levels = 0, taken = 0;
    for (unsigned i = 0; i < 20000; i++) {
        random = random * 1664525 + 1013904223;
        uint8_t vector = (uint8_t)(random >> 8), what = (uint8_t)(random >> 29);
        if (what < 3 && vector >= 16) {
            both_accept(vector, (random >> 24 & 3) == 0);
        } else if (what < 5) {
            taken += local_apic_pending(&lapic) >= 0;
            both_take();
        } else if (what < 7) {
            both_end();
            levels += outcome.eoi;
        } else {
            assert_true(wrmsr(x2(TPR), vector & 0x7f));
            helped.registers[TPR / 4] = vector & 0x7f;
        }
        assert_memory_equal(helped.registers, lapic.registers, sizeof lapic.registers);
    }
    assert_true(levels > 100 && taken > 1000);
}

static void only_what_was_changed_here_is_told(void **state)
{
    (void)state;
    assert_int_equal(local_apic_take_changes(&helped), 0);
    both_accept(0x41, false);
    assert_int_equal(local_apic_take_changes(&helped), LOCAL_APIC_CHANGED_VECTORS);
    assert_int_equal(local_apic_take_changes(&helped), 0);
    both_take();
    both_end();
    helped.registers[TPR / 4] = 0x20;
    assert_int_equal(local_apic_take_changes(&helped), 0); /* the CPU knows of its own doings */
    both_accept(0x41, true);
    assert_int_equal(local_apic_take_changes(&helped), LOCAL_APIC_CHANGED_VECTORS | LOCAL_APIC_CHANGED_REST);
    both_accept(0x51, true);
    (void)!local_apic_take_changes(&helped);
    both_accept(0x51, true); /* as before */
    assert_int_equal(local_apic_take_changes(&helped), LOCAL_APIC_CHANGED_VECTORS);
    local_apic_init_reset(&helped);
    assert_int_equal(local_apic_take_changes(&helped), LOCAL_APIC_CHANGED_VECTORS | LOCAL_APIC_CHANGED_REST);
    assert_int_equal(local_apic_requested(&helped), 0);
}

static void levels_are_those_of_all_words(void **state)
{
    (void)state;
    static const uint8_t vectors[] = {16, 63, 64, 127, 128, 191, 192, 255};
    for (size_t i = 0; i < sizeof vectors; i++)
        both_accept(vectors[i], true);
    both_accept(100, false);
    assert_true(local_apic_levels(&helped, 0) == (1ull << 63 | 1u << 16));
    for (uint32_t i = 1; i < LOCAL_APIC_WORDS; i++)
        assert_true(local_apic_levels(&helped, i) == (1ull << 63 | 1));
    assert_int_equal(local_apic_requested(&helped), 255);
}

static void written(uint64_t offset)
{
    local_apic_written(&helped, offset, now);
    take_outcome(&helped);
}

/* A message to itself with an illegal vector is the one write to an x2APIC that the CPU leaves to us. */
static void a_register_that_the_cpu_has_written(void **state)
{
    (void)state;
    helped.registers[SELF_IPI / 4] = 5;
    written(SELF_IPI);
    assert_false(outcome.send);
    assert_true(wrmsr(x2(SELF_IPI), 5));
    written(ESR);
    assert_true(wrmsr(x2(ESR), 0));
    assert_int_equal(helped.registers[ESR / 4], 0x60);
    assert_int_equal(rdmsr(x2(ESR)), 0x60);
    struct local_apic before = helped;
    written(0x301); /* no such registers */
    written(0x400);
    written(UINT64_MAX - 15);
    written(ISR); /* read-only */
    assert_memory_equal(&helped, &before, sizeof helped);
}

static void a_command_that_the_cpu_has_written(void **state)
{
    setup_enabled(state);
    helped = lapic;
    helped.registers[ICR_HIGH / 4] = 0x02000000;
    helped.registers[ICR_LOW / 4] = 0x00004041;
    written(ICR_LOW);
    assert_true(outcome.send);
    assert_int_equal(outcome.message.destination, 2);
    assert_int_equal(outcome.message.vector, 0x41);
    helped.registers[ICR_LOW / 4] = 0x00044042; /* itself */
    written(ICR_LOW);
    assert_false(outcome.send);
    assert_int_equal(local_apic_requested(&helped), 0x42);
}

/* "x2APIC State Transitions", and software-disabled: there the CPU would accept what a local APIC does not. */
static void its_own_in_x2apic_mode_while_enabled(void **state)
{
    (void)state;
    assert_true(local_apic_x2apic_enabled(&lapic));
    (void)!local_apic_take_changes(&lapic);
    assert_true(wrmsr(x2(SVR), 0xff));
    assert_false(local_apic_x2apic_enabled(&lapic));
    assert_int_equal(local_apic_take_changes(&lapic), LOCAL_APIC_CHANGED_REST);
    assert_true(wrmsr(x2(SVR), 0x1ff));
    assert_true(local_apic_x2apic_enabled(&lapic));
    (void)!local_apic_take_changes(&lapic);
    assert_true(wrmsr(MSR_BASE, BASE_DISABLED));
    assert_false(local_apic_x2apic_enabled(&lapic));
    assert_true(local_apic_take_changes(&lapic) & LOCAL_APIC_CHANGED_REST);
    assert_true(wrmsr(MSR_BASE, BASE_XAPIC));
    put(SVR, 0x1ff);
    assert_false(local_apic_x2apic_enabled(&lapic));
    (void)!local_apic_take_changes(&lapic);
    assert_true(wrmsr(MSR_BASE, BASE_X2APIC));
    assert_true(local_apic_x2apic_enabled(&lapic));
    assert_int_equal(local_apic_take_changes(&lapic), LOCAL_APIC_CHANGED_REST);
}

/* What a CPU shows the guest of the page without asking is what the model would answer. */
static void the_page_holds_what_the_registers_read(void **state)
{
    (void)state;
    assert_true(wrmsr(x2(LVT_TIMER), 0x40050) && wrmsr(x2(ESR), 0) && wrmsr(x2(DIVIDE), 0xb));
    both_accept(0x91, true);
    for (uint32_t offset = 0; offset < LOCAL_APIC_REGISTERS_SIZE; offset += 0x10) {
        uint64_t value;
        if (offset == PPR || offset == CURRENT_COUNT || offset == ICR_LOW ||
            !local_apic_msr_read(&lapic, x2(offset), now, &value))
            continue;
        assert_int_equal(lapic.registers[offset / 4], value);
    }
    assert_int_equal(lapic.registers[ID / 4], 0x12345);
    assert_int_equal(lapic.registers[LDR / 4], 0x12340020);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(looks_the_same_to_the_guest, setup),
        cmocka_unit_test_setup(only_what_was_changed_here_is_told, setup),
        cmocka_unit_test_setup(levels_are_those_of_all_words, setup),
        cmocka_unit_test_setup(a_register_that_the_cpu_has_written, setup),
        cmocka_unit_test_setup(a_command_that_the_cpu_has_written, setup),
        cmocka_unit_test_setup(its_own_in_x2apic_mode_while_enabled, setup),
        cmocka_unit_test_setup(the_page_holds_what_the_registers_read, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
