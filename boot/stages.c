/*
 * Moments of the boot, kept until there is a log to put them into.
 */
#include "boot/stages.h"

#include "core/console.h"
#include "core/cpu.h"
#include "core/sink.h"
#include "drivers/hw/terminal.h"

static struct {
    uint64_t entered; /* TSC */
    uint32_t count;
    struct {
        const char *name;
        uint64_t ticks; /* since `entered` */
    } list[STAGES_MAX];
} stages;

void stages_begin(void) { stages.entered = cpu_clock(); }

void stages_over(const char *name)
{
    terminal_show();
    if (stages.count == STAGES_MAX)
        return;
    stages.list[stages.count].name = name;
    stages.list[stages.count++].ticks = cpu_clock() - stages.entered;
}

void stages_log(void)
{
    char text[160] = "";
    struct text_sink out;
    text_sink_init(&out, text, sizeof text);
    for (uint32_t i = 0; i < stages.count; i++)
        sink_print(&out.sink, "%s%s %lu", i == 0 ? "" : ", ", stages.list[i].name, stages.list[i].ticks);
    log_line("boot: entered at TSC %lu; ticks from there: %s", stages.entered, text);
}
