#include "boot/report.h"

#include "core/log.h"
#include "drivers/hw/terminal.h"

static struct log_sink to_log;

static void report_put(struct sink *self, const char *text, size_t length)
{
    (void)self;
    terminal_sink()->put(terminal_sink(), text, length);
    to_log.sink.put(&to_log.sink, text, length);
}

struct sink *report_sink(void)
{
    static struct sink sink = {report_put};
    if (to_log.sink.put == NULL)
        log_sink_init(&to_log);
    return &sink;
}
