/* A ring of time-stamped lines that any CPU may add to. A line is built first, then put in under one lock, whole. */
#include "core/log.h"

#include "core/bytes.h"
#include "core/cpu.h"
#include "core/duration.h"

static struct {
    struct spinlock lock; /* keeps lines of different CPUs apart */
    uint64_t tsc_hz;      /* 0: there is no clock yet */
    uint64_t epoch;       /* TSC */
    struct ring ring;
} log_state;

static void put_stamp(struct sink *to)
{
    uint64_t hz = __atomic_load_n(&log_state.tsc_hz, __ATOMIC_ACQUIRE);
    struct duration since = duration_from_ticks(cpu_clock() - log_state.epoch, hz);
    sink_print(to, "[%5lu.%03u] ", since.seconds, since.thousandths);
}

void log_set_clock(uint64_t tsc_hz, uint64_t now)
{
    if (__atomic_load_n(&log_state.tsc_hz, __ATOMIC_ACQUIRE) != 0)
        return;
    log_state.epoch = now;
    __atomic_store_n(&log_state.tsc_hz, tsc_hz, __ATOMIC_RELEASE);
}

/* `name`, if any, stands in front. */
static void put_line(const char *name, const char *format, va_list arguments)
{
    static const char cut[] = "...";
    char line[LOG_LINE_SIZE];
    struct text_sink to;
    text_sink_init(&to, line, sizeof line);
    put_stamp(&to.sink);
    if (name != NULL)
        sink_print(&to.sink, "%s: ", name);
    sink_vprint(&to.sink, format, arguments);
    size_t length = to.length;
    if (length >= sizeof line) {
        memcpy(line + sizeof line - sizeof cut, cut, sizeof cut);
        length = sizeof line - 1;
    }
    /* Texts may quote what a guest said: no line can pass for another one. */
    text_make_printable(line, length);
    line[length++] = '\n'; /* in place of the terminating 0 */

    spin_lock(&log_state.lock);
    for (size_t i = 0; i < length; i++)
        ring_put(&log_state.ring, line[i]);
    spin_unlock(&log_state.lock);
}

void log_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put_line(NULL, format, arguments);
    va_end(arguments);
}

void log_partition(const struct partition *p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    put_line(partition_name(p), format, arguments);
    va_end(arguments);
}

struct ring *log_ring(void) { return &log_state.ring; }

bool log_reader_next(struct log_reader *reader, struct slice *line, uint64_t *lost)
{
    *lost = 0;
    for (;;) {
        char byte;
        uint64_t skipped;
        if (ring_read(&log_state.ring, &reader->at, &byte, 1, &skipped) == 0)
            return false;
        if (skipped != 0)
            reader->length = 0; /* The beginning of this line is gone with its neighbours. */
        *lost += skipped;
        reader->line[reader->length++] = byte;
        if (byte == '\n' || reader->length == sizeof reader->line)
            break;
    }
    *line = (struct slice){reader->line, reader->length};
    reader->length = 0;
    return true;
}

bool log_reader_done(const struct log_reader *reader) { return reader->at == ring_end(&log_state.ring); }

struct slice log_text(struct slice line)
{
    for (size_t i = 0; i + 1 < line.length; i++) {
        if (line.at[i] == ']' && line.at[i + 1] == ' ')
            return (struct slice){line.at + i + 2, line.length - i - 2};
    }
    return line;
}

void log_sink_flush(struct log_sink *log)
{
    if (log->length != 0)
        log_line("%.*s", (int)log->length, log->line);
    log->length = 0;
}

static void log_sink_put(struct sink *self, const char *text, size_t length)
{
    struct log_sink *log = (struct log_sink *)self;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n' || log->length == sizeof log->line)
            log_sink_flush(log);
        if (text[i] != '\n' && text[i] != '\r' && text[i] != '\0')
            log->line[log->length++] = text[i];
    }
}

void log_sink_init(struct log_sink *log) { *log = (struct log_sink){.sink = {.put = log_sink_put}}; }
