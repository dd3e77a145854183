/*
 * The pair of 8259As, by the headings of the data sheet ("8259A Programmable Interrupt Controller").
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/pic8259.h"
#include "core/bytes.h"

enum { MASTER, SLAVE };

static struct pic8259_pair pic;

static void out(uint32_t chip, uint64_t offset, uint8_t value)
{
    struct bus_access access = {.size = 1, .write = true, .value = value};

    pic8259_access(&pic.chips[chip], offset, &access);
}

static uint8_t in(uint32_t chip, uint64_t offset)
{
    struct bus_access access = {.size = 1};

    pic8259_access(&pic.chips[chip], offset, &access);
    return (uint8_t)access.value;
}

static uint8_t irr(uint32_t chip)
{
    out(chip, 0, 0x0a);
    return in(chip, 0);
}

static uint8_t isr(uint32_t chip)
{
    out(chip, 0, 0x0b);
    return in(chip, 0);
}

static void elcr(uint32_t chip, uint8_t value)
{
    struct bus_access access = {.size = 1, .write = true, .value = value};

    pic8259_elcr_access(&pic, chip, &access);
}

static void raise(uint32_t line) { pic8259_set_line(&pic, line, true); }
static void lower(uint32_t line) { pic8259_set_line(&pic, line, false); }

static void expect(uint8_t vector)
{
    assert_true(pic8259_output(&pic));
    assert_int_equal(pic8259_acknowledge(&pic), vector);
}

static void initialise(uint32_t chip, uint8_t icw4)
{
    out(chip, 0, 0x11);
    out(chip, 1, chip == MASTER ? 0x20 : 0x28);
    out(chip, 1, chip == MASTER ? 0x04 : 0x02);
    out(chip, 1, icw4);
}

/* As PC firmware does it: vectors 20h and 28h, 8086 mode, nothing masked. */
static int setup(void **state)
{
    (void)state;
    pic8259_reset(&pic);
    initialise(MASTER, 0x01);
    initialise(SLAVE, 0x01);
    return 0;
}

static void nothing_comes_out_of_reset(void **state)
{
    (void)state;
    pic8259_reset(&pic);
    assert_int_equal(in(MASTER, 1), 0xff);
    assert_int_equal(in(SLAVE, 1), 0xff);
    for (uint32_t line = 0; line < 20; line++)
        raise(line);
    assert_false(pic8259_output(&pic));
}

/* "Initialization Command Words" */
static void initialisation_clears(void **state)
{
    (void)state;
    out(MASTER, 1, 0x5a);
    raise(1);
    raise(0);
    expect(0x20);
    out(MASTER, 0, 0x68); /* special mask */
    out(MASTER, 0, 0xc3); /* priorities */
    assert_int_equal(isr(MASTER), 0x01);
    out(MASTER, 0, 0x11);
    raise(3);
    assert_false(pic8259_output(&pic)); /* in the middle */
    out(MASTER, 1, 0x47);
    out(MASTER, 1, 0x04);
    assert_false(pic8259_output(&pic));
    out(MASTER, 1, 0x01);
    assert_int_equal(in(MASTER, 0), 0x08); /* IRR is read; the edge of line 1 must come anew */
    assert_int_equal(in(MASTER, 1), 0x00);
    assert_int_equal(isr(MASTER), 0);
    expect(0x43); /* only bits 7:3 of ICW2 */
    lower(1);
    raise(1);
    expect(0x41); /* 3 is lower than 1 again */
}

/* "Fully Nested Mode" */
static void fully_nested(void **state)
{
    (void)state;
    raise(5);
    raise(3);
    raise(7);
    assert_int_equal(irr(MASTER), 0xa8);
    expect(0x23);
    assert_int_equal(irr(MASTER), 0xa0);
    assert_int_equal(isr(MASTER), 0x08);
    assert_false(pic8259_output(&pic));
    raise(1);
    expect(0x21);
    assert_int_equal(isr(MASTER), 0x0a);
    out(MASTER, 0, 0x20); /* non-specific: the highest */
    assert_int_equal(isr(MASTER), 0x08);
    assert_false(pic8259_output(&pic));
    out(MASTER, 0, 0x20);
    expect(0x25);
    out(MASTER, 0, 0x20);
    expect(0x27);
    out(MASTER, 0, 0x20);
    assert_false(pic8259_output(&pic));
    out(MASTER, 0, 0x20); /* nothing in service */
    assert_int_equal(isr(MASTER), 0);
}

