/*
 * MC146818A model. Names from the data sheet, "Address Map"; port 70h selects, port 71h reads and writes:
 *
 *   00h seconds   01h seconds alarm   02h minutes   03h minutes alarm   04h hours   05h hours alarm
 *   06h day of week (1 = Sunday)   07h day of month   08h month   09h year
 *   0ah A: UIP, divider, rate   0bh B: SET, enables, DM, 24/12   0ch C: flags   0dh D: VRT
 *   32h century (where PC firmware keeps it)   others: RAM
 *
 * While the clock runs, the time registers are computed when they are read. While it is stopped (SET, or the divider
 * held in reset) they are plain bytes, and starting it again takes the time from them: so a guest may write them one by
 * one without ever showing a date that is not there. Alarm and rate are stored and do nothing.
 */
#include "drivers/virt/rtc.h"

#include "core/bytes.h"
#include "core/calendar.h"

enum { PORT_INDEX = 0, PORT_DATA = 1, INDEX_MASK = 0x7f /* bit 7 gates the NMI on a PC */ };

enum {
    RTC_SECONDS = 0x00,
    RTC_MINUTES = 0x02,
    RTC_HOURS = 0x04,
    RTC_WEEKDAY = 0x06,
    RTC_DAY = 0x07,
    RTC_MONTH = 0x08,
    RTC_YEAR = 0x09,
    RTC_A = 0x0a,
    RTC_B = 0x0b,
    RTC_C = 0x0c,
    RTC_D = 0x0d,
    RTC_CENTURY = 0x32,
};

enum {
    A_UIP = 1u << 7,
    A_DIVIDER_RESET = 0x60, /* dividers 11xb hold the chain in reset */
    A_POWER_ON = 0x26,      /* 32.768 kHz crystal, 1024 Hz */
    B_SET = 1u << 7,
    B_UIE = 1u << 4,
    B_BINARY = 1u << 2,
    B_24_HOURS = 1u << 1,
    C_IRQF = 1u << 7,
    C_UF = 1u << 4,
    D_VRT = 1u << 7,
    HOURS_PM = 1u << 7,
};

#define YEAR_2000 946684800u

/* "Update cycle": UIP is set 244 us before it, and it takes 1984 us: together 1/449 of a second. */
enum { UPDATES_PART_OF_SECOND = 449 };

static bool is_time(uint8_t index)
{
    return index == RTC_SECONDS || index == RTC_MINUTES || index == RTC_HOURS ||
           (index >= RTC_WEEKDAY && index <= RTC_YEAR) || index == RTC_CENTURY;
}

static bool is_running(const struct rtc *rtc)
{
    return (rtc->bytes[RTC_B] & B_SET) == 0 && (rtc->bytes[RTC_A] & A_DIVIDER_RESET) != A_DIVIDER_RESET;
}

static uint64_t ticks_since_anchor(const struct rtc *rtc)
{
    return rtc->clock->now > rtc->anchor ? rtc->clock->now - rtc->anchor : 0;
}

static uint64_t ticks_into_second(const struct rtc *rtc)
{
    return rtc->clock->hz == 0 ? 0 : ticks_since_anchor(rtc) % rtc->clock->hz;
}

static uint64_t current_seconds(const struct rtc *rtc)
{
    return rtc->clock->hz == 0 ? rtc->seconds : rtc->seconds + ticks_since_anchor(rtc) / rtc->clock->hz;
}

static bool is_updating(const struct rtc *rtc)
{
    uint64_t hz = rtc->clock->hz;

    return is_running(rtc) && hz != 0 && hz - ticks_into_second(rtc) <= hz / UPDATES_PART_OF_SECOND;
}

static uint8_t encode(const struct rtc *rtc, uint32_t value)
{
    return (uint8_t)((rtc->bytes[RTC_B] & B_BINARY) != 0 ? value : value / 10 % 10 * 16 + value % 10);
}

/* Any byte gives 0..99, whatever its digits. */
static uint32_t decode(const struct rtc *rtc, uint8_t byte)
{
    return ((rtc->bytes[RTC_B] & B_BINARY) != 0 ? byte : byte / 16u * 10u + byte % 16u) % 100;
}

static uint8_t encode_hour(const struct rtc *rtc, uint32_t hour)
{
    if ((rtc->bytes[RTC_B] & B_24_HOURS) != 0)
        return encode(rtc, hour);
    uint8_t clock_face = encode(rtc, hour % 12 == 0 ? 12 : hour % 12);
    return hour >= 12 ? clock_face | HOURS_PM : clock_face;
}

static uint32_t decode_hour(const struct rtc *rtc, uint8_t byte)
{
    if ((rtc->bytes[RTC_B] & B_24_HOURS) != 0)
        return decode(rtc, byte);
    return decode(rtc, (uint8_t)(byte & ~HOURS_PM)) % 12 + ((byte & HOURS_PM) != 0 ? 12 : 0);
}

