/*
 * The physical local APIC: x2APIC where the CPU has it, xAPIC else. SDM vol. 3, "Advanced Programmable Interrupt
 * Controller (APIC)". In `direct` mode a running guest owns the registers; the hypervisor then only sends.
 */
#pragma once

#include "core/types.h"

/* Once, on the boot CPU, before any other function: chooses the mode, maps the registers. False: no memory. */
bool must_check apic_init(bool x2apic);

/* On every CPU: enables its local APIC in the chosen mode, everything masked. */
void apic_enable(void);

uint32_t apic_id(void);
void apic_eoi(void);
void apic_send_init(uint32_t apic_id);
void apic_send_startup(uint32_t apic_id, uint8_t page);
void apic_send_nmi(uint32_t apic_id);
void apic_send_fixed(uint32_t apic_id, uint8_t vector);

/* Registers as after INIT, and every interrupt that pends or is in service taken and dropped. */
void apic_guest_reset(void);

/* NMI to all CPUs but this one, which then see that the box is stopping. */
void apic_stop_others(void);
