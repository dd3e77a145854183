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

/* What CPUID answers of this vCPU depend on. */
struct cpuid_guest exit_cpuid_guest(const struct vcpu *vcpu, uint64_t cr4);

/* NMI, INIT and start-up messages become requests, which the target's CPU obeys. False: the message is something else. */
bool partition_request(struct vcpu *target, const struct interrupt_message *message);

/* Sends `message` from vCPU `sender` to the vCPUs of its partition that it reaches. */
enum interrupt_verdict partition_interrupt(struct partition *p, const struct interrupt_message *message,
                                           uint32_t sender);
