/*
 * The interval timer: each mode against a counter that is stepped clock by clock, the latches, port 61h, and the
 * calibration loops of guests. In most tests one TSC tick is one input clock. Quoted are the headings of the data sheet
 * ("8254 Programmable Interval Timer").
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/pit8254.h"
#include "core/bytes.h"

static struct virt_clock ticks;
static struct pit8254 pit;

static uint8_t in(uint64_t port)
{
    struct bus_access access = {.size = 1};

    if (port == 0x61)
        pit8254_port_b_access(&pit, 0, &access);
    else
        pit8254_access(&pit, port - 0x40, &access);
    return (uint8_t)access.value;
}

static void out(uint64_t port, uint8_t value)
{
    struct bus_access access = {.size = 1, .write = true, .value = value};

    if (port == 0x61)
        pit8254_port_b_access(&pit, 0, &access);
    else
        pit8254_access(&pit, port - 0x40, &access);
}

static bool output2(void) { return (in(0x61) & 0x20) != 0; }

static uint16_t latched(uint8_t counter)
{
    out(0x43, (uint8_t)(counter << 6));
    uint32_t low = in(0x40u + counter);
    return (uint16_t)(low | (uint32_t)in(0x40u + counter) << 8);
}

static uint8_t status_of(uint8_t counter)
{
    out(0x43, (uint8_t)(0xe0 | 2u << counter));
    return in(0x40u + counter);
}

/* Counter 2, low byte then high byte. */
static void program(uint8_t mode, uint16_t count)
{
    out(0x43, (uint8_t)(0xb0 | mode << 1));
    out(0x42, (uint8_t)count);
    out(0x42, (uint8_t)(count >> 8));
}

static int setup(void **state)
{
    (void)state;
    ticks = (struct virt_clock){.hz = PIT8254_HZ, .now = 1000};
    pit8254_reset(&pit, &ticks);
    return 0;
}

/* "Programming the 8254": undefined until programmed; so it is what a PC's firmware programs. */
static void power_on_is_what_firmware_leaves(void **state)
{
    (void)state;
    assert_int_equal(latched(0), 65536 - 1000);
    ticks.now = 65536;
    assert_int_equal(latched(0), 0);
    ticks.now = 65537;
    assert_int_equal(latched(0), 65535);
    assert_int_equal(in(0x61) & 0x03, 0);
    assert_int_equal(in(0x43), 0xff);
    assert_int_equal(status_of(2) & 0x40, 0x40); /* no count yet */
}

/* "Mode 0: Interrupt on Terminal Count": OUT low from the control word on, high after N + 1 clocks. */
static void mode_0_rises_at_the_count(void **state)
{
    (void)state;
    out(0x61, 0x01);
    program(0, 0x1234);
    assert_false(output2());
    assert_int_equal(latched(2), 0x1234);
    ticks.now += 0x1233;
    assert_false(output2());
    assert_int_equal(latched(2), 1);
    ticks.now += 1;
    assert_true(output2());
    assert_int_equal(latched(2), 0);
    ticks.now += 1; /* it goes on downwards, and the output stays */
    assert_true(output2());
    assert_int_equal(latched(2), 0xffff);
    ticks.now += 1000000;
    assert_true(output2());
    out(0x43, 0xb0);
    assert_false(output2());
}

/* "Mode 0": GATE = 0 disables counting and does not touch OUT. */
static void mode_0_pauses_with_the_gate(void **state)
{
    (void)state;
    out(0x61, 0x01);
    program(0, 100);
    ticks.now += 30;
    out(0x61, 0x00);
    ticks.now += 1000;
    assert_int_equal(latched(2), 70);
    assert_false(output2());
    out(0x61, 0x01);
    assert_int_equal(latched(2), 70);
    ticks.now += 69;
    assert_false(output2());
    ticks.now += 1;
    assert_true(output2());
}

/* "Mode 0": writing the first byte disables counting, writing the second loads on the next clock. */
static void mode_0_stops_at_the_first_of_two_bytes(void **state)
{
    (void)state;
    out(0x61, 0x01);
    program(0, 100);
    ticks.now += 200;
    assert_true(output2());
    out(0x42, 50);
    assert_false(output2());
    ticks.now += 1000;
    assert_false(output2());
    out(0x42, 0);
    assert_int_equal(latched(2), 50);
    ticks.now += 50;
    assert_true(output2());
}

