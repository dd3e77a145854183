/*
 * The serial port, by playing what drivers do: detection, polled and interrupt-driven transfer, and the tests by which
 * the Linux 8250 driver looks for known bugs. Register numbers and bits are written out as the data sheet has them
 * ("PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs"), whose headings are quoted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/virt/uart16550.h"
#include "core/bytes.h"

enum { RBR = 0, THR = 0, DLL = 0, IER = 1, DLM = 1, IIR = 2, FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { OUT2 = 0x08, LOOP = 0x10 };

static struct ring ring;
static struct uart16550 uart;
static uint32_t edges; /* rises of the interrupt line, as an edge-triggered input would count them */
static bool line_before;

static void watch_line(void)
{
    if (uart16550_line_fell(&uart))
        line_before = false;
    if (uart16550_line(&uart) && !line_before)
        edges++;
    line_before = uart16550_line(&uart);
}

static uint8_t in(uint64_t offset)
{
    struct bus_access access = {.size = 1};

    uart16550_access(&uart, offset, &access);
    watch_line();
    return (uint8_t)access.value;
}

static void out(uint64_t offset, uint8_t value)
{
    struct bus_access access = {.size = 1, .write = true, .value = value};

    uart16550_access(&uart, offset, &access);
    watch_line();
}

static size_t type(const char *text)
{
    size_t taken = uart16550_receive(&uart, text, strlen(text));

    watch_line();
    return taken;
}

static void expect_sent(const char *text)
{
    assert_int_equal(ring.written, strlen(text));
    assert_memory_equal(ring.bytes, text, strlen(text));
}

static int setup(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof ring);
    uart16550_reset(&uart, &ring);
    edges = 0;
    line_before = false;
    return 0;
}

/* FIFOs on, trigger level 8, DTR, RTS and OUT2: as a driver leaves it after opening the port. */
static void open_port(void)
{
    out(LCR, 0x03);
    out(FCR, 0x87);
    out(FCR, 0x81);
    out(MCR, 0x0b);
}

/* Table "UART Reset Configuration". */
static void reset_values(void **state)
{
    (void)state;
    assert_int_equal(in(IER), 0);
    assert_int_equal(in(IIR), 0x01);
    assert_int_equal(in(LCR), 0);
    assert_int_equal(in(MCR), 0);
    assert_int_equal(in(LSR), 0x60);
    assert_int_equal(in(MSR), 0xb0);
    assert_int_equal(in(RBR), 0);
    assert_false(uart16550_line(&uart));
}

/* "Line Control Register", bit 7, and "Programmable Baud Generator". */
static void divisor_hides_behind_dlab(void **state)
{
    (void)state;
    out(IER, 0x05);
    out(LCR, 0x83);
    out(DLL, 0x34);
    out(DLM, 0x12);
    assert_int_equal(in(DLL), 0x34);
    assert_int_equal(in(DLM), 0x12);
    out(LCR, 0x03);
    assert_int_equal(in(IER), 0x05);
    assert_int_equal(in(RBR), 0);
    assert_int_equal(ring.written, 0);
    assert_int_equal(in(LCR), 0x03);
}

/* "Scratchpad Register", "Line Control Register"; LSR and MSR are for reading. */
static void storage_and_read_only_registers(void **state)
{
    (void)state;
    out(SCR, 0x5a);
    assert_int_equal(in(SCR), 0x5a);
    out(IER, 0xff);
    assert_int_equal(in(IER), 0x0f);
    out(IER, 0);
    out(MCR, 0xff);
    assert_int_equal(in(MCR), 0x1f);
    out(MCR, 0);
    in(MSR);
    out(LSR, 0xff);
    assert_int_equal(in(LSR), 0x60);
    out(MSR, 0xff);
    assert_int_equal(in(MSR), 0xb0);
}