/* "Operation Command Word 1": a mask hides a request and does not forget it. */
static void masked_requests_wait(void **state)
{
    (void)state;
    out(MASTER, 1, 0x08);
    raise(3);
    assert_false(pic8259_output(&pic));
    assert_int_equal(irr(MASTER), 0x08);
    out(MASTER, 1, 0x00);
    expect(0x23);
}

/* "End of Interrupt": specific. */
static void specific_end(void **state)
{
    (void)state;
    raise(5);
    expect(0x25);
    raise(2 + 1);
    expect(0x23);
    out(MASTER, 0, 0x65);
    assert_int_equal(isr(MASTER), 0x08);
    out(MASTER, 0, 0x47); /* no operation */
    assert_int_equal(isr(MASTER), 0x08);
    out(MASTER, 0, 0x63);
    assert_int_equal(isr(MASTER), 0);
    lower(3);
    raise(3);
    raise(4);
    expect(0x23); /* no rotation: 3 is not the lowest */
}

/* "Automatic End of Interrupt (AEOI) Mode", "Automatic Rotation" in it. */
static void automatic_end(void **state)
{
    (void)state;
    initialise(MASTER, 0x03);
    raise(3);
    expect(0x23);
    assert_int_equal(isr(MASTER), 0);
    raise(4);
    expect(0x24);         /* nothing holds it back */
    out(MASTER, 0, 0x80); /* rotate in automatic EOI: set */
    lower(4);
    raise(4);
    expect(0x24);
    raise(1);
    raise(6);
    expect(0x26); /* 5, 6, 7, 0, 1 .. 4 */
    raise(7);
    out(MASTER, 0, 0x00); /* clear */
    expect(0x27);
    lower(7);
    raise(7);
    expect(0x27); /* 7 is still the highest */
    expect(0x21);
}

/* "Automatic Rotation (Equal Priority Devices)": the figure of the data sheet. */
static void rotation_on_non_specific_end(void **state)
{
    (void)state;
    raise(6);
    raise(4);
    expect(0x24);
    out(MASTER, 0, 0xa0);
    assert_int_equal(isr(MASTER), 0);
    lower(4);
    raise(4);
    raise(5);
    expect(0x25); /* 5 is the highest now, 4 the lowest */
    out(MASTER, 0, 0x20);
    expect(0x26);
    out(MASTER, 0, 0x20);
    expect(0x24);
}

/* "Specific Rotation (Specific Priority)" */
static void specific_rotation(void **state)
{
    (void)state;
    out(MASTER, 0, 0xc5); /* 5 lowest, 6 highest */
    raise(0);
    raise(6);
    raise(5);
    expect(0x26);
    out(MASTER, 0, 0xe6); /* end 6 and make it the lowest: 7, 0 .. */
    expect(0x20);
    out(MASTER, 0, 0x20);
    expect(0x25);
}

/* "Special Mask Mode" */
static void special_mask(void **state)
{
    (void)state;
    raise(3);
    expect(0x23);
    raise(6);
    assert_false(pic8259_output(&pic));
    out(MASTER, 1, 0x08);
    assert_false(pic8259_output(&pic)); /* a mask alone does not help */
    out(MASTER, 0, 0x68);
    expect(0x26);
    out(MASTER, 0, 0x20);
    assert_int_equal(isr(MASTER), 0x08); /* a masked service is not ended by a non-specific EOI */
    out(MASTER, 0, 0x20);
    assert_int_equal(isr(MASTER), 0x08);
    out(MASTER, 0, 0x08); /* without the enable bit nothing changes */
    raise(7);
    expect(0x27);
    out(MASTER, 0, 0x20);
    out(MASTER, 0, 0x48); /* leaves the mode */
    lower(7);
    raise(7);
    assert_false(pic8259_output(&pic));
    out(MASTER, 0, 0x63);
    expect(0x27);
}