/* "Mode 1: Hardware Retriggerable One-Shot": a rising GATE starts the pulse, another one starts it again. */
static void mode_1_is_started_by_the_gate(void **state)
{
    (void)state;
    program(1, 100);
    assert_true(output2());
    ticks.now += 1000;
    assert_true(output2());
    out(0x61, 0x01);
    assert_false(output2());
    ticks.now += 60;
    out(0x61, 0x00); /* the gate's fall changes nothing */
    assert_false(output2());
    out(0x61, 0x01); /* its rise starts anew */
    ticks.now += 99;
    assert_false(output2());
    ticks.now += 1;
    assert_true(output2());
    ticks.now += 70000; /* and it does not come again */
    assert_true(output2());
    out(0x42, 10); /* a new count waits for the next trigger */
    out(0x42, 0);
    assert_true(output2());
    assert_int_equal(status_of(2) & 0x40, 0x40);
    out(0x61, 0x00);
    out(0x61, 0x01);
    ticks.now += 9;
    assert_false(output2());
    ticks.now += 1;
    assert_true(output2());
}

/* "Mode 2: Rate Generator": low for the one clock at which the count is 1. */
static void mode_2_against_a_stepped_counter(void **state)
{
    static const uint16_t counts[] = {2, 3, 4, 7, 18, 1000};

    (void)state;
    out(0x61, 0x01);
    for (size_t i = 0; i < array_size(counts); i++) {
        uint16_t model = counts[i];
        program(i % 2 == 0 ? 2 : 6, counts[i]); /* mode 6 is mode 2 */
        for (uint32_t step = 0; step < 3000; step++) {
            assert_int_equal(latched(2), model);
            assert_int_equal(output2(), model != 1);
            ticks.now++;
            model = model == 1 ? counts[i] : (uint16_t)(model - 1);
        }
    }
}

/* "Mode 3: Square Wave Mode": even counts half and half, odd ones high for (N + 1) / 2 and low for (N - 1) / 2. */
static void mode_3_against_a_stepped_counter(void **state)
{
    static const uint16_t counts[] = {2, 3, 4, 5, 10, 11, 1000, 1001};

    (void)state;
    out(0x61, 0x01);
    for (size_t i = 0; i < array_size(counts); i++) {
        uint16_t even = counts[i] & 0xfffe;
        uint16_t model = even;
        bool high = true;
        program(i % 2 == 0 ? 3 : 7, counts[i]);
        for (uint32_t step = 0; step < 4000; step++) {
            assert_int_equal(latched(2), model);
            assert_int_equal(output2(), high);
            ticks.now++;
            /* An odd count shows 0 for one clock more at the end of the high half. */
            bool stay = high && counts[i] % 2 != 0 ? model == 0 : model == 2;
            if (stay)
                high = !high;
            model = stay ? even : (uint16_t)(model - 2);
        }
    }
}

/* "Gate Pin Operations Summary": modes 2 and 3: low stops and sets OUT high, rising begins anew. */
static void periodic_modes_stop_and_restart_with_the_gate(void **state)
{
    (void)state;
    for (uint8_t mode = 2; mode <= 3; mode++) {
        out(0x61, 0x01);
        program(mode, 100);
        ticks.now += 75;
        assert_int_equal(output2(), mode == 2);
        out(0x61, 0x00);
        assert_true(output2());
        ticks.now += 1024;
        assert_true(output2());
        out(0x61, 0x01);
        assert_int_equal(latched(2), 100);
        ticks.now += 99;
        assert_false(output2());
    }
}

/* "Mode 2", "Mode 3": a count written meanwhile is loaded at the end of the present cycle. */
static void a_new_period_waits_for_the_end_of_the_old(void **state)
{
    (void)state;
    out(0x61, 0x01);
    program(2, 100);
    ticks.now += 250;
    out(0x42, 30);
    out(0x42, 0);
    assert_int_equal(status_of(2) & 0x40, 0x40);
    assert_int_equal(latched(2), 50);
    ticks.now += 49;
    assert_int_equal(latched(2), 1);
    ticks.now += 1 + 30 + 7; /* nobody looked in between */
    assert_int_equal(latched(2), 23);
    assert_int_equal(status_of(2) & 0x40, 0);
}

