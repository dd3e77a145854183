/*
 * The virtual PC as a whole, through the functions that the run loop calls: who owns which port, the UART's interrupt
 * on its way to a message, resets and power off, and the small models that have no test of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/platform.h"
#include "core/acpi_tables.h"
#include "core/bytes.h"

#include <stdlib.h>

#define HZ     1000000000ull
#define IOAPIC 0xfec00000u

static struct ring ring;
static struct platform *platform;
static struct platform_outcome outcome;
static uint64_t now;

static bool port(uint16_t number, uint8_t size, bool write, uint64_t *value)
{
    struct bus_access access = {.address = number, .size = size, .write = write, .value = *value};

    memset(&outcome, 0xa5, sizeof outcome);
    bool owned = platform_port(platform, &access, now, &outcome);
    *value = access.value;
    return owned;
}

static uint32_t in(uint16_t number, uint8_t size)
{
    uint64_t value = 0xdeadbeef;

    assert_true(port(number, size, false, &value));
    assert_true(value <= bus_all_ones(size));
    return (uint32_t)value;
}

static void out(uint16_t number, uint8_t size, uint32_t value)
{
    uint64_t wide = value;

    assert_true(port(number, size, true, &wide));
}

static uint8_t inb(uint16_t number) { return (uint8_t)in(number, 1); }
static void outb(uint16_t number, uint8_t value) { out(number, 1, value); }

static void write_ioapic(uint32_t index, uint32_t value)
{
    struct bus_access select = {.address = IOAPIC, .size = 4, .write = true, .value = index};
    struct bus_access window = {.address = IOAPIC + 0x10, .size = 4, .write = true, .value = value};

    assert_true(platform_memory(platform, &select, now, &outcome));
    assert_true(platform_memory(platform, &window, now, &outcome));
}

static size_t type(const char *text)
{
    memset(&outcome, 0xa5, sizeof outcome);
    return platform_input(platform, text, strlen(text), now, &outcome);
}

static void expect_messages(uint32_t count, uint8_t vector)
{
    assert_int_equal(outcome.request, PLATFORM_NOTHING);
    assert_int_equal(outcome.message_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(outcome.messages[i].vector, vector);
        assert_int_equal(outcome.messages[i].destination, 2);
        assert_int_equal(outcome.messages[i].delivery, DELIVERY_FIXED);
        assert_false(outcome.messages[i].logical);
        assert_false(outcome.messages[i].level);
    }
}

static void start(bool has_uart)
{
    now = 0;
    memset(&ring, 0, sizeof ring);
    platform_reset(platform, &ring, has_uart, false, HZ);
}

static int setup(void **state)
{
    (void)state;
    platform = calloc(1, platform_size());
    assert_non_null(platform);
    start(true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(platform);
    return 0;
}

/* Pin 4 to CPU 2, vector 34h; the port opened with interrupts on `enables`. */
static void open_uart(uint8_t enables)
{
    write_ioapic(0x11 + 2 * 4, 2u << 24);
    write_ioapic(0x10 + 2 * 4, 0x34);
    outb(0x3fb, 0x03);
    outb(0x3fa, 0x81);
    outb(0x3fc, 0x0b);
    outb(0x3f9, enables);
}

/* The 8259s as a PC's firmware sets them: vectors 8 and 70h, all masked but the lines given. */
static void open_pics(uint16_t mask)
{
    static const uint8_t master[] = {0x08, 0x04, 0x01}, slave[] = {0x70, 0x02, 0x01};
    outb(0x20, 0x11);
    outb(0xa0, 0x11);
    for (size_t i = 0; i < 3; i++) {
        outb(0x21, master[i]);
        outb(0xa1, slave[i]);
    }
    outb(0x21, (uint8_t)mask);
    outb(0xa1, (uint8_t)(mask >> 8));
}