/* "Poll Command" */
static void poll(void **state)
{
    (void)state;
    out(MASTER, 0, 0x0c);
    assert_int_equal(in(MASTER, 0), 0x00);
    raise(5);
    raise(1);
    out(MASTER, 0, 0x0f); /* poll goes before a register */
    assert_int_equal(in(MASTER, 0), 0x81);
    assert_int_equal(in(MASTER, 0), 0x20); /* IRR again */
    assert_int_equal(isr(MASTER), 0x02);
    assert_false(pic8259_output(&pic));
    out(MASTER, 0, 0x20);
    out(MASTER, 0, 0x0c);
    assert_int_equal(in(MASTER, 1), 0x85); /* the next read, wherever */
    assert_int_equal(in(MASTER, 1), 0x00);
}

/* "Edge and Level Triggered Modes" */
static void edges(void **state)
{
    (void)state;
    raise(4);
    expect(0x24);
    out(MASTER, 0, 0x20);
    assert_false(pic8259_output(&pic)); /* still high: no new edge */
    raise(4);
    assert_false(pic8259_output(&pic));
    lower(4);
    raise(4);
    expect(0x24);
    lower(4);
    raise(4); /* while in service: kept */
    assert_int_equal(irr(MASTER), 0x10);
    assert_false(pic8259_output(&pic));
    out(MASTER, 0, 0x20);
    expect(0x24);
}

/* "If the IR input goes low before the first INTA, a default IR7 will occur." */
static void default_ir7(void **state)
{
    (void)state;
    raise(4);
    assert_true(pic8259_output(&pic));
    lower(4);
    assert_false(pic8259_output(&pic));
    assert_int_equal(pic8259_acknowledge(&pic), 0x27);
    assert_int_equal(isr(MASTER), 0);
    raise(12);
    lower(12);
    assert_int_equal(pic8259_acknowledge(&pic), 0x27); /* the slave's request went with it */
}

/* ELCR: level-triggered inputs ask as long as they are high. */
static void levels(void **state)
{
    struct bus_access access = {.size = 1};

    (void)state;
    elcr(MASTER, 0xff);
    pic8259_elcr_access(&pic, MASTER, &access);
    assert_int_equal(access.value, 0xf8);
    elcr(SLAVE, 0xff);
    pic8259_elcr_access(&pic, SLAVE, &access);
    assert_int_equal(access.value, 0xde);
    raise(5);
    expect(0x25);
    assert_int_equal(irr(MASTER), 0x20);
    out(MASTER, 0, 0x20);
    expect(0x25);
    lower(5);
    out(MASTER, 0, 0x20);
    assert_false(pic8259_output(&pic));
    raise(6); /* as a level, and then the pin becomes edge-triggered */
    elcr(MASTER, 0);
    assert_false(pic8259_output(&pic));
    lower(6);
    raise(6);
    assert_true(pic8259_output(&pic));
    elcr(MASTER, 0x40);
    assert_true(pic8259_output(&pic));
    lower(6);
    assert_false(pic8259_output(&pic));
}

/* "Cascade Mode": two EOIs, and the slave's place among the master's priorities. */
static void cascade(void **state)
{
    (void)state;
    raise(3);
    raise(12);
    assert_int_equal(irr(MASTER), 0x0c);
    assert_int_equal(irr(SLAVE), 0x10);
    expect(0x2c); /* line 2 goes before line 3 */
    assert_int_equal(isr(MASTER), 0x04);
    assert_int_equal(isr(SLAVE), 0x10);
    raise(8); /* higher in the slave, held back by the master: "Special Fully Nested Mode" is for this */
    assert_false(pic8259_output(&pic));
    raise(0);
    expect(0x20);
    out(MASTER, 0, 0x20);
    out(SLAVE, 0, 0x20);
    out(MASTER, 0, 0x20);
    expect(0x28);
    out(SLAVE, 0, 0x20);
    out(MASTER, 0, 0x20);
    expect(0x23);
    pic8259_set_line(&pic, 2, true); /* has no line of its own */
    pic8259_set_line(&pic, 16, true);
    assert_int_equal(irr(MASTER), 0);
}

