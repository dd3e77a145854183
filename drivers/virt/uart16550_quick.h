/*
 * The accesses of a driver that polls: they cannot move the interrupt line, and nothing but the value comes of them.
 * Inline, because here instructions count.
 */
#pragma once

#include "drivers/virt/uart16550_registers.h"

static inline bool uart16550_has_divisor(const struct uart16550 *uart) { return (uart->lcr & LCR_DLAB) != 0; }

/* THR without its interrupt: there is no cause to take away, so the byte just leaves. */
static inline bool uart16550_quick_thr(struct uart16550 *uart, uint8_t value)
{
    if (uart16550_has_divisor(uart) || (uart->ier & IER_ETBEI) != 0 || (uart->mcr & MCR_LOOP) != 0)
        return false;
    ring_put(uart->output, (char)value);
    uart->thr_empty = true;
    return true;
}

static inline bool uart16550_quick_write(struct uart16550 *uart, uint32_t offset, uint8_t value)
{
    switch (offset) {
    case RBR_THR:
        return uart16550_quick_thr(uart, value);
    case IER:
        return uart16550_quick_ier(uart, value);
    case LCR:
        uart->lcr = value;
        return true;
    case SCR:
        uart->scr = value;
        return true;
    default:
        return false;
    }
}

static inline bool uart16550_quick_read(const struct uart16550 *uart, uint32_t offset, uint8_t *value)
{
    switch (offset) {
    case IER:
        *value = uart16550_has_divisor(uart) ? uart->dlm : uart->ier;
        return true;
    case IIR_FCR:
        /* Without any enable no cause is shown, and showing none takes none away. */
        *value = (uint8_t)(IIR_NONE | ((uart->fcr & FCR_ENABLE) != 0 ? IIR_FIFOS_ENABLED : 0));
        return uart->ier == 0;
    case LCR:
        *value = uart->lcr;
        return true;
    case MCR:
        *value = uart->mcr;
        return true;
    case LSR:
        *value = (uint8_t)(LSR_THRE | LSR_TEMT | (uart->count != 0 ? LSR_DR : 0));
        return uart->line_errors == 0; /* they end by being read */
    case MSR:
        *value = uart->msr;
        return (uart->msr & MSR_DELTAS) == 0; /* so do these */
    case SCR:
        *value = uart->scr;
        return true;
    default:
        return false;
    }
}

/*
 * uart16550_access for one byte, but only where the access cannot move the interrupt line: then nobody else has to be
 * asked. False, with nothing done: the access is uart16550_access's.
 */
static inline bool must_check uart16550_quick(struct uart16550 *uart, uint32_t offset, bool in, uint8_t *value)
{
    uint8_t answer = 0;

    if (!in)
        return uart16550_quick_write(uart, offset, *value);
    if (!uart16550_quick_read(uart, offset, &answer))
        return false;
    *value = answer;
    return true;
}
