/*
 * What the hypervisor does about an exit: one function per kind, found by a switch without default.
 */
#pragma once

#include "core/backend.h"
#include "core/partition.h"

void exit_handle(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);

/* The kinds that need more than a few lines: a file each. */
void exit_msr(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
void exit_port(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
void exit_port_string(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
void exit_memory(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
void exit_hypercall(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);

void exit_machine_check(struct vcpu *vcpu, const struct backend *backend);

/*
 * Accesses that nothing answers, decided by the partition's policy: core/exit_fault.c. True: let it through harmlessly,
 * with a port or an address that reads all ones and an MSR that reads 0. False: done, the guest has been given the
 * fault or has been ended.
 */
bool must_check exit_refuse_port(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
bool must_check exit_refuse_msr(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit);
void exit_refuse_memory(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit, uint64_t rip);

/* Whether policy lets accesses to nobody's memory through; exit_memory_told says so, once for each page. */
bool exit_memory_is_lenient(const struct vcpu *vcpu);
void exit_memory_told(struct vcpu *vcpu, uint64_t address, bool write, uint64_t rip);

/* What CPUID answers of this vCPU depend on. */
struct cpuid_guest exit_cpuid_guest(const struct vcpu *vcpu, uint64_t cr4);

/* NMI, INIT and start-up messages become requests, which the target's CPU obeys. False: the message is something else. */
bool partition_request(struct vcpu *target, const struct interrupt_message *message);

/* Sends `message` from vCPU `sender` to the vCPUs of its partition that it reaches. */
enum interrupt_verdict partition_interrupt(struct partition *p, const struct interrupt_message *message,
                                           uint32_t sender);
