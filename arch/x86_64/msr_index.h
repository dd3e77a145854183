/*
 * Model-specific registers that the hypervisor itself uses. Names as in the Intel SDM vol. 4 (edition 081),
 * "IA-32 Architectural MSRs", and the AMD APM vol. 2 (revision 3.42), "MSR Cross-Reference".
 */
#pragma once

#include "core/register_bits.h"

#define MSR_IA32_APIC_BASE       0x0000001bu
#define MSR_SMI_COUNT            0x00000034u
#define MSR_IA32_FEATURE_CONTROL 0x0000003au
#define MSR_IA32_SPEC_CTRL       0x00000048u
#define MSR_IA32_PRED_CMD        0x00000049u
#define MSR_IA32_ARCH_CAPABILITIES 0x0000010au
#define MSR_IA32_FLUSH_CMD       0x0000010bu
#define MSR_IA32_PAT             0x00000277u
#define MSR_IA32_TSC_DEADLINE    0x000006e0u
#define MSR_IA32_X2APIC_BASE     0x00000800u /* + xAPIC register offset / 16 */
#define MSR_IA32_EFER            0xc0000080u
#define MSR_IA32_STAR            0xc0000081u
#define MSR_IA32_LSTAR           0xc0000082u
#define MSR_IA32_CSTAR           0xc0000083u
#define MSR_IA32_FMASK           0xc0000084u
#define MSR_IA32_GS_BASE         0xc0000101u
#define MSR_IA32_KERNEL_GS_BASE  0xc0000102u
#define MSR_IA32_TSC_AUX         0xc0000103u

#define FEATURE_CONTROL_LOCKED          (1u << 0)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX (1u << 2)

#define PAT_AFTER_RESET 0x0007040600070406ull

#define SPEC_CTRL_IBRS (1ull << 0)
#define PRED_CMD_IBPB  (1ull << 0)
#define FLUSH_CMD_L1D  (1ull << 0)

#define APIC_BASE_BSP    (1u << 8)
#define APIC_BASE_EXTD   (1u << 10)
#define APIC_BASE_ENABLE (1u << 11)
