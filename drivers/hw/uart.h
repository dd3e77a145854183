/*
 * The box's own 16550-compatible UART, polled: no interrupt is taken from a guest for it.
 */
#pragma once

#include "core/console.h"
#include "core/sink.h"

/* Programs `port` for `baud`, 8N1, FIFOs on. False: nothing answers there; the functions below then do nothing. */
bool uart_init(uint16_t port, uint32_t baud);

/*
 * For messages before and after the console runs. LF becomes CR LF. Text goes out while the box goes on, now and when
 * the console writes; only text beyond 4 KiB waits. uart_flush waits until all of it is in the transmitter, a bounded
 * time.
 */
struct sink *uart_sink(void);
void uart_flush(void);

/* For the console: never waits. */
struct console_port *uart_console_port(void);
