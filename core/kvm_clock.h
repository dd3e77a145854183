/*
 * The KVM clock (Linux Documentation/virt/kvm/x86/msr.rst, "MSR_KVM_SYSTEM_TIME_NEW"): a page in the guest that says
 * how to make nanoseconds of the TSC. Ours never changes once written: the TSC is the hardware's, invariant, the same
 * on all CPUs.
 */
#pragma once

#include "core/partition.h"

/* The guest's write to the system-time MSR: bit 0 enables. False (#GP): the place is not its RAM. */
bool must_check kvm_clock_place(struct vcpu *vcpu, gpa_t place);

/* The guest's write to the wall-clock MSR: writes the time of day at the partition's start there, once. */
bool must_check kvm_clock_write_wall(struct vcpu *vcpu, gpa_t place);

/* How nanoseconds come from ticks: ((ticks << shift) * multiplier) >> 32; shift may be negative. For the tests. */
void kvm_clock_scale(uint64_t tsc_hz, uint32_t *multiplier, int8_t *shift);
