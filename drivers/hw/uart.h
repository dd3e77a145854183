/*
 * The box's own 16550-compatible UART, polled: no interrupt is taken from a guest for it.
 */
#pragma once

#include "core/console.h"
#include "core/sink.h"

/* Programs `port` for `baud`, 8N1, FIFOs on. False: nothing answers there; the functions below then do nothing. */
bool uart_init(uint16_t port, uint32_t baud);

/* For messages before and after the console runs: waits until each byte is out, a bounded time. LF becomes CR LF. */
struct sink *uart_sink(void);

/* For the console: never waits. */
struct console_port *uart_console_port(void);
