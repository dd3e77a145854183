/*
 * The local APIC in x2APIC mode (SDM vol. 3, "Extended xAPIC (x2APIC)"): all by MSR.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    MSR_APIC_BASE = 0x1b,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC_ID = 0x802,
    MSR_X2APIC_EOI = 0x80b,
    MSR_X2APIC_SPURIOUS = 0x80f,
    MSR_X2APIC_ICR = 0x830,
    MSR_X2APIC_LVT_TIMER = 0x832,
};
enum {
    APIC_BASE_EXTENDED = 1 << 10,
    APIC_BASE_ENABLE = 1 << 11,
    APIC_SPURIOUS_ENABLE = 1 << 8,
    APIC_SPURIOUS_VECTOR = 0xff,
    APIC_LVT_TSC_DEADLINE = 2 << 17,
    APIC_ICR_NMI = 4 << 8,
    APIC_ICR_INIT = 5 << 8,
    APIC_ICR_STARTUP = 6 << 8,
    APIC_ICR_ASSERT = 1 << 14,
    APIC_ICR_LEVEL = 1 << 15,
};

/* Switches the APIC to x2APIC mode when it is not there yet, and on. False: this CPU has no such mode. */
bool apic_init(void);
uint32_t apic_id(void);
void apic_eoi(void);
bool apic_has_tsc_deadline(void);
