/*
 * The rest of a physical CPU's business: what core/cpu.h does not show to core/.
 */
#pragma once

#include "core/cpu.h"
#include "core/machine.h"

/* Bits and MSRs of CPUID that the hypervisor itself asks for. */
struct cpuid_regs cpu_leaf(uint32_t leaf, uint32_t subleaf); /* zeros when this CPU has none of that number */
bool cpu_has_x2apic(void);
bool cpu_has_invariant_tsc(void);
uint8_t cpu_physical_bits(void);
uint64_t cpu_cr4_known(void); /* bits that this CPU knows */
uint64_t cpu_efer_known(void);
const char *cpu_vendor(void);  /* 12 characters */
const char *cpu_brand(void);   /* up to 48 characters; "" when the CPU has none */

/* SMEP, SMAP, UMIP, OSXSAVE, MCE where present; FPU on; predictors that a guest cannot train. On every CPU, once. */
void cpu_protect(void);

/* side_doors.c: SIDE_... of core/side_doors.h as the boot CPU has them, from then on in force; what is set once. */
uint32_t cpu_side_doors_read(void);
void cpu_side_doors_close(void);

/* All FPU, SSE, AVX... state as after power-on, so that nothing of the last guest is left. XCR0 = 1. */
void cpu_fpu_reset(void);

/* Remembers the machine for cpu_kick and the reset register. */
void cpu_init(const struct machine *machine);

/* Stops this CPU for ever if the box is being stopped: called wherever an NMI may have said so. */
void cpu_check_stopping(void);
/* Has every other CPU stop for ever, as soon as its NMI comes. */
void cpu_stop_others(void);

/*
 * Called for each NMI that this CPU takes, in a guest or not. At most one NMI of ours is on its way to a CPU at any
 * time, so two can never have become one: what comes without having been sent is the hardware's own, and is counted.
 */
void cpu_nmi_taken(void);

void cpu_delay_us(uint64_t microseconds);