/* `interrupts = virtual`: the timer's tick comes through the 8259s, at the time that platform_due names. */
static void the_timer_interrupts_through_the_8259s(void **state)
{
    (void)state;
    struct platform_outcome result;
    platform_reset(platform, &ring, true, true, HZ);
    assert_true(platform_due(platform) == UINT64_MAX);
    outb(0x43, 0x34); /* counter 0, mode 2 */
    outb(0x40, 0xa9); /* 1193 counts: a millisecond */
    outb(0x40, 0x04);
    assert_true(platform_due(platform) == UINT64_MAX); /* masked: nobody waits for it */
    open_pics(0xfffe);

    for (unsigned tick = 0; tick < 5; tick++) {
        uint64_t due = platform_due(platform);
        assert_true(due != UINT64_MAX);
        platform_tick(platform, due - 1, &result);
        assert_false(platform_extint(platform));
        platform_tick(platform, due, &result);
        assert_true(platform_extint(platform));
        assert_int_equal(platform_acknowledge(platform, due, &result), 0x08);
        assert_false(platform_extint(platform));
        outb(0x20, 0x20); /* EOI */
        assert_true(platform_due(platform) > due);
        assert_true(platform_due(platform) - due <= HZ / 1000 + HZ / 100000);
    }
}

/* The same wire reaches the IOAPIC: pin 0, and 8 for the clock of day. */
static void the_timers_reach_the_ioapic(void **state)
{
    (void)state;
    struct platform_outcome result;
    platform_reset(platform, &ring, true, true, HZ);
    outb(0x43, 0x34);
    outb(0x40, 0xa9);
    outb(0x40, 0x04);
    write_ioapic(0x11, 1u << 24);
    write_ioapic(0x10, 0x30);
    uint64_t due = platform_due(platform);
    assert_true(due != UINT64_MAX);
    platform_tick(platform, due, &result);
    assert_int_equal(result.message_count, 1);
    assert_int_equal(result.messages[0].vector, 0x30);
    assert_int_equal(result.messages[0].destination, 1);
    assert_false(platform_extint(platform)); /* masked there */
}

/* `interrupts = direct`: nobody takes the 8259s' output, and no timer wakes the hypervisor. */
static void direct_mode_has_no_timer_interrupts(void **state)
{
    (void)state;
    struct platform_outcome result;
    outb(0x43, 0x34);
    outb(0x40, 0xa9);
    outb(0x40, 0x04);
    open_pics(0);
    assert_true(platform_due(platform) == UINT64_MAX);
    platform_tick(platform, 10ull * HZ, &result);
    assert_int_equal(result.message_count, 0);
    assert_true(platform_due(platform) == UINT64_MAX);
}

/* The ISA addresses of a PC: each data sheet's registers where IBM put them. */
static void every_port_has_the_owner_it_should(void **state)
{
    enum { EMPTY = UINT16_MAX };
    static const struct {
        uint16_t first, last, device;
    } owners[] = {
        {0x00, 0x0f, EMPTY}, /* DMA */
        {0x20, 0x21, offsetof(struct platform, pic.chips[0])},
        {0x40, 0x43, offsetof(struct platform, pit)},
        {0x60, 0x60, EMPTY}, /* keyboard */
        {0x61, 0x61, offsetof(struct platform, pit)},
        {0x64, 0x64, offsetof(struct platform, power)},
        {0x70, 0x71, offsetof(struct platform, rtc)},
        {0x80, 0x80, EMPTY}, /* delay */
        {0x92, 0x92, offsetof(struct platform, power)},
        {0xa0, 0xa1, offsetof(struct platform, pic.chips[1])},
        {0xc0, 0xdf, EMPTY},   /* DMA, 16 bits */
        {0xe9, 0xe9, 0},       /* debug port */
        {0x170, 0x177, EMPTY}, /* IDE */
        {0x1f0, 0x1f7, EMPTY},
        {0x278, 0x27f, EMPTY}, /* LPT2 */
        {0x2e8, 0x2ef, EMPTY}, /* COM4 */
        {0x2f8, 0x2ff, EMPTY}, /* COM2 */
        {0x378, 0x37f, EMPTY}, /* LPT1 */
        {0x3c0, 0x3df, EMPTY}, /* VGA */
        {0x3e8, 0x3ef, EMPTY}, /* COM3 */
        {0x3f0, 0x3f7, EMPTY}, /* floppy */
        {0x3f8, 0x3ff, offsetof(struct platform, uart)},
        {0x402, 0x402, EMPTY}, /* firmware's messages */
        {0x4d0, 0x4d1, offsetof(struct platform, pic)},
        {0x510, 0x511, offsetof(struct platform, fw_cfg)},
        {0x604, 0x605, offsetof(struct platform, power)},
        {0x608, 0x60b, offsetof(struct platform, clock)},
        {0x610, 0x61b, offsetof(struct platform, watchdog)},
        {0xcf8, 0xcff, 0}, /* configuration window */
    };

    (void)state;
    for (uint32_t number = 0; number <= 0xffff; number++) {
        const struct bus_slot *slot = bus_find(platform_ports, PLATFORM_PORT_SLOTS, number);
        size_t i = 0;
        while (i < array_size(owners) && (number < owners[i].first || number > owners[i].last))
            i++;
        assert_int_equal(slot != NULL, i < array_size(owners));
        assert_int_equal(platform_owns_port(platform, number), slot != NULL);
        if (slot == NULL)
            continue;
        assert_int_equal(slot->base, owners[i].first);
        assert_int_equal(slot->base + slot->size - 1, owners[i].last);
        assert_int_equal(slot->handle == NULL ? EMPTY : slot->device, owners[i].device);
    }
}

