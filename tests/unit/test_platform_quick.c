/*
 * The way past the buses must be the same way, only shorter: whatever it answers is held against the models' own
 * answers, and what it may not answer is listed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/platform.h"
#include "core/acpi_tables.h"
#include "core/bytes.h"
#include "drivers/virt/uart16550_quick.h"

#include <stdlib.h>

#define HZ 1000000000ull

static uint32_t seed;

static uint32_t pick(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Two serial ports that have seen the same. */
static struct ring ring, other_ring;
static struct uart16550 uart, other;

static int setup(void **state)
{
    (void)state;
    seed = 1;
    memset(&ring, 0, sizeof ring);
    memset(&other_ring, 0, sizeof other_ring);
    uart16550_reset(&uart, &ring);
    uart16550_reset(&other, &other_ring);
    return 0;
}

static uint8_t plain(struct uart16550 *port, uint32_t offset, bool in, uint8_t value)
{
    struct bus_access access = {.size = 1, .write = !in, .value = value};
    uart16550_access(port, offset, &access);
    return (uint8_t)access.value;
}

static void both(uint32_t offset, uint8_t value)
{
    plain(&uart, offset, false, value);
    plain(&other, offset, false, value);
}

static void expect_same(void)
{
    struct uart16550 copy = other;
    copy.output = uart.output;
    assert_memory_equal(&uart, &copy, sizeof uart);
    assert_int_equal(ring.written, other_ring.written);
    assert_memory_equal(ring.bytes, other_ring.bytes, sizeof ring.bytes);
}

static void quick_is_what_the_model_does(void **state)
{
    uint32_t taken[2][UART16550_PORTS] = {{0}};
    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t offset = pick(UART16550_PORTS);
        bool in = pick(2) == 0;
        /* Loopback and the divisor latch are rare, or nothing else would ever happen. */
        uint8_t value = (uint8_t)pick(256);
        if ((offset == MCR && pick(8) != 0) || (offset == LCR && pick(8) != 0))
            value &= 0x0f;
        if (pick(20) == 0)
            assert_int_equal(uart16550_receive(&uart, "typed", 1 + i % 5),
                             uart16550_receive(&other, "typed", 1 + i % 5));
        bool line = uart16550_line(&uart);
        (void)uart16550_line_fell(&uart);
        (void)uart16550_line_fell(&other);
        struct uart16550 before = uart;
        uint8_t answer = value;
        if (!uart16550_quick(&uart, offset, in, &answer)) {
            assert_memory_equal(&uart, &before, sizeof uart);
            assert_int_equal(answer, value);
            (void)plain(&uart, offset, in, value);
            (void)plain(&other, offset, in, value);
        } else {
            uint8_t expected = plain(&other, offset, in, value);
            if (in)
                assert_int_equal(answer, expected);
            assert_int_equal(uart16550_line(&uart), line);
            assert_false(uart.line_fell);
            assert_false(other.line_fell);
            taken[in][offset]++;
        }
        expect_same();
    }
    static const uint32_t written[] = {RBR_THR, IER, LCR, SCR}, read[] = {IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR};
    for (size_t i = 0; i < array_size(written); i++)
        assert_true(taken[0][written[i]] > 100);
    for (size_t i = 0; i < array_size(read); i++)
        assert_true(taken[1][read[i]] > 100);
}

static void expect_declined(uint32_t offset, bool in, uint8_t value)
{
    struct uart16550 before = uart;
    uint8_t given = value;
    assert_false(uart16550_quick(&uart, offset, in, &value));
    assert_int_equal(value, given);
    assert_memory_equal(&uart, &before, sizeof uart);
}

static void what_may_move_the_line_is_declined(void **state)
{
    (void)state;
    both(MCR, MCR_OUT2);
    expect_declined(MCR, false, 0);
    expect_declined(IIR_FCR, false, 0x07);
    expect_declined(RBR_THR, true, 0);
    expect_declined(LSR, false, 0);
    expect_declined(MSR, false, 0);
    expect_declined(IER, false, IER_ETBEI); /* THR is empty: the line rises */
    both(IER, IER_ETBEI);
    expect_declined(RBR_THR, false, 'x'); /* falls and rises */
    expect_declined(IIR_FCR, true, 0);
    expect_declined(IER, false, 0); /* falls */
    both(IER, 0);
    both(LCR, LCR_DLAB);
    expect_declined(RBR_THR, false, 1);
    expect_declined(IER, false, 1);
    both(LCR, 0);
    both(MCR, MCR_LOOP);
    expect_declined(RBR_THR, false, 'x');
    expect_declined(MSR, true, 0); /* the outputs turned round have left deltas */
    for (unsigned i = 0; i < 3; i++)
        both(RBR_THR, 'x'); /* an overrun */
    expect_declined(LSR, true, 0);
}