static uint8_t time_byte(const struct rtc *rtc, uint8_t index, const struct calendar_time *time)
{
    switch (index) {
    case RTC_SECONDS:
        return encode(rtc, time->second);
    case RTC_MINUTES:
        return encode(rtc, time->minute);
    case RTC_HOURS:
        return encode_hour(rtc, time->hour);
    case RTC_WEEKDAY:
        return encode(rtc, time->weekday);
    case RTC_DAY:
        return encode(rtc, time->day);
    case RTC_MONTH:
        return encode(rtc, time->month);
    case RTC_YEAR:
        return encode(rtc, time->year % 100);
    default: /* RTC_CENTURY: the only one left of is_time */
        return encode(rtc, time->year / 100);
    }
}

/* Running clock to bytes, and back. */
static void store_time(struct rtc *rtc)
{
    struct calendar_time time = calendar_from_seconds(current_seconds(rtc));

    for (uint8_t index = 0; index < RTC_BYTES; index++)
        if (is_time(index))
            rtc->bytes[index] = time_byte(rtc, index, &time);
}

static uint64_t stored_time(const struct rtc *rtc)
{
    const uint8_t *bytes = rtc->bytes;
    struct calendar_time time = {
        .year = decode(rtc, bytes[RTC_CENTURY]) * 100 + decode(rtc, bytes[RTC_YEAR]),
        .month = decode(rtc, bytes[RTC_MONTH]),
        .day = decode(rtc, bytes[RTC_DAY]),
        .hour = decode_hour(rtc, bytes[RTC_HOURS]),
        .minute = decode(rtc, bytes[RTC_MINUTES]),
        .second = decode(rtc, bytes[RTC_SECONDS]),
    };

    return calendar_to_seconds(&time);
}

/* Goes on from `seconds`; the present second has already lasted `ticks`. */
static void run_from(struct rtc *rtc, uint64_t seconds, uint64_t ticks)
{
    uint64_t now = rtc->clock->now;

    rtc->seconds = seconds;
    rtc->anchor = now > ticks ? now - ticks : 0;
    rtc->reported = seconds;
}

/* Register A or B: may stop the clock or start it. SET holds back updates; the divider's reset also holds the second.
 */
static void write_control(struct rtc *rtc, uint8_t index, uint8_t value)
{
    bool was_running = is_running(rtc);

    if (was_running)
        store_time(rtc);
    if (index == RTC_A)
        rtc->bytes[RTC_A] = value & (uint8_t)~A_UIP;
    else
        rtc->bytes[RTC_B] = (value & B_SET) != 0 ? value & (uint8_t)~B_UIE : value;
    if (was_running || !is_running(rtc))
        return;
    /* "Divider control": the first update comes half a second after the reset of the chain is released. */
    run_from(rtc, stored_time(rtc), index == RTC_A ? rtc->clock->hz / 2 : ticks_into_second(rtc));
}

static void write_data(struct rtc *rtc, uint8_t value)
{
    uint8_t index = rtc->index;

    if (index == RTC_A || index == RTC_B) {
        write_control(rtc, index, value);
    } else if (is_time(index) && is_running(rtc)) {
        store_time(rtc);
        rtc->bytes[index] = value;
        run_from(rtc, stored_time(rtc), ticks_into_second(rtc));
    } else if (index != RTC_C && index != RTC_D) {
        rtc->bytes[index] = value;
    }
}

/* Reading register C tells, once, that the second has changed. */
static uint8_t read_flags(struct rtc *rtc)
{
    uint64_t seconds = current_seconds(rtc);

    if (!is_running(rtc) || seconds == rtc->reported)
        return 0;
    rtc->reported = seconds;
    return (rtc->bytes[RTC_B] & B_UIE) != 0 ? C_UF | C_IRQF : C_UF;
}

static uint8_t read_data(struct rtc *rtc)
{
    uint8_t index = rtc->index;

    if (index == RTC_A)
        return is_updating(rtc) ? rtc->bytes[RTC_A] | A_UIP : rtc->bytes[RTC_A];
    if (index == RTC_C)
        return read_flags(rtc);
    if (index == RTC_D)
        return D_VRT;
    if (is_time(index) && is_running(rtc)) {
        struct calendar_time time = calendar_from_seconds(current_seconds(rtc));
        return time_byte(rtc, index, &time);
    }
    return rtc->bytes[index];
}

void rtc_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct rtc *rtc = device;

    if (offset == PORT_DATA && access->write)
        write_data(rtc, (uint8_t)access->value);
    else if (offset == PORT_DATA)
        access->value = read_data(rtc);
    else if (access->write)
        rtc->index = (uint8_t)access->value & INDEX_MASK;
    else
        access->value = 0xff; /* the index port is write-only */
}

void rtc_set_time(struct rtc *rtc, uint64_t seconds)
{
    run_from(rtc, seconds > CALENDAR_LAST_SECOND ? CALENDAR_LAST_SECOND : seconds, 0);
    if (!is_running(rtc))
        store_time(rtc);
}

void rtc_reset(struct rtc *rtc, const struct virt_clock *clock)
{
    memset(rtc, 0, sizeof *rtc);
    rtc->clock = clock;
    rtc->seconds = YEAR_2000;
    rtc->reported = YEAR_2000;
    rtc->bytes[RTC_A] = A_POWER_ON;
    rtc->bytes[RTC_B] = B_24_HOURS;
}
