/*
 * Moments of the boot, kept until there is a log to put them into.
 */
#include "boot/stages.h"

#include "core/console.h"
#include "core/cpu.h"
#include "core/sink.h"
#include "drivers/hw/terminal.h"

static uint64_t entered; /* TSC */
static char text[160];
static struct text_sink out;

void stages_begin(void)
{
    entered = cpu_clock();
    text_sink_init(&out, text, sizeof text);
}

void stages_over(const char *name)
{
    terminal_show();
    sink_print(&out.sink, "%s%s %lu", out.length == 0 ? "" : ", ", name, cpu_clock() - entered);
}

void stages_log(void) { log_line("boot: entered at TSC %lu; ticks from there: %s", entered, text); }
