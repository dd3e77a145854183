/*
 * The groups of cases. Each prints one line a case.
 */
#pragma once

#include <stdint.h>

void cases_instructions(void); /* what a guest does most often and a hypervisor may have to answer */
void cases_interrupts(void);   /* one CPU's own interrupts and timer */
void cases_memory(void);       /* first touch, page walks */
void cases_xapic(void);        /* the local APIC as memory, where the machine allows it; to be run last */
void cases_smp(void);          /* two CPUs; prints that they are absent when there is one */

/* Takes timer interrupts, one every `period` ticks, `count` of them, and prints nothing meanwhile. */
void timer_stream(uint64_t period, uint64_t count);

/* Loads the Linux kernel among the multiboot1 modules and becomes its loader. Returns only when that is not possible.
 */
void linux_start(void);
