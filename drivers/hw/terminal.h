/*
 * Where the hypervisor speaks: the UART and the screen together, whichever of them are there.
 */
#pragma once

#include "core/console.h"

/*
 * For messages before and after the console runs; they go out while the box goes on. terminal_show draws what is not on
 * the screen yet, which is slow memory; terminal_flush does too, and waits until the UART has all: before a halt.
 */
struct sink *terminal_sink(void);
void terminal_show(void);
void terminal_flush(void);

/* For the console: never waits. The screen shows what the UART takes; without a UART it sets the pace alone. */
struct console_port *terminal_console_port(void);