/* "Mode 4: Software Triggered Strobe": OUT low for one clock when the count expires. */
static void mode_4_strobes_once(void **state)
{
    (void)state;
    out(0x61, 0x01);
    program(4, 100);
    assert_true(output2());
    ticks.now += 99;
    assert_true(output2());
    ticks.now += 1;
    assert_false(output2());
    ticks.now += 1;
    assert_true(output2());
    assert_int_equal(latched(2), 0xffff);
    ticks.now += 65535;
    assert_true(output2());
    program(4, 100);
    out(0x61, 0x00);
    ticks.now += 100;
    assert_true(output2());
    assert_int_equal(latched(2), 100);
}

/* "Mode 5: Hardware Triggered Strobe (Retriggerable)". */
static void mode_5_strobes_after_the_gate(void **state)
{
    (void)state;
    program(5, 100);
    ticks.now += 100;
    assert_true(output2());
    out(0x61, 0x01);
    ticks.now += 99;
    assert_true(output2());
    ticks.now += 1;
    assert_false(output2());
    ticks.now += 1;
    assert_true(output2());
}

/* "Minimum and Maximum Initial Counts": 0 is 65536 in binary, 10000 in BCD. */
static void zero_is_the_largest_count(void **state)
{
    (void)state;
    out(0x61, 0x01);
    program(0, 0);
    ticks.now += 65535;
    assert_false(output2());
    ticks.now += 1;
    assert_true(output2());
}

/* "Control Word Format", BCD: four decades. */
static void decimal_counting(void **state)
{
    (void)state;
    out(0x61, 0x01);
    out(0x43, 0xb1);
    out(0x42, 0x34);
    out(0x42, 0x12);
    assert_int_equal(latched(2), 0x1234);
    ticks.now += 235;
    assert_int_equal(latched(2), 0x0999);
    ticks.now += 999;
    assert_true(output2());
    ticks.now += 1;
    assert_int_equal(latched(2), 0x9999);
    out(0x43, 0xb1);
    out(0x42, 0);
    out(0x42, 0);
    ticks.now += 9999;
    assert_false(output2());
    ticks.now += 1;
    assert_true(output2());
    out(0x43, 0xb1); /* a digit of ten: 10001 is 1 */
    out(0x42, 0x01);
    out(0x42, 0xa0);
    ticks.now += 1;
    assert_true(output2());
}

/* Counts that the data sheet forbids, and digits that are none, in every mode: nothing divides by 0. */
static void forbidden_counts_do_no_harm(void **state)
{
    static const uint16_t counts[] = {0, 1, 0xffff, 0xaaaa, 0x000a, 0xa000};

    (void)state;
    for (uint32_t control = 0; control < 16; control++) {
        for (size_t i = 0; i < array_size(counts); i++) {
            out(0x43, (uint8_t)(0xb0 | control));
            output2();
            latched(2);
            out(0x42, (uint8_t)counts[i]);
            out(0x42, (uint8_t)(counts[i] >> 8));
            for (uint32_t step = 0; step < 5; step++) {
                out(0x61, (uint8_t)(step & 1));
                ticks.now += 30001;
                output2();
                latched(2);
                status_of(2);
            }
        }
    }
    ticks.hz = 0;
    output2();
    latched(2);
}

/* "Control Word Format", RW: least or most significant byte only; the other one is 0. */
static void single_byte_access(void **state)
{
    (void)state;
    out(0x61, 0x01);
    out(0x43, 0x90); /* low byte only */
    out(0x42, 0x80);
    ticks.now += 0x10;
    assert_int_equal(in(0x42), 0x70);
    assert_int_equal(in(0x42), 0x70);
    out(0x43, 0x80);
    ticks.now += 1;
    assert_int_equal(in(0x42), 0x70);
    assert_int_equal(in(0x42), 0x6f);
    out(0x43, 0xa0); /* high byte only */
    out(0x42, 0x12);
    assert_int_equal(in(0x42), 0x12);
    ticks.now += 1;
    assert_int_equal(in(0x42), 0x11);
}

