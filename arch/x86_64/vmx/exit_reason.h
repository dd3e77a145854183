/*
 * SDM vol. 3, appendix "VMX Basic Exit Reasons". Read by C and by assembly.
 */
#pragma once

#define VMX_REASON_EXCEPTION_OR_NMI       0
#define VMX_REASON_EXTERNAL_INTERRUPT     1
#define VMX_REASON_TRIPLE_FAULT           2
#define VMX_REASON_INTERRUPT_WINDOW       7
#define VMX_REASON_NMI_WINDOW             8
#define VMX_REASON_TASK_SWITCH            9
#define VMX_REASON_CPUID                  10
#define VMX_REASON_GETSEC                 11
#define VMX_REASON_HLT                    12
#define VMX_REASON_INVD                   13
#define VMX_REASON_RDPMC                  15
#define VMX_REASON_RSM                    17
#define VMX_REASON_VMCALL                 18
#define VMX_REASON_VMCLEAR                19
#define VMX_REASON_VMXON                  27
#define VMX_REASON_CONTROL_REGISTER       28
#define VMX_REASON_IO                     30
#define VMX_REASON_RDMSR                  31
#define VMX_REASON_WRMSR                  32
#define VMX_REASON_MWAIT                  36
#define VMX_REASON_MONITOR                39
#define VMX_REASON_MACHINE_CHECK_AT_ENTRY 41
#define VMX_REASON_TPR_BELOW_THRESHOLD    43
#define VMX_REASON_VIRTUAL_EOI            45
#define VMX_REASON_EPT_VIOLATION          48
#define VMX_REASON_INVEPT                 50
#define VMX_REASON_PREEMPTION_TIMER       52
#define VMX_REASON_INVVPID                53
#define VMX_REASON_WBINVD                 54
#define VMX_REASON_XSETBV                 55
#define VMX_REASON_APIC_WRITE             56
#define VMX_REASON_ENCLS                  60