/* The whole PC */

static struct platform *platform;
static struct platform_outcome outcome;

static int setup_platform(void **state)
{
    (void)state;
    platform = calloc(1, platform_size());
    assert_non_null(platform);
    memset(&ring, 0, sizeof ring);
    platform_reset(platform, &ring, true, true, HZ);
    return 0;
}

static int teardown_platform(void **state)
{
    (void)state;
    free(platform);
    return 0;
}

static void only_the_serial_port_is_quick(void **state)
{
    (void)state;
    uint8_t value = 0x5a;
    for (uint32_t port = 0; port <= 0xffff; port++) {
        value = 0x5a;
        bool uarts = port == GUEST_UART_PORT + IER || port == GUEST_UART_PORT + LCR || port == GUEST_UART_PORT + LSR ||
                     port == GUEST_UART_PORT + SCR || port == GUEST_UART_PORT + MCR || port == GUEST_UART_PORT + MSR ||
                     port == GUEST_UART_PORT + IIR_FCR;
        assert_int_equal(platform_quick_port(platform, port, true, &value), uarts);
    }
    value = 0x5a;
    assert_true(platform_quick_port(platform, GUEST_UART_PORT + SCR, false, &value));
    value = 0;
    assert_true(platform_quick_port(platform, GUEST_UART_PORT + SCR, true, &value));
    assert_int_equal(value, 0x5a);
    assert_false(platform->lock.held);
    value = 'a';
    assert_true(platform_quick_port(platform, GUEST_UART_PORT, false, &value));
    assert_int_equal(ring.written, 1);
}

static void without_a_serial_port_nothing_is(void **state)
{
    (void)state;
    uint8_t value = 'a';
    platform_reset(platform, &ring, false, true, HZ);
    for (uint32_t port = GUEST_UART_PORT; port < GUEST_UART_PORT + UART16550_PORTS; port++) {
        assert_false(platform_quick_port(platform, port, true, &value));
        assert_false(platform_quick_port(platform, port, false, &value));
    }
    assert_int_equal(ring.written, 0);
    assert_int_equal(value, 'a');
}

static uint32_t slow_read(uint64_t address)
{
    struct bus_access access = {.address = address, .size = 4};
    assert_true(platform_memory(platform, &access, 0, &outcome));
    return (uint32_t)access.value;
}

static void ioapic_reads_are_what_the_model_gives(void **state)
{
    (void)state;
    for (uint32_t index = 0; index < 256; index++) {
        assert_true(platform_quick_write(platform, GUEST_IOAPIC_BASE, index));
        assert_int_equal(slow_read(GUEST_IOAPIC_BASE), index);
        assert_int_equal(platform_quick_read(platform, GUEST_IOAPIC_BASE), index);
        assert_int_equal(platform_quick_read(platform, GUEST_IOAPIC_BASE + 0x10), slow_read(GUEST_IOAPIC_BASE + 0x10));
    }
    assert_false(platform_quick_write(platform, GUEST_IOAPIC_BASE + 0x10, 1)); /* may send */
    assert_false(platform_quick_write(platform, GUEST_IOAPIC_BASE + 0x40, 1)); /* an EOI: likewise */
    assert_int_equal(platform_quick_read(platform, GUEST_IOAPIC_BASE + 0x40), -1);
    static const uint64_t elsewhere[] = {0, GUEST_IOAPIC_BASE - 4, GUEST_IOAPIC_BASE + 0x1000, GUEST_LAPIC_BASE};
    for (size_t i = 0; i < array_size(elsewhere); i++) {
        assert_int_equal(platform_quick_read(platform, elsewhere[i]), -1);
        assert_false(platform_quick_write(platform, elsewhere[i], 0));
    }
    assert_false(platform->lock.held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(quick_is_what_the_model_does, setup),
        cmocka_unit_test_setup(what_may_move_the_line_is_declined, setup),
        cmocka_unit_test_setup_teardown(only_the_serial_port_is_quick, setup_platform, teardown_platform),
        cmocka_unit_test_setup_teardown(without_a_serial_port_nothing_is, setup_platform, teardown_platform),
        cmocka_unit_test_setup_teardown(ioapic_reads_are_what_the_model_gives, setup_platform, teardown_platform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