/* "Counter Latch Command": the count is held until it is read, a second latch before that is ignored. */
static void a_latched_count_stands_until_it_is_read(void **state)
{
    (void)state;
    out(0x61, 0x01);
    program(0, 0x1000);
    out(0x43, 0x80);
    ticks.now += 0x10;
    out(0x43, 0x80); /* ignored: the first is not read yet */
    assert_int_equal(in(0x42), 0x00);
    ticks.now += 0x10;
    assert_int_equal(in(0x42), 0x10);
    assert_int_equal(in(0x42), 0xe0); /* and now the counter itself, low byte first */
    assert_int_equal(in(0x42), 0x0f);
    out(0x43, 0x80);
    program(0, 0x2000); /* a control word drops the latch */
    assert_int_equal(in(0x42), 0x00);
    assert_int_equal(in(0x42), 0x20);
}

/* "Read-Back Command": the first read gives the latched status, the next one or two the count. */
static void read_back_gives_status_then_count(void **state)
{
    (void)state;
    out(0x61, 0x01);
    program(0, 0x0100);
    out(0x43, 0xc8); /* count and status of counter 2 */
    ticks.now += 0x100;
    assert_int_equal(in(0x42), 0x30);
    assert_int_equal(in(0x42), 0x00);
    assert_int_equal(in(0x42), 0x01);
    assert_int_equal(status_of(2), 0xb0);
    out(0x42, 0x55); /* half a count */
    assert_int_equal(status_of(2), 0x70);
    out(0x43, 0xee); /* status of all three */
    assert_int_equal(in(0x40) & 0x3f, 0x34);
    assert_int_equal(in(0x41) & 0x3f, 0x14);
    assert_int_equal(in(0x42) & 0x3f, 0x30);
    out(0x43, 0xfe); /* nothing */
    assert_int_equal(pit.counters[2].status_latched, false);
    assert_int_equal(pit.counters[2].latched_bytes, 0);
}

/* IBM PC AT Technical Reference, "8255A I/O Bit Map" as the AT has it at port 61h: GATE 2, speaker, refresh, OUT 2. */
static void port_b_keeps_its_low_bits_and_shows_refresh(void **state)
{
    uint32_t changes = 0;

    (void)state;
    out(0x61, 0xfe);
    assert_int_equal(in(0x61) & 0x0f, 0x0e);
    uint8_t last = in(0x61) & 0x10;
    for (uint32_t i = 0; i < 180; i++) {
        ticks.now++;
        changes += (in(0x61) & 0x10) != last;
        last = in(0x61) & 0x10;
    }
    assert_int_equal(changes, 10);
}

/* Mode 0 on counter 2 for 50 ms, polled at port 61h, at a real TSC frequency. */
static void guests_find_the_tsc_frequency(void **state)
{
    static const uint64_t frequencies[] = {100000000, 1000000000, 2399999123, 5800000000};
    const uint16_t latch = PIT8254_HZ / 20;

    (void)state;
    for (size_t i = 0; i < array_size(frequencies); i++) {
        ticks = (struct virt_clock){.hz = frequencies[i], .now = 123456789012345};
        pit8254_reset(&pit, &ticks);
        out(0x61, (uint8_t)((in(0x61) & ~0x02) | 0x01));
        program(0, latch);
        uint64_t begin = ticks.now;
        while (!output2())
            ticks.now += 2000;
        uint64_t found = (ticks.now - begin) * 20;
        uint64_t error = found > frequencies[i] ? found - frequencies[i] : frequencies[i] - found;
        assert_true(error < frequencies[i] / 1000);
    }
}

/* The quick way: the high byte of a free-running count, both bytes read each time. */
static void the_high_byte_falls_one_by_one(void **state)
{
    (void)state;
    out(0x61, 0x01);
    program(0, 0xffff);
    for (uint8_t want = 0xff; want > 0xf0; want--) {
        uint32_t reads = 0;
        uint8_t high;
        do {
            in(0x42);
            high = in(0x42);
            ticks.now += 2;
            reads++;
        } while (high == want);
        assert_int_equal(high, want - 1);
        assert_in_range(reads, 100, 140);
    }
}

