/*
 * The I/O APIC: registers as the data sheet ("82093AA I/O Advanced Programmable Interrupt Controller") has them, and
 * which messages come out of which lines. Quoted are its headings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/ioapic.h"
#include "core/bytes.h"

enum { SELECT = 0x00, WINDOW = 0x10, EOI = 0x40 };
#define LOGICAL    0x0800u
#define REMOTE_IRR 0x4000u
#define LEVEL      0x8000u
#define MASKED     0x10000u

static struct ioapic ioapic;

static uint64_t read_memory(uint64_t offset, uint8_t size)
{
    struct bus_access access = {.size = size, .value = 0xdead};

    ioapic_access(&ioapic, offset, &access);
    return access.value;
}

static void write_memory(uint64_t offset, uint8_t size, uint64_t value)
{
    struct bus_access access = {.size = size, .write = true, .value = value};

    ioapic_access(&ioapic, offset, &access);
}

static uint32_t read_index(uint32_t index)
{
    write_memory(SELECT, 4, index);
    return (uint32_t)read_memory(WINDOW, 4);
}

static void write_index(uint32_t index, uint32_t value)
{
    write_memory(SELECT, 4, index);
    write_memory(WINDOW, 4, value);
}

static void set_pin(uint32_t pin, uint32_t low) { write_index(0x10 + 2 * pin, low); }

static bool next(void)
{
    struct interrupt_message message;

    return ioapic_next(&ioapic, &message);
}

static void expect_vector(uint8_t vector)
{
    struct interrupt_message message = {0};

    assert_true(ioapic_next(&ioapic, &message));
    assert_int_equal(message.vector, vector);
}

static int setup_direct(void **state)
{
    (void)state;
    ioapic_reset(&ioapic, 0, false);
    return 0;
}

static int setup_visible(void **state)
{
    (void)state;
    ioapic_reset(&ioapic, 0, true);
    return 0;
}

/* Tables "IOAPICID", "IOAPICVER", "IOREDTBL": default values; all entries masked. */
static void reset_values(void **state)
{
    (void)state;
    assert_int_equal(read_index(0), 0);
    assert_int_equal(read_index(1), 0x00170020);
    assert_int_equal(read_index(2), 0);
    for (uint32_t pin = 0; pin < 24; pin++) {
        assert_int_equal(read_index(0x10 + 2 * pin), MASKED);
        assert_int_equal(read_index(0x11 + 2 * pin), 0);
        ioapic_set_line(&ioapic, pin, true);
    }
    assert_false(next());
}

/* "IOAPICID", "IOAPICARB": the arbitration ID is loaded whenever the ID is written, and is read-only. */
static void id_and_arbitration(void **state)
{
    (void)state;
    ioapic_reset(&ioapic, 5, false);
    assert_int_equal(read_index(0), 5u << 24);
    write_index(0, 0xffffffff);
    assert_int_equal(read_index(0), 0x0f000000);
    assert_int_equal(read_index(2), 0x0f000000);
    write_index(1, 0);
    assert_int_equal(read_index(1), 0x00170020);
}

/* "IOREDTBL[23:0]": reserved bits, "Delivery Status" and "Remote IRR" are not written. */
static void entries_keep_what_can_be_written(void **state)
{
    (void)state;
    for (uint32_t pin = 0; pin < 24; pin++) {
        write_index(0x10 + 2 * pin, 0xffffffff);
        write_index(0x11 + 2 * pin, 0xffffffff);
        assert_int_equal(read_index(0x10 + 2 * pin), 0x0001afff);
        assert_int_equal(read_index(0x11 + 2 * pin), 0xff000000);
        write_index(0x10 + 2 * pin, MASKED | pin);
        assert_int_equal(read_index(0x11 + 2 * pin), 0xff000000);
        write_index(0x11 + 2 * pin, 0x12000000);
        assert_int_equal(read_index(0x10 + 2 * pin), MASKED | pin);
    }
}

/* "IOREGSEL": offsets that name no register. */
static void registers_beyond_are_empty(void **state)
{
    static const uint32_t indices[] = {3, 0x0f, 0x40, 0x41, 0xff};

    (void)state;
    for (size_t i = 0; i < array_size(indices); i++) {
        write_index(indices[i], 0xffffffff);
        assert_int_equal(read_index(indices[i]), 0);
    }
    write_memory(SELECT, 4, 0x1ff);
    assert_int_equal(read_memory(SELECT, 4), 0xff);
    assert_int_equal(read_memory(0x20, 4), 0);
    assert_int_equal(read_memory(EOI, 4), 0);
}

/* "Memory Mapped Registers": IOREGSEL and IOWIN are accessed as 32-bit words. */
static void only_aligned_words_mean_anything(void **state)
{
    (void)state;
    write_index(0x10, MASKED | 0x31);
    write_memory(WINDOW, 1, 0x55);
    write_memory(WINDOW, 2, 0x55);
    write_memory(WINDOW, 8, 0x55);
    write_memory(WINDOW + 1, 4, 0x55);
    write_memory(SELECT, 1, 0x12);
    assert_int_equal(read_memory(WINDOW, 4), MASKED | 0x31);
    assert_int_equal(read_memory(WINDOW, 1), 0);
    assert_int_equal(read_memory(WINDOW, 2), 0);
    assert_int_equal(read_memory(WINDOW, 8), 0);
    assert_int_equal(read_memory(WINDOW + 2, 4), 0);
}