/* "FIFO Polled Mode Operation": LSR5 says when THR takes the next byte. */
static void polled_output_reaches_the_ring(void **state)
{
    const char *text = "Booting\r\n";

    (void)state;
    for (const char *c = text; *c != '\0'; c++) {
        assert_int_equal(in(LSR)&0x60, 0x60);
        out(THR, (uint8_t)*c);
    }
    expect_sent(text);
    assert_int_equal(edges, 0);
}

/* Existence and loopback tests, then the FIFO test, as drivers for a 16550A do them. */
static void detection_finds_a_16550a(void **state)
{
    (void)state;
    out(IER, 0);
    assert_int_equal(in(IER)&0x0f, 0);
    out(IER, 0x0f);
    assert_int_equal(in(IER)&0x0f, 0x0f);
    out(IER, 0);
    out(MCR, LOOP | 0x0a);
    assert_int_equal(in(MSR)&0xf0, 0x90);
    out(MCR, 0);
    out(LCR, 0xbf); /* enhanced registers of later parts: not there */
    out(FCR, 0);
    out(LCR, 0);
    out(FCR, 0x01);
    assert_int_equal(in(IIR) >> 6, 3);
    out(LCR, 0x80);
    assert_int_not_equal(in(IIR), 0);
    out(LCR, 0xbf);
    assert_int_not_equal(in(IIR), 0);
    /* A National Semiconductor SuperIO would show MCR's loop bit in the register at 2. */
    out(LCR, 0);
    out(MCR, LOOP);
    out(LCR, 0xe0);
    assert_int_equal(in(IIR)&LOOP, 0);
    out(LCR, 0);
    out(MCR, 0);
    /* A 16750 would show a 64-byte FIFO. */
    out(FCR, 0x21);
    assert_int_equal(in(IIR)&0xe0, 0xc0);
    out(LCR, 0x80);
    out(FCR, 0x21);
    assert_int_equal(in(IIR)&0xe0, 0xc0);
    out(LCR, 0);
    /* And an XScale UART has IER bit 6. */
    out(IER, 0x40);
    assert_int_equal(in(IER)&0x40, 0);
}

/* "Does THRE come back when its interrupt is enabled again?" A no here makes Linux fall back to a timer. */
static void thre_is_raised_anew_by_enabling(void **state)
{
    (void)state;
    out(IER, 0x02);
    assert_int_equal(in(IIR)&0x0f, 0x02);
    assert_int_equal(in(IIR)&0x0f, 0x01);
    out(IER, 0);
    out(IER, 0x02);
    assert_int_equal(in(IIR)&0x0f, 0x02);
    out(IER, 0x02); /* no change: nothing new */
    assert_int_equal(in(IIR)&0x0f, 0x01);
    out(IER, 0);
    assert_int_equal(in(IIR)&0x0f, 0x01);
}

/* "Modem Control Register", OUT 2: on a PC it opens the way of INTR to the bus. */
static void out2_gates_the_line(void **state)
{
    (void)state;
    out(IER, 0x02);
    assert_false(uart16550_line(&uart));
    out(MCR, OUT2);
    assert_true(uart16550_line(&uart));
    assert_int_equal(edges, 1);
    out(MCR, OUT2 | LOOP);
    assert_false(uart16550_line(&uart));
    out(MCR, 0);
    assert_false(uart16550_line(&uart));
}

/* One run of an interrupt handler that reads IIR until nothing pends; sends up to 16 bytes at a time. */
static void handler(const char **next)
{
    for (uint32_t rounds = 0; (in(IIR)&0x01) == 0; rounds++) {
        assert_true(rounds < 100);
        assert_int_equal(in(LSR)&0x20, 0x20);
        for (uint32_t i = 0; i < UART16550_FIFO_SIZE && **next != '\0'; i++)
            out(THR, (uint8_t) * (*next)++);
        if (**next == '\0')
            out(IER, in(IER)&0x0d);
    }
}

