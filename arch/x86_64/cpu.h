/*
 * The rest of a physical CPU's business: what core/cpu.h does not show to core/.
 */
#pragma once

#include "core/cpu.h"
#include "core/machine.h"

/* Bits and MSRs of CPUID that the hypervisor itself asks for. */
bool cpu_has_x2apic(void);
bool cpu_has_invariant_tsc(void);
uint8_t cpu_physical_bits(void);
const char *cpu_vendor(void);  /* 12 characters */
const char *cpu_brand(void);   /* up to 48 characters; "" when the CPU has none */

/* SMEP, SMAP, UMIP, OSXSAVE, MCE where present; FPU on. On every CPU, once. */
void cpu_protect(void);

/* All FPU, SSE, AVX... state as after power-on, so that nothing of the last guest is left. XCR0 = 1. */
void cpu_fpu_reset(void);

/* Remembers the machine for cpu_kick and the reset register. */
void cpu_init(const struct machine *machine);

/* Stops this CPU for ever if the box is being stopped: called wherever an NMI may have said so. */
void cpu_check_stopping(void);

void cpu_delay_us(uint64_t microseconds);