/* "IOREDTBL[23:0]": vector, delivery mode, destination mode and destination field of the message. */
static void messages_say_what_the_entry_says(void **state)
{
    struct interrupt_message message;

    (void)state;
    write_index(0x11 + 2 * 4, 0x03000000);
    set_pin(4, 0x131);
    ioapic_set_line(&ioapic, 4, true);
    assert_true(ioapic_next(&ioapic, &message));
    assert_int_equal(message.destination, 3);
    assert_false(message.logical);
    assert_false(message.level);
    assert_true(message.assert_line);
    assert_int_equal(message.shorthand, SHORTHAND_NONE);
    assert_int_equal(message.delivery, DELIVERY_LOWEST);
    assert_int_equal(message.vector, 0x31);

    write_index(0x11 + 2 * 5, 0xff000000);
    set_pin(5, LOGICAL | LEVEL | 0x42);
    ioapic_set_line(&ioapic, 5, true);
    assert_true(ioapic_next(&ioapic, &message));
    assert_int_equal(message.destination, 0xff);
    assert_true(message.logical);
    assert_true(message.level);
    assert_int_equal(message.delivery, DELIVERY_FIXED);
    assert_int_equal(message.vector, 0x42);
}

/* "Destination Field": all ones in physical mode are all local APICs. */
static void physical_ff_is_everybody(void **state)
{
    struct interrupt_message message;

    (void)state;
    write_index(0x11, 0xff000000);
    set_pin(0, 0x30);
    ioapic_set_line(&ioapic, 0, true);
    assert_true(ioapic_next(&ioapic, &message));
    assert_int_equal(message.destination, 0xffffffff);
}

/* "Trigger Mode" = 0: edge sensitive. */
static void every_rise_of_an_edge_pin_is_one_message(void **state)
{
    (void)state;
    set_pin(4, 0x31);
    assert_false(next());
    for (uint32_t i = 0; i < 3; i++) {
        ioapic_set_line(&ioapic, 4, true);
        ioapic_set_line(&ioapic, 4, true);
        expect_vector(0x31);
        assert_false(next());
        ioapic_set_line(&ioapic, 4, false);
        assert_false(next());
    }
}

/* "Interrupt Mask": an edge under the mask. The 82093AA loses it; here it waits, or a timer's only one would be lost.
 */
static void an_edge_while_masked_waits(void **state)
{
    (void)state;
    set_pin(4, MASKED | 0x31);
    ioapic_set_line(&ioapic, 4, true);
    ioapic_set_line(&ioapic, 4, false);
    assert_false(next());
    set_pin(4, 0x31);
    expect_vector(0x31);
    assert_false(next());
    /* A line that stays high is no new edge. */
    ioapic_set_line(&ioapic, 4, true);
    expect_vector(0x31);
    set_pin(4, MASKED | 0x31);
    set_pin(4, 0x31);
    assert_false(next());
}

/* No order is given by the data sheet: the lowest input goes first. */
static void lowest_pin_first(void **state)
{
    (void)state;
    set_pin(7, 0x37);
    set_pin(23, 0x53);
    set_pin(2, 0x32);
    ioapic_set_line(&ioapic, 23, true);
    ioapic_set_line(&ioapic, 7, true);
    ioapic_set_line(&ioapic, 2, true);
    expect_vector(0x32);
    expect_vector(0x37);
    expect_vector(0x53);
    assert_false(next());
}

/* "INTIN[23:0]": 24 inputs. */
static void pins_that_do_not_exist_are_ignored(void **state)
{
    struct ioapic before = ioapic;

    (void)state;
    ioapic_set_line(&ioapic, 24, true);
    ioapic_set_line(&ioapic, 32, true);
    ioapic_set_line(&ioapic, UINT32_MAX, false);
    assert_memory_equal(&before, &ioapic, sizeof before);
}

/* "Remote IRR": set when a local APIC takes a level interrupt, reset by its EOI; a line still high asks again. */
static void level_pins_wait_for_a_visible_eoi(void **state)
{
    (void)state;
    set_pin(9, LEVEL | 0x39);
    ioapic_set_line(&ioapic, 9, true);
    expect_vector(0x39);
    assert_int_equal(read_index(0x10 + 18), REMOTE_IRR | LEVEL | 0x39);
    assert_false(next());
    ioapic_set_line(&ioapic, 9, false);
    ioapic_set_line(&ioapic, 9, true);
    assert_false(next());
    ioapic_eoi(&ioapic, 0x38); /* somebody else's */
    assert_false(next());
    ioapic_eoi(&ioapic, 0x39);
    expect_vector(0x39); /* the line is still high */
    ioapic_set_line(&ioapic, 9, false);
    ioapic_eoi(&ioapic, 0x39);
    assert_false(next());
    assert_int_equal(read_index(0x10 + 18), LEVEL | 0x39);
}