/* "Counter": the counting element goes on for ever; so must its arithmetic. */
static void counts_survive_a_long_uptime(void **state)
{
    (void)state;
    ticks = (struct virt_clock){.hz = 5000000000, .now = UINT64_MAX - 5000000000};
    assert_true(virt_clock_count(&ticks, 1000) == (UINT64_MAX - 5000000000) / 5000000);
    pit8254_reset(&pit, &ticks);
    out(0x61, 0x01);
    program(0, 1000);
    assert_false(output2());
    ticks.now += 5000000;
    assert_true(output2());
}

static bool line_rose(void) { return pit8254_line_rose(&pit); }

/* Counter 0, low byte then high byte. The rise that the control word itself makes is taken. */
static void program0(uint8_t mode, uint16_t count)
{
    out(0x43, (uint8_t)(0x30 | mode << 1));
    out(0x40, (uint8_t)count);
    out(0x40, (uint8_t)(count >> 8));
    (void)!line_rose();
}

/* Every mode, clock by clock: the announced rise, the level and the report agree with the level seen each clock. */
static void line_0_rises_when_it_is_announced(void **state)
{
    static const uint16_t counts[] = {1, 2, 3, 4, 7, 100, 1001};

    (void)state;
    for (uint8_t mode = 0; mode < 8; mode++) {
        for (size_t i = 0; i < array_size(counts); i++) {
            program0(mode, counts[i]);
            bool level = pit8254_line(&pit);
            uint64_t announced = pit8254_next_rise(&pit);
            uint32_t rises = 0;
            for (uint32_t step = 0; step < 3000; step++) {
                ticks.now++;
                bool rises_now = !level && pit8254_line(&pit);
                level = pit8254_line(&pit);
                assert_int_equal(line_rose(), rises_now);
                assert_int_equal(ticks.now == announced, rises_now);
                announced = pit8254_next_rise(&pit);
                assert_true(announced > ticks.now);
                rises += rises_now;
            }
            bool periodic = mode % 4 == 2 || mode % 4 == 3;
            bool once = mode == 0 || mode == 4;
            assert_int_equal(rises, periodic ? (counts[i] < 2 ? 0 : 3000u / counts[i]) : once ? 1 : 0);
        }
    }
}

/* A look once in many periods reports one rise; the moment of the next does not move. */
static void a_late_look_keeps_the_phase_of_line_0(void **state)
{
    (void)state;
    program0(2, 1000);
    uint64_t begin = ticks.now;
    ticks.now += 7300;
    assert_true(line_rose());
    assert_false(line_rose());
    assert_true(pit8254_line(&pit));
    assert_true(pit8254_next_rise(&pit) == begin + 8000);
    ticks.now = begin + 7999;
    assert_false(pit8254_line(&pit));
    assert_false(line_rose());
    ticks.now++;
    assert_true(line_rose());
    out(0x40, 0xf4); /* 500, from the end of this period on */
    out(0x40, 0x01);
    assert_true(pit8254_next_rise(&pit) == begin + 9000);
    ticks.now = begin + 9400;
    assert_true(line_rose());
    assert_true(pit8254_next_rise(&pit) == begin + 9500);
    program0(2, 1); /* forbidden: no rise until another count takes over */
    assert_true(pit8254_next_rise(&pit) == VIRT_CLOCK_NEVER);
    out(0x40, 100);
    out(0x40, 0);
    assert_true(pit8254_next_rise(&pit) != VIRT_CLOCK_NEVER);
    ticks.now += 1000;
    assert_true(line_rose());
}

/* "Mode Definitions": a control word of another mode sets OUT high, of mode 0 low. */
static void a_control_word_moves_line_0(void **state)
{
    (void)state;
    program0(0, 1000);
    assert_false(pit8254_line(&pit));
    out(0x43, 0x34);
    assert_true(pit8254_line(&pit));
    assert_true(line_rose());
    out(0x43, 0x30);
    assert_false(pit8254_line(&pit));
    assert_false(line_rose());
    assert_true(pit8254_next_rise(&pit) == VIRT_CLOCK_NEVER);
    /* A rise that came before the write is not lost by it. */
    program0(0, 1000);
    ticks.now += 2000;
    out(0x43, 0x30);
    assert_true(line_rose());
}

