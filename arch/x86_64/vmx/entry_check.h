/*
 * Says which rule of the manual a guest breaks when VM entry fails, because the CPU itself only says "7" or "33".
 * Pure: it reads the VMCS through a function of the caller's, and decides.
 *
 * SDM vol. 3, chapter "VM Entries": "Checks on VMX Controls and Host-State Area" and "Checking and Loading Guest
 * State". Not covered, since the hypervisor never turns them on: SMM and dual-monitor treatment, VMCS shadowing, VM
 * functions, sub-page permissions, Intel PT, CET, PKRS, bound configuration, SGX, tertiary controls. Nor is what
 * lies in memory: the virtual APIC's TPR, the MSR areas' entries, the revision of a linked VMCS.
 */
#pragma once

#include "arch/x86_64/vmx/capability.h"

enum { VMX_ENTRY_SENTENCE_SIZE = 128 }; /* bytes, more than any sentence has */

/*
 * `read` gives a field by its encoding (fields.h), and 0 for one that the CPU lacks. NULL when every rule holds;
 * otherwise `sentence`, which then holds that of a rule that is broken, controls first, guest last. One line without a
 * line feed.
 */
const char *must_check vmx_entry_check(const struct vmx_capability *cpu, uint64_t (*read)(uint32_t field),
                                       char sentence[VMX_ENTRY_SENTENCE_SIZE]);
