/*
 * The exits that are answered without leaving the backend's own code: what can be decided from tables at once, with
 * nothing for the run loop to do. A backend calls these with the guest's general registers in vcpu->gpr, which change
 * as the instruction would change them. To count the exit and to move the guest past it are left to the caller.
 *
 * False, with nothing done: the exit goes the general way (exit_handle), which gives the same answers and all others.
 */
#pragma once

#include "core/partition.h"

/* IN or OUT of one byte, no string instruction. AL is the lowest byte of RAX's slot: the device finds it in place. */
static inline bool must_check fast_port(struct vcpu *vcpu, uint32_t port, bool in)
{
    return platform_quick_port(vcpu->partition->platform, port, in, (uint8_t *)&vcpu->gpr[GPR_RAX]);
}