/* What bisection takes for granted of a table. */
static void slots_ascend_and_do_not_overlap(void **state)
{
    (void)state;
    uint32_t end = 0;
    for (size_t i = 0; i < PLATFORM_PORT_SLOTS; end = platform_ports[i].base + platform_ports[i].size, i++)
        assert_true(platform_ports[i].size != 0 && platform_ports[i].base >= end);
    assert_true(end <= 0x10000);
    assert_int_equal(PLATFORM_MEMORY_SLOTS, 1);
    assert_true(platform_memories[0].size != 0);
}

static void other_addresses_belong_to_nobody(void **state)
{
    uint64_t value = 0x1234;
    struct bus_access below = {.address = IOAPIC - 4, .size = 4};
    struct bus_access across = {.address = IOAPIC + 0xffe, .size = 4};
    struct bus_access above = {.address = IOAPIC + 0x1000, .size = 4};
    struct bus_access local_apic = {.address = GUEST_LAPIC_BASE, .size = 4};

    (void)state;
    assert_false(port(0x1234, 1, true, &value));
    assert_int_equal(outcome.request, PLATFORM_NOTHING);
    assert_int_equal(outcome.message_count, 0);
    assert_false(port(0x1234, 4, false, &value));
    assert_int_equal(value, 0x1234);
    assert_false(port(0x44, 1, false, &value));
    assert_false(port(0x43, 2, false, &value)); /* half of it is nobody's */
    assert_false(port(0x40, 3, false, &value));
    assert_false(platform_memory(platform, &below, now, &outcome));
    assert_false(platform_memory(platform, &across, now, &outcome));
    assert_false(platform_memory(platform, &above, now, &outcome));
    assert_false(platform_memory(platform, &local_apic, now, &outcome));
}

static void empty_places_read_all_ones(void **state)
{
    static const uint16_t ports[] = {0x00,  0x60,  0x64,  0x80,  0xd6,  0x177, 0x1f7, 0x27a,
                                     0x2e8, 0x2f8, 0x2ff, 0x378, 0x3d5, 0x3e8, 0x3f4, 0x402};

    (void)state;
    for (size_t i = 0; i < array_size(ports); i++) {
        outb(ports[i], 0x12);
        assert_int_equal(outcome.request, PLATFORM_NOTHING);
        assert_int_equal(inb(ports[i]), 0xff);
    }
    assert_int_equal(in(0x2f8, 4), 0xffffffff);
}

/* 16550, THR; and port E9h as the emulators have it. */
static void output_comes_from_the_uart_and_the_debug_port(void **state)
{
    (void)state;
    outb(0x3f8, 'a');
    outb(0xe9, 'b');
    assert_int_equal(inb(0xe9), 0xe9);
    assert_int_equal(ring.written, 2);
    assert_memory_equal(ring.bytes, "ab", 2);
}

