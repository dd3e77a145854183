/*
 * The fast path of a guest whose local APIC is a model: the commonest that it does with it, and its timer's interrupt,
 * without a round of the run loop. Each does what the functions of core/local_apic.h together with that loop would do,
 * in cases in which nothing else can come of it: x2APIC mode, no other interrupt requested. As in core/fast.h the
 * caller counts the exit and moves the guest past its instruction.
 */
#pragma once

#include "core/vcpu.h"

/*
 * RDMSR and WRMSR of the register that RCX names. False: nothing done. Read are some registers that time does not
 * change. Written are EOI, for an edge-triggered interrupt or none; ICR, a fixed interrupt to one other vCPU; and
 * IA32_TSC_DEADLINE, 0 or a time to come.
 */
bool must_check fast_apic_read(struct vcpu *vcpu);
bool must_check fast_apic_write(struct vcpu *vcpu);

/*
 * This CPU's timer has ended the guest, whose TSC deadline has passed, and which can take an interrupt: the vector to
 * inject, in service from now on, the timer set anew. Declined while another one is in service or requested; -1:
 * nothing done.
 *
 * `by_itself`: the same for a CPU that takes vectors by itself, whatever the guest can take now and whatever else is
 * requested; it is to be told of the vector. One that was level-triggered last is declined: the CPU has to be told
 * more.
 */
int fast_apic_timer(struct vcpu *vcpu, bool by_itself);
