/*
 * `interrupts = virtual`: the vCPU's local APIC is a model (core/local_apic.h), the physical one is the hypervisor's.
 * This file joins the model to the run loop, the exits and the other vCPUs.
 */
#pragma once

#include "core/backend.h"
#include "core/partition.h"

/* When the partition starts, all its vCPUs parked: power-on state, as firmware leaves it to an operating system. */
void virtual_interrupts_reset(struct vcpu *vcpu);

/*
 * Before an entry, on the vCPU's CPU: takes in what has been sent and what came due, and injects what the guest can
 * take. True: the vCPU is to run; false: it waits in HLT. *due is lowered to the TSC at which it must be called again.
 */
bool virtual_interrupts_prepare(struct vcpu *vcpu, const struct backend *backend, uint64_t *due);

/* Exits that concern the local APIC. False: #GP(0), respectively: not the local APIC's page. */
bool must_check virtual_interrupts_msr_read(struct vcpu *vcpu, uint32_t number, uint64_t *value);
bool must_check virtual_interrupts_msr_write(struct vcpu *vcpu, uint32_t number, uint64_t value);
bool must_check virtual_interrupts_memory(struct vcpu *vcpu, struct bus_access *access);
bool virtual_interrupts_owns_memory(const struct vcpu *vcpu, uint64_t address);
bool must_check virtual_interrupts_cr8(struct vcpu *vcpu, const struct exit *exit);

/* Exits after which the instruction is over: see EXIT_INTERRUPT_ENDED, EXIT_APIC_WRITTEN. */
void virtual_interrupts_ended(struct vcpu *vcpu, uint8_t vector);
void virtual_interrupts_written(struct vcpu *vcpu, uint64_t offset);
