/*
 * A 16550A serial port (National Semiconductor PC16550D) whose wire is a byte ring on one side and the control console
 * on the other.
 */
#pragma once

#include "core/bus.h"
#include "core/ring.h"

enum { UART16550_PORTS = 8, UART16550_FIFO_SIZE = 16 };

struct uart16550 {
    struct ring *output;
    uint8_t ier;
    uint8_t fcr;
    uint8_t lcr;
    uint8_t mcr;
    uint8_t msr;
    uint8_t scr;
    uint8_t dll;
    uint8_t dlm;
    uint8_t line_errors; /* LSR bits that stay until LSR is read */
    uint8_t first;       /* index of the oldest received byte */
    uint8_t count;       /* received bytes waiting */
    bool thr_empty;      /* the "transmitter holding register empty" cause pends */
    bool line_fell;      /* the interrupt line was low for a moment within an access */
    uint8_t received[UART16550_FIFO_SIZE];
};

/* Master reset. `output` receives what the guest sends. NULL: there is no card, and its ports answer as if so. */
void uart16550_reset(struct uart16550 *uart, struct ring *output);

/* A bus_handler for a slot of UART16550_PORTS ports and width 1. */
void uart16550_access(void *uart, uint64_t offset, struct bus_access *access);

/* Bytes from the wire; takes as many as fit (none in loopback) and returns how many. */
size_t must_check uart16550_receive(struct uart16550 *uart, const char *bytes, size_t length);

/* The level of the interrupt line as it leaves the card, behind OUT2. */
bool uart16550_line(const struct uart16550 *uart);

/* Whether the line was low since this was last asked, even if it is high now: an edge that the level does not show. */
bool uart16550_line_fell(struct uart16550 *uart);
