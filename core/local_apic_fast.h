/*
 * The commonest that a guest does with its local APIC's model, and its timer's interrupt, without a round of the run
 * loop. Each does what the functions of core/local_apic.h together with that loop would do, in cases in which nothing
 * else can come of it: x2APIC mode, no other interrupt requested. False or -1: not such a case, nothing done.
 */
#pragma once

#include "core/local_apic.h"

/* RDMSR of some registers that time does not change. */
bool must_check local_apic_fast_read(const struct local_apic *lapic, uint32_t number, uint64_t *value);

/* WRMSR of EOI with 0, for an edge-triggered interrupt or none. */
bool must_check local_apic_fast_eoi(struct local_apic *lapic);

/* WRMSR of ICR, as far as the register goes: a fixed interrupt to one physical destination, which the caller sends. */
bool must_check local_apic_fast_icr(struct local_apic *lapic, uint64_t value);

/* WRMSR of IA32_TSC_DEADLINE with 0 or a time to come. The timer must then make the vCPU exit by that. */
bool must_check local_apic_fast_deadline(struct local_apic *lapic, uint64_t value, uint64_t now);

/*
 * The TSC deadline has passed, and the guest can take an interrupt: its vector, which is in service from now on.
 * Declined while another one is.
 */
int local_apic_fast_timer(struct local_apic *lapic, uint64_t now);

/*
 * The same for a CPU that takes vectors by itself, whatever the guest can take now and whatever else is requested: its
 * vector is requested. One that was level-triggered last is declined: the CPU has to be told more.
 */
int local_apic_fast_request(struct local_apic *lapic, uint64_t now);