/* "Special Fully Nested Mode" */
static void special_fully_nested(void **state)
{
    (void)state;
    initialise(MASTER, 0x11);
    raise(12);
    expect(0x2c);
    raise(14);
    assert_false(pic8259_output(&pic)); /* lower in the slave */
    raise(8);
    expect(0x28);
    assert_int_equal(isr(SLAVE), 0x11);
    raise(4);
    assert_false(pic8259_output(&pic)); /* other levels nest as ever */
    out(SLAVE, 0, 0x20);
    assert_int_equal(isr(SLAVE), 0x10);
    out(SLAVE, 0, 0x20);
    assert_int_equal(isr(SLAVE), 0);
    expect(0x2e);
}

/* ICW3 of both must agree; without cascade the master answers for input 2 itself. */
static void cascade_that_is_not_set_up(void **state)
{
    (void)state;
    out(SLAVE, 0, 0x11);
    out(SLAVE, 1, 0x28);
    out(SLAVE, 1, 0x05);
    out(SLAVE, 1, 0x01);
    raise(9);
    expect(0xff);
    setup(state);
    out(SLAVE, 0, 0x13); /* single: no ICW3, and its address is 7 */
    out(SLAVE, 1, 0x28);
    out(SLAVE, 1, 0x01);
    lower(9);
    raise(9);
    expect(0xff);
    setup(state);
    out(MASTER, 0, 0x13); /* single */
    out(MASTER, 1, 0x20);
    out(MASTER, 1, 0x01);
    lower(9);
    raise(9);
    expect(0x22);
}

/* A slave's request that the master has and the slave has lost. */
static void slave_default_ir7(void **state)
{
    (void)state;
    raise(12);
    out(SLAVE, 1, 0x10); /* masked: its output falls, and with it the request at the master */
    assert_int_equal(pic8259_acknowledge(&pic), 0x27);
    out(SLAVE, 1, 0x00);
    expect(0x2c);
}

/* Anything written anywhere, in any order: no state is left in which the pair cannot be initialised and used. */
static void rubbish_does_no_harm(void **state)
{
    uint32_t seed = 12345;

    for (uint32_t i = 0; i < 200000; i++) {
        seed = seed * 1103515245u + 12345u;
        uint32_t pick = seed >> 16;
        if (pick % 4 == 0)
            pic8259_set_line(&pic, pick / 4 % 18, (pick & 0x1000) != 0);
        else if (pick % 4 == 1)
            out(pick >> 2 & 1, pick >> 3 & 1, (uint8_t)(pick >> 4));
        else if (pick % 4 == 2)
            (void)in(pick >> 2 & 1, pick >> 3 & 1);
        else if (pic8259_output(&pic) && pic8259_acknowledge(&pic) != 0)
            assert_true(pic.chips[0].in_service != 0 || (pic.chips[0].icw4 & 2) != 0);
        assert_true(pic.chips[0].lowest < 8 && pic.chips[1].lowest < 8 && pic.chips[0].step <= 4);
        assert_int_equal(pic.chips[0].index, 0);
        assert_int_equal(pic.chips[1].index, 1);
    }
    for (uint32_t line = 0; line < 16; line++)
        lower(line);
    elcr(MASTER, 0);
    initialise(MASTER, 1);
    initialise(SLAVE, 1);
    assert_false(pic8259_output(&pic));
    raise(4);
    expect(0x24);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_comes_out_of_reset, setup),
        cmocka_unit_test_setup(initialisation_clears, setup),
        cmocka_unit_test_setup(fully_nested, setup),
        cmocka_unit_test_setup(masked_requests_wait, setup),
        cmocka_unit_test_setup(specific_end, setup),
        cmocka_unit_test_setup(automatic_end, setup),
        cmocka_unit_test_setup(rotation_on_non_specific_end, setup),
        cmocka_unit_test_setup(specific_rotation, setup),
        cmocka_unit_test_setup(special_mask, setup),
        cmocka_unit_test_setup(poll, setup),
        cmocka_unit_test_setup(edges, setup),
        cmocka_unit_test_setup(default_ir7, setup),
        cmocka_unit_test_setup(levels, setup),
        cmocka_unit_test_setup(cascade, setup),
        cmocka_unit_test_setup(special_fully_nested, setup),
        cmocka_unit_test_setup(cascade_that_is_not_set_up, setup),
        cmocka_unit_test_setup(slave_default_ir7, setup),
        cmocka_unit_test_setup(rubbish_does_no_harm, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
