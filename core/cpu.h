/*
 * The physical CPU as core/ sees it. Implemented in arch/x86_64/, faked in unit tests.
 */
#pragma once

#include "core/cpuid.h"
#include "core/types.h"

uint32_t cpu_current(void);              /* index into machine.cpus */
uint64_t cpu_clock(void);                /* TSC ticks */
void cpu_kick(uint32_t cpu);             /* makes that CPU leave its guest or its idle wait soon */
void cpu_kick_taken(void);               /* this CPU is about to look at everything a kick can announce */
bool cpu_nmi_waits(uint32_t cpu);        /* that CPU was sent an NMI by a kick and has not taken it yet */
void cpu_nmi_again(uint32_t cpu);        /* sends it once more, in case it was lost */
uint64_t cpu_strange_nmis(uint32_t *cpu); /* NMIs that no CPU here has sent, in the whole box; *cpu took the last one */
void cpu_send_vector(uint32_t cpu, uint8_t vector); /* a fixed interrupt to that CPU's local APIC (direct mode) */
void cpu_idle(void);                     /* waits until kicked; may return early; takes no interrupt */

/*
 * For CPUs whose local APIC is the hypervisor's own (no guest has it): one timer, interrupts that end a wait, and
 * interrupts that made a guest exit.
 */
void cpu_timer_set(uint64_t deadline);   /* TSC value at which this CPU is interrupted; UINT64_MAX: never */
void cpu_wait(void);                     /* waits until kicked or interrupted; may return early */
void cpu_take_interrupts(void);          /* acknowledges what pends here */
void cpu_cpuid(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out);
bool must_check cpu_msr_read(uint32_t number, uint64_t *out);  /* false: the register is not there */
bool must_check cpu_msr_write(uint32_t number, uint64_t value); /* false: refused by the CPU */
/*
 * How often this CPU has been taken by the firmware's system-management interrupts since power-on: time that is
 * nobody's and shows in no other counter. Usually all CPUs are taken together. False: the CPU does not count them.
 */
bool must_check cpu_smi_count(uint32_t *count);
bool must_check cpu_xcr0_write(uint64_t value);
void cpu_guest_interrupts_reset(void);   /* this CPU's local APIC as a fresh guest expects it, nothing pending */
void cpu_predictors_clear(void);         /* branches of whoever ran here before do not predict those of the next */
void cpu_buffers_clear(void);            /* nor do its data stay in the L1 data cache and the CPU's buffers */
void cpu_box_halt(void) __attribute__((noreturn));   /* stops every CPU */
void cpu_box_reboot(void) __attribute__((noreturn));
