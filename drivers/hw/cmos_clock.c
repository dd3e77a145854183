/*
 * Motorola MC146818A data sheet, "Time, Calendar, and Alarm Locations" and "Registers". Two equal readings in a row are
 * taken for the truth: then no update fell in between, and the update flag need not be waited for.
 */
#include "drivers/hw/cmos_clock.h"

#include "arch/x86_64/cpu_instructions.h"
#include "core/bytes.h"
#include "core/calendar.h"

enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71 };
enum { CMOS_SECONDS, CMOS_MINUTES = 2, CMOS_HOURS = 4, CMOS_DAY = 7, CMOS_MONTH = 8, CMOS_YEAR = 9, CMOS_B = 11 };
#define B_24_HOURS   0x02u
#define B_BINARY     0x04u
#define HOURS_PM     0x80u
#define YEAR_2000    946684800u
#define NMI_DISABLED 0x80u /* bit 7 of the index port: kept off, a kick is an NMI */

static uint8_t cmos_read(uint8_t index)
{
    out8(CMOS_INDEX, index & (uint8_t)~NMI_DISABLED);
    return in8(CMOS_DATA);
}

static uint32_t number(uint8_t raw, bool binary) { return binary ? raw : (uint32_t)(raw >> 4) * 10 + (raw & 15); }

static void read_once(struct calendar_time *time)
{
    uint8_t b = cmos_read(CMOS_B), hours = cmos_read(CMOS_HOURS);
    bool binary = b & B_BINARY;
    uint32_t hour = number(hours & (uint8_t)~HOURS_PM, binary);
    if (!(b & B_24_HOURS))
        hour = hour % 12 + (hours & HOURS_PM ? 12 : 0);
    *time = (struct calendar_time){
        .year = 2000 + number(cmos_read(CMOS_YEAR), binary),
        .month = number(cmos_read(CMOS_MONTH), binary),
        .day = number(cmos_read(CMOS_DAY), binary),
        .hour = hour,
        .minute = number(cmos_read(CMOS_MINUTES), binary),
        .second = number(cmos_read(CMOS_SECONDS), binary),
    };
}

uint64_t cmos_clock_read(void)
{
    struct calendar_time time, again;
    read_once(&time);
    for (unsigned tries = 0; tries < 1000; tries++) {
        read_once(&again);
        if (memcmp(&time, &again, sizeof time) == 0)
            break;
        time = again;
    }
    bool sane = time.year < 2100 && time.month >= 1 && time.month <= 12 && time.day >= 1 && time.day <= 31 &&
                time.hour < 24 && time.minute < 60 && time.second < 60;
    return sane ? calendar_to_seconds(&time) : YEAR_2000;
}
