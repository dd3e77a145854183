/*
 * The 16550A's registers and bits, as the PC16550D data sheet names them ("Summary of Registers"). Only the model's own
 * source includes this.
 */
#pragma once

#include "drivers/virt/uart16550.h"

/* Offsets from the base port. */
enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

enum {
    IER_ERBFI = 1u << 0, /* received data available */
    IER_ETBEI = 1u << 1, /* transmitter holding register empty */
    IER_ELSI = 1u << 2,  /* receiver line status */
    IER_EDSSI = 1u << 3, /* modem status */
    IER_MASK = 0x0f,
};

enum {
    IIR_NONE = 0x01,
    IIR_MODEM_STATUS = 0x00,
    IIR_THR_EMPTY = 0x02,
    IIR_DATA = 0x04,
    IIR_LINE_STATUS = 0x06,
    IIR_TIME_OUT = 0x0c,
    IIR_FIFOS_ENABLED = 0xc0,
};

enum {
    FCR_ENABLE = 1u << 0,
    FCR_CLEAR_RECEIVER = 1u << 1,
    FCR_DMA_MODE = 1u << 3,
    FCR_TRIGGER_SHIFT = 6,
    FCR_TRIGGER = 0xc0,
};

enum { LCR_DLAB = 1u << 7 };

enum {
    MCR_DTR = 1u << 0,
    MCR_RTS = 1u << 1,
    MCR_OUT1 = 1u << 2,
    MCR_OUT2 = 1u << 3,
    MCR_LOOP = 1u << 4,
    MCR_MASK = 0x1f,
};

enum {
    LSR_DR = 1u << 0,
    LSR_OE = 1u << 1,
    LSR_THRE = 1u << 5,
    LSR_TEMT = 1u << 6,
};

enum {
    MSR_DELTAS = 0x0f,
    MSR_TERI = 1u << 2,
    MSR_CTS = 1u << 4,
    MSR_DSR = 1u << 5,
    MSR_RI = 1u << 6,
    MSR_DCD = 1u << 7,
    MSR_LINES = 0xf0,
};

/* A write to IER that leaves the interrupt line where it is. False: it would not, or it is DLM's; nothing done. */
bool must_check uart16550_quick_ier(struct uart16550 *uart, uint8_t value);
