/*
 * Which bits of the host's feature leaves a guest may see: the default is to hide. A bit is kept only when the feature
 * works in a guest without the hypervisor's help, or when core/ gives that help.
 *
 * Intel SDM vol. 2A, "CPUID - CPU identification"; AMD APM vol. 3, appendix E, "Obtaining processor information via the
 * CPUID instruction".
 */
#pragma once

#define BIT(n)       (1u << (n))
#define BITS(hi, lo) ((0xffffffffu >> (31 - (hi))) & (0xffffffffu << (lo)))
#define ALL          0xffffffffu

/* Leaf 1 and 80000001h. Hidden: VMX, SMX, MONITOR, EIST, TM2, PDCM, DCA, debug store, MCE, MCA, MTRR, ACPI, TM, PBE. */
#define LEAF_1_X2APIC     BIT(21)
#define LEAF_1_TSC_DEADLINE BIT(24)
#define LEAF_1_XSAVE      BIT(26)
#define LEAF_1_OSXSAVE    BIT(27)
#define LEAF_1_HYPERVISOR BIT(31)
#define LEAF_1_HTT        BIT(28)
/* SSE3 PCLMULQDQ SSSE3 FMA CX16 PCID SSE4.1 SSE4.2 x2APIC MOVBE POPCNT TSC_DEADLINE AES XSAVE AVX F16C RDRAND */
#define LEAF_1_ECX (BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(17) | BITS(26, 19) | BIT(28) | BIT(29) | BIT(30))
/* FPU VME DE PSE TSC MSR PAE CX8 APIC SEP PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 SS */
#define LEAF_1_EDX (BITS(6, 0) | BIT(8) | BIT(9) | BIT(11) | BIT(13) | BITS(17, 15) | BIT(19) | BITS(27, 23))

/* LAHF64 CR8_LEGACY LZCNT SSE4A MISALIGNSSE PREFETCHW XOP FMA4 TBM TOPOEXT; hidden: SVM, OSVW, IBS, SKINIT, LWP, PMU.
 */
#define LEAF_81_ECX        (BIT(0) | BITS(8, 4) | BIT(11) | BIT(16) | BIT(21) | BIT(22))
#define LEAF_81_CMP_LEGACY BIT(1)
/* AMD's copies of leaf 1, SYSCALL NX MMXEXT PAGE1GB RDTSCP LM 3DNOWEXT 3DNOW; hidden: FFXSR, MCE, MCA, MTRR. */
#define LEAF_81_EDX                                                                                                    \
    (BITS(6, 0) | BIT(8) | BIT(9) | BIT(11) | BIT(13) | BITS(17, 15) | BIT(20) | BITS(24, 22) | BIT(26) | BIT(27) |    \
     BITS(31, 29))

/*
 * FSGSBASE TSC_ADJUST BMI1 AVX2 FDP_EXCPTN SMEP BMI2 ERMS INVPCID NO_FCS_FDS AVX512F/DQ RDSEED ADX SMAP AVX512_IFMA
 * CLFLUSHOPT CLWB AVX512PF/ER/CD SHA AVX512BW/VL. Hidden: SGX, HLE, RTM, MPX, resource control, processor trace.
 */
#define LEAF_7_EBX (BIT(0) | BIT(1) | BIT(3) | BITS(10, 5) | BIT(13) | BITS(21, 16) | BIT(23) | BIT(24) | BITS(31, 26))
/*
 * PREFETCHWT1 AVX512_VBMI UMIP PKU VBMI2 GFNI VAES VPCLMULQDQ VNNI BITALG VPOPCNTDQ RDPID CLDEMOTE MOVDIRI MOVDIR64B.
 * Hidden: WAITPKG, CET, LA57 (the hypervisor walks four levels of guest tables), key locker, ENQCMD, SGX_LC, PKS.
 */
#define LEAF_7_ECX   (BITS(3, 0) | BIT(6) | BITS(12, 8) | BIT(14) | BIT(22) | BIT(25) | BIT(27) | BIT(28))
#define LEAF_7_PKU   BIT(3)
#define LEAF_7_OSPKE BIT(4)
/*
 * AVX512_4VNNIW 4FMAPS FSRM VP2INTERSECT MD_CLEAR SERIALIZE AVX512_FP16. Hidden: TSX, HYBRID, PCONFIG, ARCH_LBR, CET,
 * AMX, and SPEC_CTRL, PRED_CMD, FLUSH_CMD, ARCH_CAPABILITIES, CORE_CAPABILITIES, SSBD, whose MSRs are refused.
 */
#define LEAF_7_EDX (BITS(4, 2) | BIT(8) | BIT(10) | BIT(14) | BIT(23))
/* SHA512 SM3 SM4 AVX_VNNI AVX512_BF16, fast short REP MOVSB, STOSB, CMPSB, AVX_IFMA. Hidden: LAM. */
#define LEAF_7_1_EAX (BITS(2, 0) | BIT(4) | BIT(5) | BITS(12, 10) | BIT(23))
