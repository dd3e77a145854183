/*
 * What the hypervisor does about an exit: one function per kind, found by a switch without default.
 */
#pragma once

#include "core/backend.h"
#include "core/mmio.h"
#include "core/partition.h"

void exit_handle(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);

/* The kinds that need more than a few lines: a file each. */
void exit_msr(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
void exit_port(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
void exit_memory(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
void exit_hypercall(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);

void exit_machine_check(struct vcpu *vcpu, const struct backend *backend);

/*
 * An access that nothing answers, a port's, an MSR's or memory's, is decided by the partition's policy:
 * core/exit_fault.c. True: let it through harmlessly, with a port or an address that reads all ones and an MSR that
 * reads 0. False: done, the guest has been given the fault or has been ended.
 */
bool must_check exit_refuse(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
bool exit_memory_is_lenient(const struct vcpu *vcpu); /* whether accesses to nobody's memory are let through */

/* One to nobody's memory that cannot be let through, as it stands in the way of an instruction. */
void exit_refuse_memory(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);

/* What an instruction that is carried out for the guest may reach, and what follows from its outcome. */
struct guest_memory exit_guest_memory(const struct vcpu *vcpu);
void exit_emulated(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit, enum mmio_result result,
                   const struct mmio_outcome *outcome, uint64_t rip);

/* What CPUID answers of this vCPU depend on. */
struct cpuid_guest exit_cpuid_guest(const struct vcpu *vcpu, uint64_t cr4);

/* NMI, INIT and start-up messages become requests, which the target's CPU obeys. False: the message is something else.
 */
bool partition_request(struct vcpu *target, const struct interrupt_message *message);

/* Sends `message` from vCPU `sender` to the vCPUs of its partition that it reaches. */
enum interrupt_verdict partition_interrupt(struct partition *p, const struct interrupt_message *message,
                                           uint32_t sender);
