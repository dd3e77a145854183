/*
 * COM1 as a 16550: 115200 baud, 8 data bits, no interrupts.
 */
#include "guests/common/console.h"

#include <stdarg.h>

#include "guests/common/guest.h"
#include "guests/common/instructions.h"

enum {
    UART_BASE = 0x3f8,
    UART_DATA = UART_BASE + 0,
    UART_DIVISOR_LOW = UART_BASE + 0,
    UART_INTERRUPT_ENABLE = UART_BASE + 1,
    UART_DIVISOR_HIGH = UART_BASE + 1,
    UART_FIFO_CONTROL = UART_BASE + 2,
    UART_LINE_CONTROL = UART_BASE + 3,
    UART_MODEM_CONTROL = UART_BASE + 4,
    UART_LINE_STATUS = UART_BASE + 5,
};
enum {
    FIFO_ENABLE_AND_CLEAR = 0x07,
    LINE_8N1 = 0x03,
    LINE_DIVISOR_ACCESS = 0x80,
    MODEM_DTR_RTS = 0x03,
    STATUS_DATA_READY = 0x01,
    STATUS_TRANSMIT_EMPTY = 0x20,
    STATUS_NO_PORT = 0xff, /* what an empty bus reads as */
};

void console_init(void)
{
    outb(UART_INTERRUPT_ENABLE, 0);
    outb(UART_LINE_CONTROL, LINE_DIVISOR_ACCESS | LINE_8N1);
    outb(UART_DIVISOR_LOW, 1);
    outb(UART_DIVISOR_HIGH, 0);
    outb(UART_LINE_CONTROL, LINE_8N1);
    outb(UART_FIFO_CONTROL, FIFO_ENABLE_AND_CLEAR);
    outb(UART_MODEM_CONTROL, MODEM_DTR_RTS);
}

void console_put(char c)
{
    while ((inb(UART_LINE_STATUS) & STATUS_TRANSMIT_EMPTY) == 0)
        pause();
    outb(UART_DATA, (uint8_t)c);
}

bool console_get(char *c)
{
    uint8_t status = inb(UART_LINE_STATUS);
    if (status == STATUS_NO_PORT || (status & STATUS_DATA_READY) == 0)
        return false;
    *c = (char)inb(UART_DATA);
    return true;
}

static void put(char c)
{
    if (c == '\n')
        console_put('\r');
    console_put(c);
}

static void put_number(uint64_t value, unsigned base, unsigned width, char pad)
{
    char digits[24];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    for (; width > count; width--)
        put(pad);
    while (count > 0)
        put(digits[--count]);
}

static uint64_t next_unsigned(va_list *arguments, unsigned longs)
{
    return longs > 0 ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned int);
}

static int64_t next_signed(va_list *arguments, unsigned longs)
{
    return longs > 0 ? va_arg(*arguments, long) : va_arg(*arguments, int);
}

static void put_signed(int64_t value, unsigned width, char pad)
{
    if (value < 0)
        put('-');
    put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10, width, pad);
}

/* One conversion, `format` just behind its '%'; returns where the text goes on. */
static const char *put_conversion(const char *format, va_list *arguments)
{
    char pad = ' ';
    unsigned width = 0, longs = 0;
    if (*format == '0') {
        pad = '0';
        format++;
    }
    for (; *format >= '0' && *format <= '9'; format++)
        width = width * 10 + (unsigned)(*format - '0');
    for (; *format == 'l'; format++)
        longs++;
    switch (*format) {
    case 'c':
        put((char)va_arg(*arguments, int));
        break;
    case 's':
        for (const char *s = va_arg(*arguments, const char *); *s != '\0'; s++)
            put(*s);
        break;
    case 'd':
        put_signed(next_signed(arguments, longs), width, pad);
        break;
    case 'u':
        put_number(next_unsigned(arguments, longs), 10, width, pad);
        break;
    case 'x':
        put_number(next_unsigned(arguments, longs), 16, width, pad);
        break;
    case '\0':
        return format;
    default:
        put(*format);
        break;
    }
    return format + 1;
}

void print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    while (*format != '\0') {
        char c = *format++;
        if (c == '%')
            format = put_conversion(format, &arguments);
        else
            put(c);
    }
    va_end(arguments);
}