static void without_a_console_nothing_answers(void **state)
{
    (void)state;
    start(false);
    for (uint16_t number = 0x3f8; number <= 0x3ff; number++) {
        outb(number, 0x0b);
        assert_int_equal(inb(number), 0xff);
    }
    outb(0xe9, 'x');
    assert_int_equal(inb(0xe9), 0xff);
    assert_int_equal(ring.written, 0);
    assert_int_equal(type("hello"), 0);
    assert_int_equal(outcome.message_count, 0);
}

/* 16550, "Interrupt Enable Register", to the 82093AA's pin 4. */
static void a_sent_byte_is_an_interrupt(void **state)
{
    (void)state;
    open_uart(0x02);
    expect_messages(1, 0x34); /* THR is empty */
    assert_int_equal(inb(0x3fa), 0xc2);
    expect_messages(0, 0);
    for (const char *c = "abc"; *c != '\0'; c++) {
        outb(0x3f8, (uint8_t)*c);
        expect_messages(1, 0x34);
    }
    outb(0x3f9, 0);
    expect_messages(0, 0);
    outb(0x3f8, 'd');
    expect_messages(0, 0);
    assert_int_equal(ring.written, 4);
}

/* 16550, received data available, to the 82093AA's pin 4. */
static void a_typed_byte_is_an_interrupt(void **state)
{
    (void)state;
    open_uart(0x05);
    expect_messages(0, 0);
    assert_int_equal(type("0123456789abcdefXY"), 16);
    expect_messages(1, 0x34);
    assert_int_equal(type("XY"), 0);
    expect_messages(0, 0);
    for (uint32_t i = 0; i < 16; i++) {
        assert_int_equal(inb(0x3f8), "0123456789abcdef"[i]);
        expect_messages(0, 0);
    }
    assert_int_equal(type("XY"), 2);
    expect_messages(1, 0x34);
}

static void an_interrupt_under_the_mask_comes_with_unmasking(void **state)
{
    (void)state;
    open_uart(0x01);
    write_ioapic(0x10 + 2 * 4, 0x10034);
    assert_int_equal(type("k"), 1);
    expect_messages(0, 0);
    write_ioapic(0x10 + 2 * 4, 0x34);
    expect_messages(1, 0x34);
}

/* A level-triggered pin has no EOI to wait for here: each byte still comes through. */
static void a_level_pin_does_not_get_stuck(void **state)
{
    (void)state;
    open_uart(0x01);
    write_ioapic(0x10 + 2 * 4, 0x8034);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(type("k"), 1);
        assert_int_equal(outcome.message_count, 1);
        assert_true(outcome.messages[0].level);
        assert_int_equal(inb(0x3f8), 'k');
        assert_int_equal(outcome.message_count, 0);
    }
}

static void expect_request(enum platform_request request)
{
    assert_int_equal(outcome.request, request);
    assert_int_equal(inb(0x80), 0xff);
    assert_int_equal(outcome.request, PLATFORM_NOTHING); /* said once */
}

/* Intel ICH data sheets, "RST_CNT - Reset Control Register": RST_CPU must rise. */
static void reset_control_register(void **state)
{
    (void)state;
    outb(GUEST_RESET_PORT, 0x02);
    expect_request(PLATFORM_NOTHING);
    assert_int_equal(inb(GUEST_RESET_PORT), 0x02);
    outb(GUEST_RESET_PORT, GUEST_RESET_VALUE);
    expect_request(PLATFORM_RESET);
    outb(GUEST_RESET_PORT, 0x0e);
    expect_request(PLATFORM_RESET);
    outb(GUEST_RESET_PORT, 0xf1);
    expect_request(PLATFORM_NOTHING);
    assert_int_equal(inb(GUEST_RESET_PORT), 0);
    out(0xcf8, 4, 0xffffffff); /* the same port as part of CONFIG_ADDRESS */
    expect_request(PLATFORM_NOTHING);
    out(0xcf8, 2, 0xffff);
    expect_request(PLATFORM_NOTHING);
    out(GUEST_RESET_PORT, 2, 0xffff);
    expect_request(PLATFORM_NOTHING);
}

/* IBM PC AT Technical Reference, "Keyboard Controller", command FEh: pulse the reset line. */
static void keyboard_controller_reset(void **state)
{
    (void)state;
    for (uint32_t value = 0; value <= 0xff; value++) {
        outb(0x64, (uint8_t)value);
        expect_request(value >= 0xf0 && value % 2 == 0 ? PLATFORM_RESET : PLATFORM_NOTHING);
        outb(0x60, (uint8_t)value);
        expect_request(PLATFORM_NOTHING);
    }
}