/* At a real TSC frequency: the announced tick is the first at which the line has risen. */
static void line_0_at_a_real_frequency(void **state)
{
    (void)state;
    ticks = (struct virt_clock){.hz = 2399999123, .now = 123456789012345};
    pit8254_reset(&pit, &ticks);
    program0(2, 11932);
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t next = pit8254_next_rise(&pit);
        assert_in_range(next - ticks.now, 1, 2399999123 / 99);
        ticks.now = next - 1;
        assert_false(line_rose());
        ticks.now = next;
        assert_true(line_rose());
    }
    ticks.hz = 0;
    assert_true(pit8254_next_rise(&pit) == VIRT_CLOCK_NEVER);
}

/* No rule of the data sheet: ticks of the TSC and input clocks, there and back. */
static void clock_counts_and_times_are_inverse(void **state)
{
    static const uint64_t frequencies[] = {1, 1000, 32768, PIT8254_HZ, 2399999123, 5800000000};
    struct virt_clock clock = {0};

    (void)state;
    for (size_t i = 0; i < array_size(frequencies); i++) {
        clock.hz = frequencies[i];
        for (uint64_t count = 1; count < (uint64_t)1 << 40; count = count * 3 + 1) {
            clock.now = virt_clock_when(&clock, PIT8254_HZ, count);
            assert_true(virt_clock_count(&clock, PIT8254_HZ) >= count);
            clock.now--;
            assert_true(virt_clock_count(&clock, PIT8254_HZ) < count);
        }
    }
    assert_true(virt_clock_when(&clock, 1, UINT64_MAX) == VIRT_CLOCK_NEVER);
    clock.hz = 0;
    assert_true(virt_clock_when(&clock, 1, 0) == VIRT_CLOCK_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(line_0_rises_when_it_is_announced, setup),
        cmocka_unit_test_setup(a_late_look_keeps_the_phase_of_line_0, setup),
        cmocka_unit_test_setup(a_control_word_moves_line_0, setup),
        cmocka_unit_test_setup(line_0_at_a_real_frequency, setup),
        cmocka_unit_test_setup(clock_counts_and_times_are_inverse, setup),
        cmocka_unit_test_setup(power_on_is_what_firmware_leaves, setup),
        cmocka_unit_test_setup(mode_0_rises_at_the_count, setup),
        cmocka_unit_test_setup(mode_0_pauses_with_the_gate, setup),
        cmocka_unit_test_setup(mode_0_stops_at_the_first_of_two_bytes, setup),
        cmocka_unit_test_setup(mode_1_is_started_by_the_gate, setup),
        cmocka_unit_test_setup(mode_2_against_a_stepped_counter, setup),
        cmocka_unit_test_setup(mode_3_against_a_stepped_counter, setup),
        cmocka_unit_test_setup(periodic_modes_stop_and_restart_with_the_gate, setup),
        cmocka_unit_test_setup(a_new_period_waits_for_the_end_of_the_old, setup),
        cmocka_unit_test_setup(mode_4_strobes_once, setup),
        cmocka_unit_test_setup(mode_5_strobes_after_the_gate, setup),
        cmocka_unit_test_setup(zero_is_the_largest_count, setup),
        cmocka_unit_test_setup(decimal_counting, setup),
        cmocka_unit_test_setup(forbidden_counts_do_no_harm, setup),
        cmocka_unit_test_setup(single_byte_access, setup),
        cmocka_unit_test_setup(a_latched_count_stands_until_it_is_read, setup),
        cmocka_unit_test_setup(read_back_gives_status_then_count, setup),
        cmocka_unit_test_setup(port_b_keeps_its_low_bits_and_shows_refresh, setup),
        cmocka_unit_test_setup(guests_find_the_tsc_frequency, setup),
        cmocka_unit_test_setup(the_high_byte_falls_one_by_one, setup),
        cmocka_unit_test_setup(counts_survive_a_long_uptime, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
