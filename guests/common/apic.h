/*
 * The local APIC, in x2APIC mode by MSR where CPUID shows that mode, else as memory. SDM vol. 3, "Local APIC" and
 * "Extended xAPIC (x2APIC)". A register is named by its offset in the page.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "guests/common/trap.h"

enum {
    MSR_APIC_BASE = 0x1b,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC_EOI = 0x80b,
    MSR_X2APIC_ICR = 0x830,
    MSR_X2APIC_SELF_IPI = 0x83f,
};
enum {
    APIC_ID = 0x20,
    APIC_TPR = 0x80,
    APIC_PPR = 0xa0,
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_ISR = 0x100, /* eight of them, as of the IRR */
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310, /* in memory only */
    APIC_LVT_TIMER = 0x320,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
    APIC_SELF_IPI = 0x3f0, /* by MSR only */
    APIC_STRIDE = 0x10,
    APIC_REGISTERS = 0x40,
};
enum {
    APIC_BASE_EXTENDED = 1 << 10,
    APIC_BASE_ENABLE = 1 << 11,
    APIC_SPURIOUS_ENABLE = 1 << 8,
    APIC_SPURIOUS_VECTOR = 0xff,
    APIC_LVT_MASKED = 1 << 16,
    APIC_LVT_PERIODIC = 1 << 17,
    APIC_LVT_TSC_DEADLINE = 2 << 17,
    APIC_ICR_NMI = 4 << 8,
    APIC_ICR_INIT = 5 << 8,
    APIC_ICR_STARTUP = 6 << 8,
    APIC_ICR_ASSERT = 1 << 14,
    APIC_ICR_LEVEL = 1 << 15,
    APIC_ICR_SELF = 1 << 18,
};

/*
 * Switches the APIC on, in x2APIC mode where CPUID shows it. "xapic" on the command line leaves it as memory, unless it
 * is in x2APIC mode already, from which there is no way back but through "disabled".
 */
void apic_init(void);
bool apic_is_x2apic(void);
/* Found in x2APIC mode, as a partition has it that owns the APIC of its CPU. */
bool apic_is_given(void);
uint32_t apic_id(void);
void apic_eoi(void);
bool apic_has_tsc_deadline(void);

uint32_t apic_read(unsigned offset);
void apic_write(unsigned offset, uint32_t value);
/* The same, where it may fault. By MSR all 64 bits of the value are written. */
struct trap_probe apic_probe_read(unsigned offset, uint64_t *value);
struct trap_probe apic_probe_write(unsigned offset, uint64_t value);

/* Sends a message: the ICR as x2APIC mode has it, destination in the upper half; as memory it is cut to 8 bits. */
void apic_send(uint64_t message);
struct trap_probe apic_probe_send(uint64_t message);
void apic_send_self(uint8_t vector);
