#include "drivers/hw/terminal.h"

#include "drivers/hw/screen.h"
#include "drivers/hw/uart.h"

/* Characters drawn a call: a screen is slow memory, and the console CPU may have a guest to run. */
enum { DRAW_CELLS = 48 };

static void sink_put(struct sink *self, const char *text, size_t length)
{
    (void)self;
    uart_put(text, length);
    screen_put(text, length);
}

void terminal_show(void) { screen_draw(UINT32_MAX); }

void terminal_flush(void)
{
    terminal_show();
    uart_flush();
}

struct sink *terminal_sink(void)
{
    static struct sink sink = {sink_put};
    return &sink;
}

static size_t port_read(struct console_port *self, char *to, size_t size)
{
    (void)self;
    screen_draw(DRAW_CELLS);
    return uart_read(to, size);
}

static size_t port_write(struct console_port *self, const char *from, size_t size)
{
    (void)self;
    size_t taken = uart_write(from, size);
    screen_put(from, taken);
    return taken;
}

struct console_port *terminal_console_port(void)
{
    static struct console_port port = {port_read, port_write};
    return &port;
}
