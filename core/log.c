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

/* `sink` is first, so that a pointer to it is a pointer to the whole. */
struct line_sink {
    struct sink sink;
    size_t length; /* of the text that wants in, also of what did not fit */
    char line[LOG_LINE_SIZE];
};

/* Texts may quote what a guest said: nothing but printable ASCII comes in, so no line can pass for another one. */
static void line_put(struct sink *self, const char *text, size_t length)
{
    struct line_sink *to = (struct line_sink *)self;
    for (size_t i = 0; i < length; i++, to->length++) {
        if (to->length < sizeof to->line - 1) /* the last byte is the line feed's */
            to->line[to->length] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    }
}

static size_t line_finish(struct line_sink *to)
{
    static const char cut[] = "...";
    size_t most = sizeof to->line - 1;
    if (to->length > most) {
        memcpy(to->line + most - (sizeof cut - 1), cut, sizeof cut - 1);
        to->length = most;
    }
    to->line[to->length] = '\n';
    return to->length + 1;
}

static void put_stamp(struct sink *to)
{
    uint64_t hz = __atomic_load_n(&log_state.tsc_hz, __ATOMIC_ACQUIRE);
    struct duration since = duration_from_ticks(cpu_clock() - log_state.epoch, hz);
    sink_print(to, "[%5llu.%03u] ", (unsigned long long)since.seconds, since.thousandths);
}

void log_set_clock(uint64_t tsc_hz, uint64_t now)
{
    if (__atomic_load_n(&log_state.tsc_hz, __ATOMIC_ACQUIRE) != 0)
        return;
    log_state.epoch = now;
    __atomic_store_n(&log_state.tsc_hz, tsc_hz, __ATOMIC_RELEASE);
}

void log_line(const char *format, ...)
{
    struct line_sink to = {.sink = {.put = line_put}};
    va_list arguments;
    put_stamp(&to.sink);
    va_start(arguments, format);
    sink_vprint(&to.sink, format, arguments);
    va_end(arguments);
    size_t length = line_finish(&to);

    spin_lock(&log_state.lock);
    for (size_t i = 0; i < length; i++)
        ring_put(&log_state.ring, to.line[i]);
    spin_unlock(&log_state.lock);
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
