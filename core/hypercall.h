/*
 * What a guest may ask for by VMCALL or VMMCALL: the ABI that guests include. RAX holds the number, the answer comes back in
 * RAX; RBX, RCX, RDX and RSI are arguments. An unknown number answers HYPERCALL_UNKNOWN and does nothing.
 */
#pragma once

#define HYPERCALL_NOTHING 0 /* answers 0: what an exit costs */
#define HYPERCALL_STARTS  1 /* answers how often this partition was started, this time included: 1 at first */
#define HYPERCALL_UNKNOWN (-1000ll) /* the number KVM answers too: -KVM_ENOSYS */
