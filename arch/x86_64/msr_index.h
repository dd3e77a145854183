/*
 * Model-specific registers that the hypervisor itself uses. Names as in the Intel SDM vol. 4 (edition 081),
 * "IA-32 Architectural MSRs", and the AMD APM vol. 2 (revision 3.42), "MSR Cross-Reference".
 */
#pragma once

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

#define EFER_SCE  (1ull << 0)
#define EFER_LME  (1ull << 8)
#define EFER_LMA  (1ull << 10)
#define EFER_NXE  (1ull << 11)
#define EFER_SVME (1ull << 12)
#define EFER_AIBRSE (1ull << 21)

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_TSD        (1ull << 2)
#define CR4_DE         (1ull << 3)
#define CR4_PSE        (1ull << 4)
#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_PCE        (1ull << 8)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_VMXE       (1ull << 13)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)
#define CR4_PKE        (1ull << 22)
#define CR4_CET        (1ull << 23)

#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_TF    (1ull << 8)
#define RFLAGS_IF    (1ull << 9)
#define RFLAGS_RF    (1ull << 16)
#define RFLAGS_VM    (1ull << 17)

#define DR6_HITS 0xfull /* B0 to B3 */
#define DR6_BS   (1ull << 14)
