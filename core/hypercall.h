/*
 * What a guest may ask for by VMCALL or VMMCALL: the ABI that guests include. RAX holds the number, the answer comes
 * back in RAX; RBX, RCX, RDX and RSI are arguments. An unknown number answers HYPERCALL_UNKNOWN and does nothing.
 *
 * From HYPERCALL_RESTART on they are for the guest's kernel: at another privilege level than 0 they answer
 * HYPERCALL_REFUSED and do nothing.
 */
#pragma once

#define HYPERCALL_NOTHING 0 /* answers 0: what an exit costs */
#define HYPERCALL_STARTS  1 /* answers how often this partition was started, this time included: 1 at first */
#define HYPERCALL_RESTART 2 /* as its reset port: its policy for fault.reset decides */
#define HYPERCALL_STOP    3 /* as ACPI S5: its policy for fault.power-off decides */

/*
 * "I am alive": RBX is within how many milliseconds, HYPERCALL_HEARTBEAT_MIN to _MAX, the next such call must come;
 * otherwise its policy for fault.watchdog decides. RBX 0 ends the watch. Answers 0.
 */
#define HYPERCALL_HEARTBEAT     4
#define HYPERCALL_HEARTBEAT_MIN 10
#define HYPERCALL_HEARTBEAT_MAX 86400000 /* a day */

#define HYPERCALL_UNKNOWN      (-1000ll) /* the number KVM answers too: -KVM_ENOSYS */
#define HYPERCALL_REFUSED      (-1ll)    /* likewise: -KVM_EPERM */
#define HYPERCALL_BAD_ARGUMENT (-22ll)   /* likewise: -KVM_EINVAL */