/* IBM PS/2 Technical Reference, "System Control Port A": bit 0 resets, bit 1 is A20. */
static void port_92_reset(void **state)
{
    (void)state;
    assert_int_equal(inb(0x92), 0x02);
    outb(0x92, 0x00); /* A20 stays on */
    assert_int_equal(inb(0x92), 0x02);
    expect_request(PLATFORM_NOTHING);
    outb(0x92, 0x03);
    expect_request(PLATFORM_RESET);
    outb(0x92, 0x03); /* no rise */
    expect_request(PLATFORM_NOTHING);
    outb(0x92, 0x02);
    outb(0x92, 0x01);
    expect_request(PLATFORM_RESET);
}

/* ACPI, "PM1 Control Registers": SLP_TYP counts when SLP_EN is written. */
static void sleep_type_5_is_power_off(void **state)
{
    (void)state;
    outb(GUEST_SLEEP_STATUS_PORT, 0x80);
    expect_request(PLATFORM_NOTHING);
    assert_int_equal(inb(GUEST_SLEEP_STATUS_PORT), 0);
    for (uint32_t value = 0; value <= 0xff; value++) {
        outb(GUEST_SLEEP_CONTROL_PORT, (uint8_t)value);
        expect_request((value & 0x3c) == GUEST_SLEEP_S5 ? PLATFORM_POWER_OFF : PLATFORM_NOTHING);
        assert_int_equal(inb(GUEST_SLEEP_CONTROL_PORT), value & 0x1c);
        outb(GUEST_SLEEP_STATUS_PORT, (uint8_t)value);
        expect_request(PLATFORM_NOTHING);
    }
}

/* How guests look for PCI: type 1 is there by its register, and no device by any read. */
static void configuration_ports_find_no_device(void **state)
{
    (void)state;
    outb(0xcfb, 0x01);
    out(0xcf8, 4, 0x80000000);
    assert_int_equal(in(0xcf8, 4), 0x80000000);
    for (uint32_t device = 0; device < 32; device++) {
        out(0xcf8, 4, 0x80000000 | device << 11);
        assert_int_equal(in(0xcf8, 4), 0x80000000 | device << 11);
        assert_int_equal(in(0xcfc, 4), 0xffffffff);
        assert_int_equal(in(0xcfe, 2), 0xffff);
        assert_int_equal(inb(0xcfd), 0xff);
        out(0xcfc, 4, 0);
    }
    out(0xcf8, 4, 0xffffffff);
    assert_int_equal(in(0xcf8, 4), 0x80fffffc);
    out(0xcf8, 2, 0);
    outb(0xcf8, 0);
    assert_int_equal(in(0xcf8, 4), 0x80fffffc);
    assert_int_equal(inb(0xcf8), 0xff);
}

/* 8259A, "Initialization Command Words", at ports 20h and A0h. */
static void interrupt_controllers_take_their_initialisation(void **state)
{
    (void)state;
    assert_int_equal(inb(0x21), 0xff);
    outb(0xa1, 0xff);
    outb(0x21, 0xfb); /* the probe: can the mask be read back? */
    assert_int_equal(inb(0x21), 0xfb);
    assert_int_equal(inb(0xa1), 0xff);
    static const uint8_t words[2][4] = {{0x11, 0x20, 0x04, 0x01}, {0x11, 0x28, 0x02, 0x01}};
    for (uint16_t chip = 0; chip < 2; chip++) {
        uint16_t base = chip == 0 ? 0x20 : 0xa0;
        outb(base, words[chip][0]);
        for (uint32_t i = 1; i < 4; i++)
            outb((uint16_t)(base + 1), words[chip][i]);
        assert_int_equal(inb((uint16_t)(base + 1)), 0);
        outb((uint16_t)(base + 1), 0x5a);
        assert_int_equal(inb((uint16_t)(base + 1)), 0x5a);
        outb(base, 0x20); /* end of interrupt */
        outb(base, 0x0b); /* read ISR */
        assert_int_equal(inb(base), 0);
    }
    outb(0x20, 0x12); /* single, no ICW4: one word follows */
    outb(0x21, 0x20);
    outb(0x21, 0xa5);
    assert_int_equal(inb(0x21), 0xa5);
    outb(0x20, 0x13); /* single, with ICW4: two words follow */
    outb(0x21, 0x20);
    outb(0x21, 0x01);
    outb(0x21, 0xc3);
    assert_int_equal(inb(0x21), 0xc3);
    outb(0x20, 0x10); /* cascaded, no ICW4: two words follow */
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, 0x3c);
    assert_int_equal(inb(0x21), 0x3c);
}

