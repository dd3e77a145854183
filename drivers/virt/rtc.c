/*
 * MC146818A model. Names from the data sheet, "Address Map"; port 70h selects, port 71h reads and writes:
 *
 *   00h seconds   01h seconds alarm   02h minutes   03h minutes alarm   04h hours   05h hours alarm
 *   06h day of week (1 = Sunday)   07h day of month   08h month   09h year
 *   0ah A: UIP, divider, rate   0bh B: SET, enables, DM, 24/12   0ch C: flags   0dh D: VRT
 *   32h century (where PC firmware keeps it)   others: RAM
 *
 * While the clock runs, the time registers are brought up to date when they are read. While it is stopped (SET, or the
 * divider held in reset) they are plain bytes, and starting it again takes the time from them: so a guest may write
 * them one by one without ever showing a date that is not there. Register C and the interrupts are in rtc_interrupt.c.
 */
#include "drivers/virt/rtc.h"

#include "core/bytes.h"
#include "core/calendar.h"
#include "drivers/virt/rtc_registers.h"

enum { PORT_INDEX = 0, PORT_DATA = 1, INDEX_MASK = 0x7f /* bit 7 gates the NMI on a PC */ };

#define YEAR_2000 946684800u

/* "Update cycle": UIP is set 244 us before it, and it takes 1984 us: together 1/449 of a second. */
enum { UPDATES_PART_OF_SECOND = 449 };

static bool is_time(uint8_t index)
{
    return index == RTC_SECONDS || index == RTC_MINUTES || index == RTC_HOURS ||
           (index >= RTC_WEEKDAY && index <= RTC_YEAR) || index == RTC_CENTURY;
}

bool rtc_is_running(const struct rtc *rtc)
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

uint64_t rtc_current_seconds(const struct rtc *rtc)
{
    return rtc->clock->hz == 0 ? rtc->seconds : rtc->seconds + ticks_since_anchor(rtc) / rtc->clock->hz;
}

static bool is_updating(const struct rtc *rtc)
{
    uint64_t hz = rtc->clock->hz;

    return rtc_is_running(rtc) && hz != 0 && hz - ticks_into_second(rtc) <= hz / UPDATES_PART_OF_SECOND;
}

uint8_t rtc_encode(const struct rtc *rtc, uint32_t value)
{
    return (uint8_t)((rtc->bytes[RTC_B] & B_BINARY) != 0 ? value : value / 10 % 10 * 16 + value % 10);
}

/* Any byte gives 0..99, whatever its digits. */
static uint32_t decode(const struct rtc *rtc, uint8_t byte)
{
    return ((rtc->bytes[RTC_B] & B_BINARY) != 0 ? byte : byte / 16u * 10u + byte % 16u) % 100;
}

uint8_t rtc_encode_hour(const struct rtc *rtc, uint32_t hour)
{
    if ((rtc->bytes[RTC_B] & B_24_HOURS) != 0)
        return rtc_encode(rtc, hour);
    uint8_t clock_face = rtc_encode(rtc, hour % 12 == 0 ? 12 : hour % 12);
    return hour >= 12 ? clock_face | HOURS_PM : clock_face;
}

static uint32_t decode_hour(const struct rtc *rtc, uint8_t byte)
{
    if ((rtc->bytes[RTC_B] & B_24_HOURS) != 0)
        return decode(rtc, byte);
    return decode(rtc, (uint8_t)(byte & ~HOURS_PM)) % 12 + ((byte & HOURS_PM) != 0 ? 12 : 0);
}

/* Running clock to bytes, and back. */
static void store_time(struct rtc *rtc)
{
    struct calendar_time time = calendar_from_seconds(rtc_current_seconds(rtc));
    uint8_t *bytes = rtc->bytes;

    bytes[RTC_SECONDS] = rtc_encode(rtc, time.second);
    bytes[RTC_MINUTES] = rtc_encode(rtc, time.minute);
    bytes[RTC_HOURS] = rtc_encode_hour(rtc, time.hour);
    bytes[RTC_WEEKDAY] = rtc_encode(rtc, time.weekday);
    bytes[RTC_DAY] = rtc_encode(rtc, time.day);
    bytes[RTC_MONTH] = rtc_encode(rtc, time.month);
    bytes[RTC_YEAR] = rtc_encode(rtc, time.year % 100);
    bytes[RTC_CENTURY] = rtc_encode(rtc, time.year / 100);
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
    rtc_flags_restart(rtc);
}

/* Register A or B: may stop the clock or start it. SET holds back updates; the divider's reset also holds the second.
 */
static void write_control(struct rtc *rtc, uint8_t index, uint8_t value)
{
    bool was_running = rtc_is_running(rtc);

    if (was_running)
        store_time(rtc);
    if (index == RTC_A)
        rtc->bytes[RTC_A] = value & (uint8_t)~A_UIP;
    else
        rtc->bytes[RTC_B] = (value & B_SET) != 0 ? value & (uint8_t)~B_UIE : value;
    /* "Divider control": the first update comes half a second after the reset of the chain is released. */
    if (!was_running && rtc_is_running(rtc))
        run_from(rtc, stored_time(rtc), index == RTC_A ? rtc->clock->hz / 2 : ticks_into_second(rtc));
    else
        rtc_flags_restart(rtc);
}

static void write_data(struct rtc *rtc, uint8_t value)
{
    uint8_t index = rtc->index;

    rtc_catch_up(rtc);
    if (index == RTC_A || index == RTC_B) {
        write_control(rtc, index, value);
    } else if (is_time(index) && rtc_is_running(rtc)) {
        store_time(rtc);
        rtc->bytes[index] = value;
        run_from(rtc, stored_time(rtc), ticks_into_second(rtc));
    } else if (index != RTC_C && index != RTC_D) {
        rtc->bytes[index] = value;
    }
}

static uint8_t read_data(struct rtc *rtc)
{
    uint8_t index = rtc->index;

    if (index == RTC_A)
        return is_updating(rtc) ? rtc->bytes[RTC_A] | A_UIP : rtc->bytes[RTC_A];
    if (index == RTC_C)
        return rtc_read_flags(rtc);
    if (index == RTC_D)
        return D_VRT;
    if (is_time(index) && rtc_is_running(rtc))
        store_time(rtc);
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
    rtc_catch_up(rtc);
    run_from(rtc, seconds > CALENDAR_LAST_SECOND ? CALENDAR_LAST_SECOND : seconds, 0);
    if (!rtc_is_running(rtc))
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
