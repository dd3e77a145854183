/*
 * The physical local APIC: x2APIC where the CPU has it, xAPIC else. SDM vol. 3, "Advanced Programmable Interrupt
 * Controller (APIC)". In `direct` mode a running guest owns the registers; the hypervisor then only sends.
 */
#pragma once

#include "core/types.h"

/* Once, on the boot CPU, before any other function: chooses the mode, maps the registers. False: no memory. */
bool must_check apic_init(bool x2apic, bool tsc_deadline);

/* On every CPU: enables its local APIC in the chosen mode, everything masked but an NMI that firmware lets in. */
void apic_enable(void);

void apic_end_interrupt(void);
void apic_interrupted(void); /* an interrupt was taken: this CPU's own timer, or left over from a stopped guest */

/* A message to the CPU of that APIC id. A fixed interrupt carries its vector, a start-up the number of its page. */
enum apic_message {
    APIC_FIXED = 0,
    APIC_NMI = 4u << 8,
    APIC_INIT = 5u << 8,
    APIC_STARTUP = 6u << 8,
    APIC_OTHERS = 3u << 18, /* to all CPUs but this one, whatever the id */
};
void apic_send(uint32_t apic_id, uint32_t message);

/*
 * This CPU's own timer: an interrupt when the TSC reaches `deadline`; UINT64_MAX: none. By the TSC deadline where the
 * CPU has it, else by the APIC's counter, whose speed the first call measures against the TSC (a millisecond).
 */
void apic_timer_set(uint64_t deadline, uint64_t tsc_hz);
