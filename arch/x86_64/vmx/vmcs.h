/*
 * The VMCS's control bits and formats (SDM vol. 3, edition 081, by section title), and how its fields (fields.h) are
 * read and written: "VMREAD", "VMWRITE" in the chapter "VMX Instruction Reference".
 */
#pragma once

#include "arch/x86_64/vmx/fields.h"
#include "core/types.h"

/* Segment registers in the VMCS's order: field = first + 2 * segment. */
enum vmcs_segment { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS, SEGMENT_LDTR, SEGMENT_TR,
                    SEGMENTS };

/* "Pin-Based VM-Execution Controls" */
#define PIN_EXTERNAL_INTERRUPT_EXITING (1u << 0)
#define PIN_NMI_EXITING                (1u << 3)
#define PIN_VIRTUAL_NMIS               (1u << 5)
#define PIN_PREEMPTION_TIMER           (1u << 6)
#define PIN_POSTED_INTERRUPTS          (1u << 7)

/* "Primary Processor-Based VM-Execution Controls" */
#define PROCESSOR_INTERRUPT_WINDOW (1u << 2)
#define PROCESSOR_HLT_EXITING      (1u << 7)
#define PROCESSOR_MWAIT_EXITING    (1u << 10)
#define PROCESSOR_RDPMC_EXITING    (1u << 11)
#define PROCESSOR_CR8_LOAD_EXITING (1u << 19)
#define PROCESSOR_CR8_STORE_EXITING (1u << 20)
#define PROCESSOR_TPR_SHADOW       (1u << 21)
#define PROCESSOR_NMI_WINDOW       (1u << 22)
#define PROCESSOR_IO_EXITING       (1u << 24)
#define PROCESSOR_IO_BITMAPS       (1u << 25)
#define PROCESSOR_MONITOR_TRAP     (1u << 27)
#define PROCESSOR_MSR_BITMAPS      (1u << 28)
#define PROCESSOR_MONITOR_EXITING  (1u << 29)
#define PROCESSOR_SECONDARY        (1u << 31)

/* "Secondary Processor-Based VM-Execution Controls" */
#define SECONDARY_APIC_ACCESSES      (1u << 0)
#define SECONDARY_EPT                (1u << 1)
#define SECONDARY_RDTSCP             (1u << 3)
#define SECONDARY_X2APIC             (1u << 4)
#define SECONDARY_VPID               (1u << 5)
#define SECONDARY_WBINVD_EXITING     (1u << 6)
#define SECONDARY_UNRESTRICTED_GUEST (1u << 7)
#define SECONDARY_APIC_REGISTERS     (1u << 8)
#define SECONDARY_INTERRUPT_DELIVERY (1u << 9)
#define SECONDARY_INVPCID            (1u << 12)
#define SECONDARY_ENCLS_EXITING      (1u << 15)
#define SECONDARY_PML                (1u << 17)
#define SECONDARY_EPT_EXCEPTION      (1u << 18)
#define SECONDARY_MODE_BASED_EXECUTE (1u << 22)

/* "Primary VM-Exit Controls" */
#define EXIT_CONTROL_SAVE_DEBUG   (1u << 2)
#define EXIT_CONTROL_HOST_64BIT   (1u << 9)
#define EXIT_CONTROL_ACKNOWLEDGE  (1u << 15)
#define EXIT_CONTROL_SAVE_PAT     (1u << 18)
#define EXIT_CONTROL_LOAD_PAT     (1u << 19)
#define EXIT_CONTROL_SAVE_EFER    (1u << 20)
#define EXIT_CONTROL_LOAD_EFER    (1u << 21)
#define EXIT_CONTROL_SAVE_TIMER   (1u << 22)

/* "VM-Entry Controls" */
#define ENTRY_CONTROL_LOAD_DEBUG  (1u << 2)
#define ENTRY_CONTROL_IA32E       (1u << 9)
#define ENTRY_CONTROL_TO_SMM      (1u << 10)
#define ENTRY_CONTROL_DEACTIVATE_DUAL (1u << 11)
#define ENTRY_CONTROL_LOAD_PAT    (1u << 14)
#define ENTRY_CONTROL_LOAD_EFER   (1u << 15)

/* "Format of the VM-Entry Interruption-Information Field" and its relatives for exits and IDT vectoring */
#define INTERRUPTION_VALID         (1u << 31)
#define INTERRUPTION_ERROR_CODE    (1u << 11)
#define INTERRUPTION_TYPE(i)       (((i) >> 8) & 7u)
#define INTERRUPTION_VECTOR(i)     ((i) & 0xffu)
enum { INTERRUPTION_EXTERNAL, INTERRUPTION_RESERVED, INTERRUPTION_NMI, INTERRUPTION_HARDWARE, INTERRUPTION_SOFTWARE,
       INTERRUPTION_PRIVILEGED_SOFTWARE, INTERRUPTION_SOFTWARE_EXCEPTION, INTERRUPTION_OTHER };

/* "Exit Qualification for EPT Violations": a linear address was translated, and what it led to is what was refused. */
#define EPT_FINAL 0x180u

/* "Guest Non-Register State": interruptibility */
#define INTERRUPTIBILITY_STI    (1u << 0)
#define INTERRUPTIBILITY_MOV_SS (1u << 1)
#define INTERRUPTIBILITY_SHADOW 3ull /* both: it ends with the next instruction */
#define INTERRUPTIBILITY_SMI    (1u << 2)
#define INTERRUPTIBILITY_NMI    (1u << 3)
enum { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_SIPI };

/* "Extended-Page-Table Pointer (EPTP)" */
#define EPTP_WRITE_BACK   6u
#define EPTP_WALK_4       (3u << 3)

/* Segment access rights, "Guest Register State" */
#define RIGHTS_LONG      (1u << 13)
#define RIGHTS_DEFAULT32 (1u << 14)
#define RIGHTS_UNUSABLE  (1u << 16)

/*
 * A field that does not exist reads as 0 and a write to it is lost: both are errors of ours, shown by the entry check.
 */
static inline uint64_t vmcs_read(uint32_t field)
{
    uint64_t value = 0;
    __asm__ volatile("vmread %1, %0" : "+r"(value) : "r"((uint64_t)field) : "cc");
    return value;
}

static inline void vmcs_write(uint32_t field, uint64_t value)
{
    __asm__ volatile("vmwrite %1, %0" : : "r"((uint64_t)field), "r"(value) : "cc", "memory");
}
