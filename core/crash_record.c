#include "core/crash_record.h"

#include "core/bytes.h"
#include "core/calendar.h"
#include "core/cpu.h"
#include "core/spinlock.h"

enum { LINE_SIZE = 256, STAMP_SIZE = 32 }; /* a year has four digits at most: core/calendar.h */

static struct {
    struct spinlock lock;
    struct crash_page *place; /* NULL: not open */
    uint64_t tsc_hz;
    uint64_t wall_clock;
    struct crash_page last;
    struct crash_page now; /* what lies at `place`, which is slow memory: it is only ever written whole */
} record;

static void write_out(void) { memcpy(record.place, &record.now, sizeof record.now); }

void crash_record_open(struct crash_page *place, uint64_t tsc_hz, uint64_t wall_clock)
{
    memcpy(&record.last, place, sizeof record.last);
    if (!crash_page_holds(&record.last))
        crash_page_clear(&record.last);
    record.tsc_hz = tsc_hz;
    record.wall_clock = wall_clock;
    crash_page_clear(&record.now);
    record.place = place;
    write_out();
}

const struct crash_page *crash_record_last(void) { return record.last.length != 0 ? &record.last : NULL; }

static size_t stamp(char text[STAMP_SIZE])
{
    uint64_t seconds = record.tsc_hz == 0 ? 0 : record.wall_clock + cpu_clock() / record.tsc_hz;
    struct calendar_time t = calendar_from_seconds(seconds);
    return text_print(text, STAMP_SIZE, "%04u-%02u-%02u %02u:%02u:%02u UTC ", t.year, t.month, t.day, t.hour, t.minute,
                      t.second);
}

void crash_record_line(const char *format, ...)
{
    char line[LINE_SIZE];
    if (record.place == NULL)
        return;
    size_t length = stamp(line);
    va_list arguments;
    va_start(arguments, format);
    length += text_vprint(line + length, sizeof line - length, format, arguments);
    va_end(arguments);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    text_make_printable(line, length);
    line[length++] = '\n';
    spin_lock(&record.lock);
    crash_page_add(&record.now, line, length);
    write_out();
    spin_unlock(&record.lock);
}

void crash_record_panic(const char *text, size_t length)
{
    char line[STAMP_SIZE];
    if (record.place == NULL)
        return;
    /* The CPU that panics may have been adding a line: then the record is half changed, and worth nothing. */
    if (!crash_page_holds(&record.now))
        crash_page_clear(&record.now);
    size_t stamped = stamp(line);
    line[stamped - 1] = '\n'; /* in place of the blank behind the date, which always fits */
    crash_page_add(&record.now, line, stamped);
    crash_page_add(&record.now, text, length);
    write_out();
}
