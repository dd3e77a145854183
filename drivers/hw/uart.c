/*
 * PC16550D data sheet (National Semiconductor), "Registers".
 */
#include "drivers/hw/uart.h"

#include "arch/x86_64/cpu_instructions.h"

enum {
    UART_RBR = 0, /* read: received byte; write: byte to send; with DLAB: divisor, low */
    UART_IER = 1, /* with DLAB: divisor, high */
    UART_FCR = 2, /* read: interrupt identification */
    UART_LCR = 3,
    UART_MCR = 4,
    UART_LSR = 5,
    UART_SCR = 7,
    UART_FIFO_DEPTH = 16,
    WAITING_SIZE = 4096,
};

#define UART_LCR_8N1  0x03u
#define UART_LCR_DLAB 0x80u
#define UART_LSR_DR   0x01u
#define UART_LSR_THRE 0x20u
#define UART_IIR_FIFO 0xc0u   /* both: a FIFO that works */
#define UART_CLOCK    115200u /* divisor 1 */

static uint16_t base;
static bool present;
static size_t depth; /* bytes that the transmitter takes at once */

/* Text of uart_put on its way, in a circle: the box goes on meanwhile. */
static char waiting[WAITING_SIZE];
static uint32_t put_count, sent_count;

bool uart_init(uint16_t port, uint32_t baud)
{
    uart_flush();
    base = port;
    out8((uint16_t)(base + UART_SCR), 0x5a);
    present = in8((uint16_t)(base + UART_SCR)) == 0x5a;
    if (!present)
        return false;
    uint32_t divisor = baud == 0 || baud > UART_CLOCK ? 1 : UART_CLOCK / baud;
    out8((uint16_t)(base + UART_IER), 0);
    out8((uint16_t)(base + UART_LCR), UART_LCR_DLAB | UART_LCR_8N1);
    out8(base, (uint8_t)divisor);
    out8((uint16_t)(base + 1), (uint8_t)(divisor >> 8));
    out8((uint16_t)(base + UART_LCR), UART_LCR_8N1);
    out8((uint16_t)(base + UART_FCR), 0x07); /* enable and clear both FIFOs */
    depth = (in8((uint16_t)(base + UART_FCR)) & UART_IIR_FIFO) == UART_IIR_FIFO ? UART_FIFO_DEPTH : 1;
    out8((uint16_t)(base + UART_MCR), 0x03); /* DTR, RTS */
    return true;
}

static uint8_t line_status(void) { return in8((uint16_t)(base + UART_LSR)); }

/* Gives the transmitter what it takes now. */
static void send(void)
{
    if (put_count == sent_count || !(line_status() & UART_LSR_THRE))
        return;
    for (size_t i = 0; i < depth && sent_count != put_count; i++)
        out8(base, (uint8_t)waiting[sent_count++ % WAITING_SIZE]);
}

/* Until no more than `left` bytes wait. */
static void send_until(uint32_t left)
{
    /* At 300 baud a FIFO takes half a second; a UART that takes nothing for so many looks never will. */
    uint32_t patience = 1u << 24;
    while (present && put_count - sent_count > left) {
        uint32_t before = sent_count;
        send();
        patience = sent_count != before ? 1u << 24 : patience - 1;
        present = patience != 0;
        cpu_pause();
    }
}

void uart_flush(void) { send_until(0); }

static void byte_put(char byte)
{
    if (put_count - sent_count >= WAITING_SIZE)
        send_until(WAITING_SIZE - UART_FIFO_DEPTH);
    waiting[put_count++ % WAITING_SIZE] = byte;
}

void uart_put(const char *text, size_t length)
{
    static char last;
    for (size_t i = 0; present && i < length; i++) {
        if (text[i] == '\n' && last != '\r')
            byte_put('\r');
        byte_put(text[i]);
        last = text[i];
    }
    send();
}

size_t uart_read(char *to, size_t size)
{
    size_t count = 0;
    while (present && count < size && (line_status() & UART_LSR_DR))
        to[count++] = (char)in8(base);
    return count;
}

size_t uart_write(const char *from, size_t size)
{
    if (!present)
        return size;
    send();
    if (put_count != sent_count || size == 0 || !(line_status() & UART_LSR_THRE))
        return 0;
    size_t count = size < depth ? size : depth;
    for (size_t i = 0; i < count; i++)
        out8(base, (uint8_t)from[i]);
    return count;
}