/* "Interrupt Identification Register": THRE is reset by reading IIR (if it is the source) or writing THR. */
static void interrupt_driven_transmit(void **state)
{
    const char *text = "The quick brown fox jumps over the lazy dog, twice, and again.";
    const char *next = text;
    uint32_t handled = 0;

    (void)state;
    open_port();
    out(IER, 0x07);
    /* Only edges start the handler, as with an edge-triggered interrupt input. */
    while (handled != edges) {
        handled = edges;
        handler(&next);
    }
    expect_sent(text);
    assert_false(uart16550_line(&uart));
    assert_int_equal(in(IER), 0x05);
}

/* A handler that sends one byte an interrupt, knows the cause, and never reads IIR. */
static void transmit_without_reading_iir(void **state)
{
    const char *text = "no IIR here";
    const char *next = text;
    uint32_t handled = 0;

    (void)state;
    open_port();
    out(IER, 0x02);
    while (handled != edges) {
        handled = edges;
        if (*next == '\0')
            out(IER, 0);
        else
            out(THR, (uint8_t)*next++);
    }
    expect_sent(text);
    assert_int_equal(edges, strlen(text) + 1);
}

/* The same with one IIR read and one byte an interrupt. */
static void transmit_one_byte_an_interrupt(void **state)
{
    const char *text = "one by one";
    const char *next = text;
    uint32_t handled = 0;

    (void)state;
    open_port();
    out(IER, 0x02);
    while (handled != edges) {
        handled = edges;
        assert_int_equal(in(IIR), 0xc2);
        assert_false(uart16550_line(&uart));
        if (*next != '\0')
            out(THR, (uint8_t)*next++);
    }
    expect_sent(text);
}

/* "FIFO Interrupt Mode Operation": data below the trigger level is a character time-out; reading all drops the line. */
static void received_bytes_raise_and_drain_drops_the_line(void **state)
{
    (void)state;
    open_port();
    out(IER, 0x05);
    assert_int_equal(edges, 0);
    assert_int_equal(type("hi"), 2);
    assert_int_equal(edges, 1);
    assert_int_equal(in(IIR), 0xcc); /* below the trigger level: time-out at once */
    assert_int_equal(in(LSR), 0x61);
    assert_int_equal(in(RBR), 'h');
    assert_true(uart16550_line(&uart));
    assert_int_equal(in(RBR), 'i');
    assert_false(uart16550_line(&uart));
    assert_int_equal(in(LSR), 0x60);
    assert_int_equal(in(IIR), 0xc1);
    assert_int_equal(type("!"), 1);
    assert_int_equal(edges, 2);
}

/* "FIFO Control Register", bits 6 and 7; below the level the character timeout takes its place. */
static void trigger_level_is_data_available(void **state)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    (void)state;
    for (uint8_t i = 0; i < array_size(levels); i++) {
        out(FCR, 0);
        out(FCR, (uint8_t)(i << 6 | 0x01));
        out(IER, 0x01);
        for (uint8_t n = 1; n <= UART16550_FIFO_SIZE; n++) {
            assert_int_equal(type("x"), 1);
            assert_int_equal(in(IIR), n < levels[i] ? 0xcc : 0xc4);
        }
    }
}

/* "FIFO Control Register": 16 bytes. The terminal waits, so nothing is overrun. */
static void a_full_fifo_takes_no_more(void **state)
{
    (void)state;
    open_port();
    assert_int_equal(type("0123456789abcdefghij"), 16);
    assert_int_equal(type("g"), 0);
    assert_int_equal(in(LSR), 0x61); /* nothing was lost, so no overrun either */
    assert_int_equal(in(RBR), '0');
    assert_int_equal(type("gh"), 1);
    for (const char *c = "123456789abcdefg"; *c != '\0'; c++)
        assert_int_equal(in(RBR), *c);
    assert_int_equal(in(LSR), 0x60);
}

/* "FIFO Control Register", bit 0: the 16450 mode. */
static void without_fifo_there_is_one_byte(void **state)
{
    (void)state;
    out(IER, 0x01);
    assert_int_equal(type("ab"), 1);
    assert_int_equal(in(IIR), 0x04);
    assert_int_equal(in(RBR), 'a');
    assert_int_equal(in(IIR), 0x01);
    assert_int_equal(type("b"), 1);
    assert_int_equal(in(RBR), 'b');
}