/* Intel PIIX data sheets, "ELCR": which inputs of the 8259s are levels. */
static void edge_level_control_is_storage(void **state)
{
    (void)state;
    assert_int_equal(in(0x4d0, 2), 0);
    out(0x4d0, 2, 0xffff);
    assert_int_equal(in(0x4d0, 2), 0xdef8); /* lines 0, 1, 2, 8 and 13 are always edge-triggered */
    outb(0x4d1, 0x02);
    assert_int_equal(in(0x4d0, 2), 0x02f8);
}

/* ACPI, "Power Management Timer": 3.579545 MHz, 32 bits, for ever. */
static void pm_timer_counts(void **state)
{
    (void)state;
    assert_int_equal(in(0x608, 4), 0);
    now = HZ;
    assert_int_equal(in(0x608, 4), 3579545);
    assert_int_equal(in(0x609, 1), 3579545 >> 8 & 0xff);
    assert_int_equal(in(0x60a, 2), 3579545 >> 16);
    out(0x608, 4, 0);
    assert_int_equal(in(0x608, 4), 3579545);
    now = 3600 * HZ;
    assert_int_equal(in(0x608, 4), (uint32_t)(3600ull * 3579545));
}

/* ACPI, "Power Management Timer": it counts up. */
static void time_never_runs_backwards(void **state)
{
    (void)state;
    now = 5 * HZ;
    assert_int_equal(in(0x608, 4), 5 * 3579545);
    now = 4 * HZ;
    assert_int_equal(in(0x608, 4), 5 * 3579545);
}

/* MC146818, "Time, Calendar, and Alarm Locations", through ports 70h and 71h. */
static void the_clock_of_day_can_be_set(void **state)
{
    (void)state;
    now = 7 * HZ;
    outb(0x70, 0x00);
    assert_int_equal(inb(0x71), 0x07);
    platform_set_time(platform, 1709251198, now);
    outb(0x70, 0x09);
    assert_int_equal(inb(0x71), 0x24);
    outb(0x70, 0x00);
    now += HZ;
    assert_int_equal(inb(0x71), 0x59);
    now = 0; /* a reset forgets it */
    platform_reset(platform, &ring, true, false, HZ);
    outb(0x70, 0x09);
    assert_int_equal(inb(0x71), 0x00);
}

/* Wide accesses to byte-wide devices are several accesses; every one of them counts. */
static void wide_accesses_are_taken_apart(void **state)
{
    (void)state;
    out(0x3fe, 2, 0x5a00);
    assert_int_equal(inb(0x3ff), 0x5a);
    assert_int_equal(in(0x3fc, 4), 0x5ab06000u);
    out(0x70, 2, 0x990e);
    assert_int_equal(in(0x70, 2), 0x99ff);
    out(0x3f8, 4, 0x03000041); /* THR, IER, FCR, LCR */
    assert_int_equal(ring.written, 1);
    assert_int_equal(inb(0x3fb), 0x03);
}

