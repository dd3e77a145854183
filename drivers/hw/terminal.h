/*
 * Where the hypervisor speaks: the UART and the screen together, whichever of them are there.
 */
#pragma once

#include "core/console.h"

/* For messages before and after the console runs: waits until all is out. */
struct sink *terminal_sink(void);

/* For the console: never waits. The screen shows what the UART takes; without a UART it sets the pace alone. */
struct console_port *terminal_console_port(void);