/* "FIFO Control Register", bits 1 and 2 clear themselves; changing bit 0 clears both FIFOs. */
static void fifo_control_clears_what_it_says(void **state)
{
    (void)state;
    open_port();
    type("abc");
    out(FCR, 0x81); /* no clear bit, no change */
    assert_int_equal(in(LSR)&1, 1);
    out(FCR, 0x85); /* the transmitter's */
    assert_int_equal(in(LSR)&1, 1);
    out(FCR, 0x83); /* the receiver's */
    assert_int_equal(in(LSR)&1, 0);
    type("abc");
    out(FCR, 0xc0); /* off: clears, and the trigger bits do not count */
    assert_int_equal(in(LSR)&1, 0);
    assert_int_equal(in(IIR), 0x01);
    type("x");
    out(FCR, 0x02); /* the clear bit alone is not programmed while FIFOs are off */
    assert_int_equal(in(RBR), 'x');
}

/* "Modem Control Register", bit 4: what is transmitted is received, and the wire is idle. */
static void loopback_turns_data_round(void **state)
{
    (void)state;
    out(FCR, 0x01);
    out(MCR, LOOP);
    out(THR, 0x5a);
    assert_int_equal(ring.written, 0);
    assert_int_equal(in(LSR), 0x61);
    assert_int_equal(in(RBR), 0x5a);
    assert_int_equal(type("typed"), 0); /* the wire is off; the caller keeps the bytes */
    out(MCR, 0);
    assert_int_equal(type("typed"), 5);
}

/* "Line Status Register", bit 1 (OE): set when a byte is lost, reset by reading LSR. */
static void loopback_overrun_is_a_line_error(void **state)
{
    (void)state;
    out(FCR, 0x01);
    out(IER, 0x05);
    out(MCR, LOOP);
    for (uint8_t i = 0; i < UART16550_FIFO_SIZE + 1; i++)
        out(THR, i);
    assert_int_equal(in(IIR), 0xc6);
    assert_int_equal(in(LSR), 0x63);
    assert_int_equal(in(LSR), 0x61);
    assert_int_not_equal(in(IIR), 0xc6);
    for (uint8_t i = 0; i < UART16550_FIFO_SIZE; i++)
        assert_int_equal(in(RBR), i);
    assert_int_equal(in(LSR), 0x60);
    /* Without FIFO the newer byte wins. */
    out(FCR, 0);
    out(THR, 1);
    out(THR, 2);
    assert_int_equal(in(LSR), 0x63);
    assert_int_equal(in(RBR), 2);
    assert_int_equal(in(LSR), 0x60);
}

/* "Modem Control Register", bit 4: the four outputs are the four inputs of "Modem Status Register". */
static void modem_lines_follow_in_loopback(void **state)
{
    static const uint8_t status[] = {0x20, 0x10, 0x40, 0x80}; /* DTR, RTS, OUT1, OUT2 */

    (void)state;
    for (uint32_t i = 0; i < array_size(status); i++) {
        out(MCR, (uint8_t)(LOOP | 1u << i));
        assert_int_equal(in(MSR)&0xf0, status[i]);
    }
    out(MCR, LOOP);
    assert_int_equal(in(MSR)&0x0f, 0x08); /* OUT2 went: delta of carrier detect */
    out(MCR, LOOP | 0x04);
    assert_int_equal(in(MSR), 0x40); /* ring: its leading edge is not reported */
    out(MCR, LOOP);
    assert_int_equal(in(MSR), 0x04); /* its trailing edge is */
    assert_int_equal(in(MSR), 0x00);
}