static void a_reset_brings_everything_back(void **state)
{
    struct platform *fresh = calloc(1, platform_size());

    (void)state;
    assert_non_null(fresh);
    open_uart(0x0f);
    type("left over");
    for (uint32_t number = 0; number <= 0xffff; number++) {
        uint64_t value = 0x5b;
        if (port((uint16_t)number, 1, true, &value))
            now += 12345;
    }
    platform_reset(platform, &ring, true, false, HZ);
    platform_reset(fresh, &ring, true, false, HZ);
    /* Only the pointers into the platform itself may differ. */
    assert_memory_equal(&platform->uart, &fresh->uart, sizeof fresh->uart);
    assert_memory_equal(&platform->ioapic, &fresh->ioapic, sizeof fresh->ioapic);
    assert_memory_equal(&platform->pic, &fresh->pic, sizeof fresh->pic);
    assert_memory_equal(&platform->pci, &fresh->pci, sizeof fresh->pci);
    assert_memory_equal(&platform->power, &fresh->power, sizeof fresh->power);
    assert_memory_equal(platform->pit.counters, fresh->pit.counters, sizeof fresh->pit.counters);
    assert_memory_equal(platform->rtc.bytes, fresh->rtc.bytes, sizeof fresh->rtc.bytes);
    assert_int_equal(platform->pit.port_b, fresh->pit.port_b);
    assert_true(platform->rtc.seconds == fresh->rtc.seconds);
    assert_true(platform->clock.now == 0);
    free(fresh);
}

static uint64_t random_state = 88172645463325252ull;

static uint64_t pick(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* Rubbish on every owned address: answers keep to their size, outcomes to their bounds, the sanitizers stay silent. */
static void rubbish_is_harmless(void **state)
{
    static const uint8_t sizes[] = {0, 1, 1, 1, 2, 4, 4, 8, 3};

    (void)state;
    for (uint32_t i = 0; i < 400000; i++) {
        bool is_port = pick(4) != 0;
        const struct bus_slot *slot = &platform_ports[pick(PLATFORM_PORT_SLOTS)];
        struct bus_access access = {
            .address = is_port ? slot->base + pick(slot->size) : IOAPIC + pick(6) * 0x10 + pick(2) * pick(4),
            .size = sizes[pick(array_size(sizes))],
            .write = pick(2) != 0,
            .value = pick(3) == 0 ? pick(UINT64_MAX) : pick(256),
        };
        uint64_t before = access.value;
        now += pick(i % 100 == 0 ? HZ * 1000 : 100000);
        bool owned = is_port ? platform_port(platform, &access, now, &outcome)
                             : platform_memory(platform, &access, now, &outcome);
        assert_true(outcome.message_count <= 1);
        assert_in_range(outcome.request, PLATFORM_NOTHING, PLATFORM_POWER_OFF);
        if (!owned)
            assert_true(access.value == before);
        else if (!access.write)
            assert_true(access.value <= bus_all_ones(access.size));
        if (pick(50) == 0)
            assert_true(type("typed") <= 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_port_has_the_owner_it_should, setup, teardown),
        cmocka_unit_test_setup_teardown(slots_ascend_and_do_not_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(other_addresses_belong_to_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_places_read_all_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(the_timer_interrupts_through_the_8259s, setup, teardown),
        cmocka_unit_test_setup_teardown(the_timers_reach_the_ioapic, setup, teardown),
        cmocka_unit_test_setup_teardown(direct_mode_has_no_timer_interrupts, setup, teardown),
        cmocka_unit_test_setup_teardown(output_comes_from_the_uart_and_the_debug_port, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_console_nothing_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sent_byte_is_an_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(a_typed_byte_is_an_interrupt, setup, teardown),
        cmocka_unit_test_setup_teardown(an_interrupt_under_the_mask_comes_with_unmasking, setup, teardown),
        cmocka_unit_test_setup_teardown(a_level_pin_does_not_get_stuck, setup, teardown),
        cmocka_unit_test_setup_teardown(reset_control_register, setup, teardown),
        cmocka_unit_test_setup_teardown(keyboard_controller_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(port_92_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(sleep_type_5_is_power_off, setup, teardown),
        cmocka_unit_test_setup_teardown(configuration_ports_find_no_device, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupt_controllers_take_their_initialisation, setup, teardown),
        cmocka_unit_test_setup_teardown(edge_level_control_is_storage, setup, teardown),
        cmocka_unit_test_setup_teardown(pm_timer_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(time_never_runs_backwards, setup, teardown),
        cmocka_unit_test_setup_teardown(the_clock_of_day_can_be_set, setup, teardown),
        cmocka_unit_test_setup_teardown(wide_accesses_are_taken_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reset_brings_everything_back, setup, teardown),
        cmocka_unit_test_setup_teardown(rubbish_is_harmless, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
