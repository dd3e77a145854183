/*
 * The box's own 16550-compatible UART, polled: no interrupt is taken from a guest for it.
 */
#pragma once

#include "core/types.h"

/* Programs `port` for `baud`, 8N1, FIFOs on. False: nothing answers there; the functions below then do nothing. */
bool uart_init(uint16_t port, uint32_t baud);

/*
 * For messages before and after the console runs. LF becomes CR LF. Text goes out while the box goes on, now and when
 * the console writes; only text beyond 4 KiB waits. uart_flush waits until all of it is in the transmitter, a bounded
 * time.
 */
void uart_put(const char *text, size_t length);
void uart_flush(void);

/* For the console: never wait. They take what is there, and as much as fits; without a UART all of it. */
size_t uart_read(char *to, size_t size);
size_t uart_write(const char *from, size_t size);