/* Intel ICH data sheets, "EOIR - EOI Register": all entries of that vector lose their Remote IRR. */
static void the_eoi_register_ends_too(void **state)
{
    (void)state;
    set_pin(9, LEVEL | 0x39);
    ioapic_set_line(&ioapic, 9, true);
    expect_vector(0x39);
    write_memory(EOI, 4, 0x139);
    expect_vector(0x39);
}

/* The old way to end an interrupt without an EOI register: mask, make it edge, make it level again. */
static void a_trip_through_edge_clears_remote_irr(void **state)
{
    (void)state;
    set_pin(9, LEVEL | 0x39);
    ioapic_set_line(&ioapic, 9, true);
    expect_vector(0x39);
    set_pin(9, MASKED | LEVEL | 0x39);
    assert_int_equal(read_index(0x10 + 18), REMOTE_IRR | MASKED | LEVEL | 0x39);
    set_pin(9, MASKED | 0x39);
    set_pin(9, LEVEL | 0x39);
    expect_vector(0x39);
}

/* "Remote IRR": only the EOI resets it. */
static void unmasking_does_not_end_a_visible_interrupt(void **state)
{
    (void)state;
    set_pin(9, LEVEL | 0x39);
    ioapic_set_line(&ioapic, 9, true);
    expect_vector(0x39);
    set_pin(9, MASKED | LEVEL | 0x39);
    set_pin(9, LEVEL | 0x39);
    assert_false(next());
}

/* "Interrupt Mask", "Trigger Mode" = 1: a level counts when it is there at the unmasking. */
static void a_level_while_masked_is_sent_if_it_lasts(void **state)
{
    (void)state;
    set_pin(9, MASKED | LEVEL | 0x39);
    ioapic_set_line(&ioapic, 9, true);
    ioapic_set_line(&ioapic, 9, false);
    set_pin(9, LEVEL | 0x39);
    assert_false(next());
    set_pin(9, MASKED | LEVEL | 0x39);
    ioapic_set_line(&ioapic, 9, true);
    assert_false(next());
    set_pin(9, LEVEL | 0x39);
    expect_vector(0x39);
}

/* No rule of the data sheet: in direct mode EOIs are not seen, so "Remote IRR" is never set. */
static void level_pins_never_wait_for_an_invisible_eoi(void **state)
{
    (void)state;
    set_pin(9, LEVEL | 0x39);
    ioapic_set_line(&ioapic, 9, true);
    expect_vector(0x39);
    assert_false(next());
    assert_int_equal(read_index(0x10 + 18), LEVEL | 0x39); /* remote IRR is never seen */
    ioapic_set_line(&ioapic, 9, false);
    ioapic_set_line(&ioapic, 9, true);
    expect_vector(0x39);
    set_pin(9, MASKED | LEVEL | 0x39);
    assert_false(next());
    set_pin(9, LEVEL | 0x39);
    expect_vector(0x39);
    write_memory(EOI, 4, 0x39);
    expect_vector(0x39);
    assert_false(next());
}

/* "Trigger Mode": an edge that waits has no meaning for a level. */
static void changing_to_level_forgets_the_edge(void **state)
{
    (void)state;
    set_pin(4, MASKED | 0x31);
    ioapic_set_line(&ioapic, 4, true);
    ioapic_set_line(&ioapic, 4, false);
    set_pin(4, MASKED | LEVEL | 0x31);
    set_pin(4, 0x31);
    assert_false(next());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, setup_direct),
        cmocka_unit_test_setup(id_and_arbitration, setup_direct),
        cmocka_unit_test_setup(entries_keep_what_can_be_written, setup_direct),
        cmocka_unit_test_setup(registers_beyond_are_empty, setup_direct),
        cmocka_unit_test_setup(only_aligned_words_mean_anything, setup_direct),
        cmocka_unit_test_setup(messages_say_what_the_entry_says, setup_direct),
        cmocka_unit_test_setup(physical_ff_is_everybody, setup_direct),
        cmocka_unit_test_setup(every_rise_of_an_edge_pin_is_one_message, setup_direct),
        cmocka_unit_test_setup(an_edge_while_masked_waits, setup_direct),
        cmocka_unit_test_setup(lowest_pin_first, setup_direct),
        cmocka_unit_test_setup(pins_that_do_not_exist_are_ignored, setup_direct),
        cmocka_unit_test_setup(level_pins_wait_for_a_visible_eoi, setup_visible),
        cmocka_unit_test_setup(the_eoi_register_ends_too, setup_visible),
        cmocka_unit_test_setup(a_trip_through_edge_clears_remote_irr, setup_visible),
        cmocka_unit_test_setup(unmasking_does_not_end_a_visible_interrupt, setup_visible),
        cmocka_unit_test_setup(a_level_while_masked_is_sent_if_it_lasts, setup_direct),
        cmocka_unit_test_setup(level_pins_never_wait_for_an_invisible_eoi, setup_direct),
        cmocka_unit_test_setup(changing_to_level_forgets_the_edge, setup_direct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
