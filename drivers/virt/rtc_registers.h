/*
 * Registers of the MC146818A, and what its two halves call of each other. Only for drivers/virt/rtc*.c.
 * Data sheet, "Address Map" and "Registers".
 */
#pragma once

#include "drivers/virt/rtc.h"

enum {
    RTC_SECONDS = 0x00,
    RTC_SECONDS_ALARM = 0x01,
    RTC_MINUTES = 0x02,
    RTC_MINUTES_ALARM = 0x03,
    RTC_HOURS = 0x04,
    RTC_HOURS_ALARM = 0x05,
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
    A_DIVIDER_SHIFT = 4,
    A_DIVIDER_MASK = 7,
    A_DIVIDER_RESET = 0x60, /* dividers 11xb hold the chain in reset */
    A_RATE = 0x0f,
    A_POWER_ON = 0x26, /* 32.768 kHz crystal, 1024 Hz */
    B_SET = 1u << 7,
    B_UIE = 1u << 4,
    B_BINARY = 1u << 2,
    B_24_HOURS = 1u << 1,
    C_IRQF = 1u << 7,
    C_PF = 1u << 6, /* PF, AF and UF have the places of their enables PIE, AIE and UIE in register B */
    C_AF = 1u << 5,
    C_UF = 1u << 4,
    C_FLAGS = C_PF | C_AF | C_UF,
    D_VRT = 1u << 7,
    HOURS_PM = 1u << 7,
};

/* rtc.c */
bool rtc_is_running(const struct rtc *rtc); /* updates happen */
uint64_t rtc_current_seconds(const struct rtc *rtc);
uint8_t rtc_encode(const struct rtc *rtc, uint32_t value);
uint8_t rtc_encode_hour(const struct rtc *rtc, uint32_t hour);

/* rtc_interrupt.c: sets the flags for what has happened up to now. Before anything is changed. */
void rtc_catch_up(struct rtc *rtc);

/* The anchor, the second or the rate was changed: only what comes from now on counts. */
void rtc_flags_restart(struct rtc *rtc);

/* Register C as it reads; reading clears it. */
uint8_t rtc_read_flags(struct rtc *rtc);
