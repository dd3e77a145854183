/*
 * The fast path of a guest whose local APIC is a model: see core/local_apic_fast.h. As in core/fast.h the caller counts
 * the exit and moves the guest past its instruction.
 */
#pragma once

#include "core/vcpu.h"

/* RDMSR and WRMSR of the register that RCX names. False: nothing done. */
bool must_check fast_apic_read(struct vcpu *vcpu);
bool must_check fast_apic_write(struct vcpu *vcpu);

/*
 * This CPU's timer has ended the guest. The vector to inject, which the guest can take (`by_itself`: to tell the CPU
 * of, which takes it by itself when the guest can), the timer set anew; -1: nothing done.
 */
int fast_apic_timer(struct vcpu *vcpu, bool by_itself);