/* "Modem Status Register": the delta bits are reset by reading it. */
static void modem_status_interrupt_ends_with_the_read(void **state)
{
    (void)state;
    out(IER, 0x08);
    assert_int_equal(in(IIR), 0x01);
    out(MCR, LOOP);
    assert_int_equal(in(IIR), 0x00);
    assert_int_equal(in(MSR), 0x0b);
    assert_int_equal(in(IIR), 0x01);
    out(MCR, OUT2); /* back to the terminal that is there: deltas again */
    assert_true(uart16550_line(&uart));
    assert_int_equal(in(MSR), 0xbb);
    assert_false(uart16550_line(&uart));
}

/* Table "Interrupt Control Functions": line status, data, timeout, THRE, modem status. */
static void causes_have_priorities(void **state)
{
    (void)state;
    out(FCR, 0x01);
    out(IER, 0x0f);
    out(MCR, LOOP);
    for (uint8_t i = 0; i < UART16550_FIFO_SIZE + 1; i++)
        out(THR, i);
    assert_int_equal(in(IIR), 0xc6);
    in(LSR);
    assert_int_equal(in(IIR), 0xc4);
    assert_int_equal(in(IIR), 0xc4); /* reading IIR does not take THRE away while it shows something else */
    while ((in(LSR)&1) != 0)
        in(RBR);
    assert_int_equal(in(IIR), 0xc2);
    assert_int_equal(in(IIR), 0xc0);
    in(MSR);
    assert_int_equal(in(IIR), 0xc1);
}

/* A byte comes in while the handler is at work on the transmitter: it is seen in the loop or makes an edge. */
static void input_during_a_handler_is_not_lost(void **state)
{
    (void)state;
    open_port();
    out(IER, 0x07);
    assert_int_equal(edges, 1);
    assert_int_equal(in(IIR), 0xc2);
    assert_int_equal(type("k"), 1);
    assert_int_equal(in(IIR), 0xcc);
    assert_int_equal(in(RBR), 'k');
    assert_int_equal(in(IIR), 0xc1);
    uint32_t before = edges;
    assert_int_equal(type("l"), 1); /* after the last look at IIR */
    assert_int_equal(edges, before + 1);
}

/* Table "Register Addresses": eight. */
static void offsets_outside_answer_nothing(void **state)
{
    (void)state;
    assert_int_equal(in(8), 0xff);
    out(8, 0x55);
    assert_int_equal(ring.written, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, setup),
        cmocka_unit_test_setup(divisor_hides_behind_dlab, setup),
        cmocka_unit_test_setup(storage_and_read_only_registers, setup),
        cmocka_unit_test_setup(polled_output_reaches_the_ring, setup),
        cmocka_unit_test_setup(detection_finds_a_16550a, setup),
        cmocka_unit_test_setup(thre_is_raised_anew_by_enabling, setup),
        cmocka_unit_test_setup(out2_gates_the_line, setup),
        cmocka_unit_test_setup(interrupt_driven_transmit, setup),
        cmocka_unit_test_setup(transmit_without_reading_iir, setup),
        cmocka_unit_test_setup(transmit_one_byte_an_interrupt, setup),
        cmocka_unit_test_setup(received_bytes_raise_and_drain_drops_the_line, setup),
        cmocka_unit_test_setup(trigger_level_is_data_available, setup),
        cmocka_unit_test_setup(a_full_fifo_takes_no_more, setup),
        cmocka_unit_test_setup(without_fifo_there_is_one_byte, setup),
        cmocka_unit_test_setup(fifo_control_clears_what_it_says, setup),
        cmocka_unit_test_setup(loopback_turns_data_round, setup),
        cmocka_unit_test_setup(loopback_overrun_is_a_line_error, setup),
        cmocka_unit_test_setup(modem_lines_follow_in_loopback, setup),
        cmocka_unit_test_setup(modem_status_interrupt_ends_with_the_read, setup),
        cmocka_unit_test_setup(causes_have_priorities, setup),
        cmocka_unit_test_setup(input_during_a_handler_is_not_lost, setup),
        cmocka_unit_test_setup(offsets_outside_answer_nothing, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
