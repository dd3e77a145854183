/* The rules of VM entry, one line each, in the manual's order. */
#include "arch/x86_64/vmx/entry_check.h"

/* Each rule returns its own sentence, so a function of rules reads like the manual's list. */
#define RULE(condition, sentence)                                                                                      \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return sentence;                                                                                           \
    } while (0)
/* A group of rules: the first sentence it has goes up. */
#define RULES(call)                                                                                                    \
    do {                                                                                                               \
        const char *sentence_ = (call);                                                                                \
        if (sentence_ != NULL)                                                                                         \
            return sentence_;                                                                                          \
    } while (0)

#define BIT(n) ((uint64_t)1 << (n))

/* "Pin-Based VM-Execution Controls" */
#define PIN_EXTERNAL_INTERRUPT BIT(0)
#define PIN_NMI                BIT(3)
#define PIN_VIRTUAL_NMIS       BIT(5)
#define PIN_PREEMPTION_TIMER   BIT(6)
#define PIN_POSTED_INTERRUPTS  BIT(7)
/* "Primary Processor-Based VM-Execution Controls" */
#define PRIMARY_TPR_SHADOW  BIT(21)
#define PRIMARY_NMI_WINDOW  BIT(22)
#define PRIMARY_IO_BITMAPS  BIT(25)
#define PRIMARY_MTF         BIT(27)
#define PRIMARY_MSR_BITMAPS BIT(28)
#define PRIMARY_SECONDARY   BIT(31)
/* "Secondary Processor-Based VM-Execution Controls" */
#define SECONDARY_APIC_ACCESSES      BIT(0)
#define SECONDARY_EPT                BIT(1)
#define SECONDARY_X2APIC             BIT(4)
#define SECONDARY_VPID               BIT(5)
#define SECONDARY_UNRESTRICTED       BIT(7)
#define SECONDARY_APIC_REGISTERS     BIT(8)
#define SECONDARY_INTERRUPT_DELIVERY BIT(9)
#define SECONDARY_PML                BIT(17)
#define SECONDARY_EPT_EXCEPTION      BIT(18)
#define SECONDARY_MODE_BASED_EXECUTE BIT(22)
/* "VM-Exit Controls", "VM-Entry Controls" */
#define EXIT_HOST_64          BIT(9)
#define EXIT_ACKNOWLEDGE      BIT(15)
#define EXIT_LOAD_PAT         BIT(19)
#define EXIT_LOAD_EFER        BIT(21)
#define EXIT_SAVE_TIMER       BIT(22)
#define ENTRY_LOAD_DEBUG      BIT(2)
#define ENTRY_IA32E           BIT(9)
#define ENTRY_TO_SMM          BIT(10)
#define ENTRY_DEACTIVATE_DUAL BIT(11)
#define ENTRY_LOAD_PAT        BIT(14)
#define ENTRY_LOAD_EFER       BIT(15)

#define CR0_PE    BIT(0)
#define CR0_PG    BIT(31)
#define CR4_PAE   BIT(5)
#define CR4_PCIDE BIT(17)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_BITS (BIT(0) | EFER_LME | EFER_LMA | BIT(11))
#define FLAG_TF   BIT(8)
#define FLAG_IF   BIT(9)
#define FLAG_VM   BIT(17)

/* DEBUGCTL: bits 5:3 and above 15 are reserved on every CPU. */
#define DEBUGCTL_BTF      BIT(1)
#define DEBUGCTL_RESERVED (BIT(3) | BIT(4) | BIT(5) | ~(uint64_t)0xffff)

/* "Format of the VM-Entry Interruption-Information Field" */
enum event_type {
    EVENT_EXTERNAL = 0,
    EVENT_RESERVED = 1,
    EVENT_NMI = 2,
    EVENT_HARDWARE_EXCEPTION = 3,
    EVENT_SOFTWARE_INTERRUPT = 4,
    EVENT_PRIVILEGED_SOFTWARE = 5,
    EVENT_SOFTWARE_EXCEPTION = 6,
    EVENT_OTHER = 7,
};
#define EVENT_VALID         BIT(31)
#define EVENT_ERROR_CODE    BIT(11)
#define EVENT_RESERVED_BITS 0x7ffff000u
/* Exceptions that push an error code: #DF #TS #NP #SS #GP #PF #AC. */
#define VECTORS_WITH_ERROR_CODE (BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17))

/* "Segment Registers", access rights */
#define AR_TYPE     0xfu
#define AR_S        BIT(4)
#define AR_P        BIT(7)
#define AR_L        BIT(13)
#define AR_DB       BIT(14)
#define AR_G        BIT(15)
#define AR_UNUSABLE BIT(16)
#define AR_RESERVED 0xfffe0f00u
#define AR_V86      0xf3u

enum activity { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_SIPI };
#define BLOCKING_STI    BIT(0)
#define BLOCKING_MOV_SS BIT(1)
#define BLOCKING_SMI    BIT(2)
#define BLOCKING_NMI    BIT(3)
#define PENDING_ENABLED BIT(12)
#define PENDING_BS      BIT(14)
#define PENDING_RTM     BIT(16)

typedef const struct vmx_entry_state state_t;

static uint32_t secondary(state_t *s) { return s->primary_controls & PRIMARY_SECONDARY ? s->secondary_controls : 0; }
static bool unrestricted(state_t *s) { return (secondary(s) & SECONDARY_UNRESTRICTED) != 0; }
static bool ia32e(state_t *s) { return (s->entry_controls & ENTRY_IA32E) != 0; }
static bool v86(state_t *s) { return (s->guest_rflags & FLAG_VM) != 0; }
static bool protected_mode(state_t *s) { return (s->guest_cr0 & CR0_PE) != 0; }
static bool usable(const struct vmx_segment *segment) { return (segment->access_rights & AR_UNUSABLE) == 0; }
static unsigned type_of(const struct vmx_segment *segment) { return segment->access_rights & AR_TYPE; }
static unsigned dpl_of(const struct vmx_segment *segment) { return segment->access_rights >> 5 & 3; }
static unsigned rpl_of(const struct vmx_segment *segment) { return segment->selector & 3; }

static bool injects(state_t *s) { return (s->entry_interruption_information & EVENT_VALID) != 0; }
static unsigned event_type(state_t *s) { return s->entry_interruption_information >> 8 & 7; }
static unsigned event_vector(state_t *s) { return s->entry_interruption_information & 0xff; }
static bool injects_type(state_t *s, enum event_type type) { return injects(s) && event_type(s) == (unsigned)type; }

static bool allowed(uint32_t value, struct vmx_allowed by)
{
    return (value & by.zero_settings) == by.zero_settings && (value & ~by.one_settings) == 0;
}

static bool fits_fixed(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
    return (value & fixed0) == fixed0 && (value & ~fixed1) == 0;
}

static bool in_width(state_t *s, uint64_t address)
{
    return s->physical_address_width >= 64 || address >> s->physical_address_width == 0;
}

/* An address that the CPU follows: aligned, within the address width, and below 4 GiB where the CPU asks for that. */
static bool good_address(state_t *s, uint64_t address, uint64_t alignment)
{
    bool narrow = (s->ia32_vmx_basic & BIT(48)) != 0;
    return (address & (alignment - 1)) == 0 && in_width(s, address) && (!narrow || address <= UINT32_MAX);
}

static bool good_msr_area(state_t *s, uint64_t address, uint32_t count)
{
    uint64_t last = (uint64_t)count * 16 - 1;
    return count == 0 || (good_address(s, address, 16) && last <= UINT64_MAX - address && in_width(s, address + last));
}

static bool canonical(state_t *s, uint64_t address)
{
    uint64_t high = UINT64_MAX << (s->linear_address_width == 57 ? 56 : 47);
    return (address & high) == 0 || (address & high) == high;
}

static bool good_pat(uint64_t pat)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t type = pat >> i & 0xff;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

/* "VM-Execution Control Fields" */

static const char *check_control_settings(state_t *s)
{
    RULE(allowed(s->pin_based_controls, s->allowed_pin_based),
         "pin-based controls: a bit is not as IA32_VMX_PINBASED_CTLS allows");
    RULE(allowed(s->primary_controls, s->allowed_primary),
         "primary processor-based controls: a bit is not as IA32_VMX_PROCBASED_CTLS allows");
    RULE(allowed(secondary(s), s->allowed_secondary) || (s->primary_controls & PRIMARY_SECONDARY) == 0,
         "secondary processor-based controls: a bit is not as IA32_VMX_PROCBASED_CTLS2 allows");
    RULE(allowed(s->exit_controls, s->allowed_exit), "VM-exit controls: a bit is not as IA32_VMX_EXIT_CTLS allows");
    RULE(allowed(s->entry_controls, s->allowed_entry), "VM-entry controls: a bit is not as IA32_VMX_ENTRY_CTLS allows");
    RULE(s->cr3_target_count <= (s->ia32_vmx_misc >> 16 & 0x1ff),
         "CR3-target count is above what IA32_VMX_MISC allows");
    return NULL;
}

static const char *check_bitmaps(state_t *s)
{
    RULE(!(s->primary_controls & PRIMARY_IO_BITMAPS) || good_address(s, s->io_bitmap_a_address, PAGE_SIZE),
         "I/O-bitmap A address is not 4 KiB-aligned or too wide");
    RULE(!(s->primary_controls & PRIMARY_IO_BITMAPS) || good_address(s, s->io_bitmap_b_address, PAGE_SIZE),
         "I/O-bitmap B address is not 4 KiB-aligned or too wide");
    RULE(!(s->primary_controls & PRIMARY_MSR_BITMAPS) || good_address(s, s->msr_bitmap_address, PAGE_SIZE),
         "MSR-bitmap address is not 4 KiB-aligned or too wide");
    return NULL;
}

static const char *check_virtual_apic(state_t *s)
{
    uint32_t two = secondary(s);
    if (s->primary_controls & PRIMARY_TPR_SHADOW) {
        RULE(good_address(s, s->virtual_apic_address, PAGE_SIZE),
             "virtual-APIC address is not 4 KiB-aligned or too wide");
        RULE((two & SECONDARY_INTERRUPT_DELIVERY) || s->tpr_threshold <= 15,
             "TPR threshold: bits 31:4 must be 0 without virtual-interrupt delivery");
    } else {
        RULE(!(two & SECONDARY_X2APIC), "virtualize x2APIC mode needs use TPR shadow");
        RULE(!(two & SECONDARY_APIC_REGISTERS), "APIC-register virtualization needs use TPR shadow");
        RULE(!(two & SECONDARY_INTERRUPT_DELIVERY), "virtual-interrupt delivery needs use TPR shadow");
    }
    RULE(!(two & SECONDARY_APIC_ACCESSES) || good_address(s, s->apic_access_address, PAGE_SIZE),
         "APIC-access address is not 4 KiB-aligned or too wide");
    RULE(!(two & SECONDARY_X2APIC) || !(two & SECONDARY_APIC_ACCESSES),
         "virtualize x2APIC mode and virtualize APIC accesses exclude each other");
    RULE(!(two & SECONDARY_INTERRUPT_DELIVERY) || (s->pin_based_controls & PIN_EXTERNAL_INTERRUPT),
         "virtual-interrupt delivery needs external-interrupt exiting");
    return NULL;
}

static const char *check_interrupt_controls(state_t *s)
{
    RULE((s->pin_based_controls & PIN_NMI) || !(s->pin_based_controls & PIN_VIRTUAL_NMIS),
         "virtual NMIs need NMI exiting");
    RULE((s->pin_based_controls & PIN_VIRTUAL_NMIS) || !(s->primary_controls & PRIMARY_NMI_WINDOW),
         "NMI-window exiting needs virtual NMIs");
    if ((s->pin_based_controls & PIN_POSTED_INTERRUPTS) == 0)
        return NULL;
    RULE(secondary(s) & SECONDARY_INTERRUPT_DELIVERY, "posted interrupts need virtual-interrupt delivery");
    RULE(s->exit_controls & EXIT_ACKNOWLEDGE, "posted interrupts need acknowledge interrupt on exit");
    RULE(s->posted_interrupt_notification_vector <= 255, "posted-interrupt notification vector is above 255");
    RULE(good_address(s, s->posted_interrupt_descriptor_address, 64),
         "posted-interrupt descriptor address is not 64-byte-aligned or too wide");
    return NULL;
}

static const char *check_eptp(state_t *s)
{
    uint64_t type = s->eptp & 7, walk = s->eptp >> 3 & 7;
    RULE((type == 0 && (s->ia32_vmx_ept_vpid_cap & BIT(8))) || (type == 6 && (s->ia32_vmx_ept_vpid_cap & BIT(14))),
         "EPTP: memory type (bits 2:0) is none that the CPU offers");
    RULE((walk == 3 && (s->ia32_vmx_ept_vpid_cap & BIT(6))) || (walk == 4 && (s->ia32_vmx_ept_vpid_cap & BIT(7))),
         "EPTP: page-walk length (bits 5:3) is none that the CPU offers");
    RULE(!(s->eptp & BIT(6)) || (s->ia32_vmx_ept_vpid_cap & BIT(21)),
         "EPTP: accessed and dirty flags (bit 6) are not offered by the CPU");
    RULE((s->eptp & 0xf80) == 0 && in_width(s, s->eptp), "EPTP: a reserved bit is set");
    return NULL;
}

static const char *check_nested_paging(state_t *s)
{
    uint32_t two = secondary(s);
    RULE(!(two & SECONDARY_VPID) || (s->vpid != 0 && s->vpid <= UINT16_MAX), "VPID must be 1 to 65535");
    if (two & SECONDARY_EPT)
        RULES(check_eptp(s));
    RULE((two & SECONDARY_EPT) || !(two & SECONDARY_UNRESTRICTED), "unrestricted guest needs enable EPT");
    RULE((two & SECONDARY_EPT) || !(two & SECONDARY_MODE_BASED_EXECUTE), "mode-based execute control needs enable EPT");
    RULE((two & SECONDARY_EPT) || !(two & SECONDARY_PML), "page-modification logging needs enable EPT");
    RULE(!(two & SECONDARY_PML) || good_address(s, s->pml_address, PAGE_SIZE),
         "PML address is not 4 KiB-aligned or too wide");
    RULE(!(two & SECONDARY_EPT_EXCEPTION) || good_address(s, s->virtualization_exception_address, PAGE_SIZE),
         "virtualization-exception information address is not 4 KiB-aligned or too wide");
    return NULL;
}

/* "VM-Exit Control Fields" */
static const char *check_exit_controls(state_t *s)
{
    RULE((s->pin_based_controls & PIN_PREEMPTION_TIMER) || !(s->exit_controls & EXIT_SAVE_TIMER),
         "save VMX-preemption timer value needs activate VMX-preemption timer");
    RULE(good_msr_area(s, s->exit_msr_store_address, s->exit_msr_store_count),
         "VM-exit MSR-store area is not 16-byte-aligned or too wide");
    RULE(good_msr_area(s, s->exit_msr_load_address, s->exit_msr_load_count),
         "VM-exit MSR-load area is not 16-byte-aligned or too wide");
    return NULL;
}

/* "VM-Entry Control Fields" */

static const char *check_event_error_code(state_t *s)
{
    bool deliver = (s->entry_interruption_information & EVENT_ERROR_CODE) != 0;
    bool real = unrestricted(s) && !protected_mode(s);
    bool hardware = event_type(s) == EVENT_HARDWARE_EXCEPTION;
    /* Newer CPUs leave the choice open for hardware exceptions. */
    bool free = (s->ia32_vmx_basic & BIT(56)) != 0;
    bool has_code = hardware && (VECTORS_WITH_ERROR_CODE >> event_vector(s) & 1);

    RULE(!deliver || hardware, "injected event: only a hardware exception has an error code");
    RULE(!deliver || !real, "injected event: no error code is delivered while CR0.PE is 0");
    RULE(!deliver || has_code || free, "injected event: this exception has no error code");
    RULE(deliver || !has_code || free || real, "injected event: this exception needs its error code");
    RULE(!deliver || s->entry_exception_error_code <= 0xffff, "VM-entry exception error code: bits 31:16 must be 0");
    return NULL;
}

static const char *check_event(state_t *s)
{
    unsigned type = event_type(s), vector = event_vector(s);
    bool software =
        type == EVENT_SOFTWARE_INTERRUPT || type == EVENT_PRIVILEGED_SOFTWARE || type == EVENT_SOFTWARE_EXCEPTION;
    uint32_t least = s->ia32_vmx_misc & BIT(30) ? 0 : 1;

    RULE(type != EVENT_RESERVED, "injected event: type 1 is reserved");
    RULE(type != EVENT_OTHER || (s->allowed_primary.one_settings & PRIMARY_MTF),
         "injected event: type 7 needs a CPU with the monitor trap flag");
    RULE(type != EVENT_NMI || vector == 2, "injected event: an NMI has vector 2");
    RULE(type != EVENT_HARDWARE_EXCEPTION || vector <= 31, "injected event: an exception's vector is at most 31");
    RULE(type != EVENT_OTHER || vector == 0, "injected event: type 7 has vector 0");
    RULES(check_event_error_code(s));
    RULE((s->entry_interruption_information & EVENT_RESERVED_BITS) == 0, "injected event: bits 30:12 must be 0");
    RULE(!software || (s->entry_instruction_length >= least && s->entry_instruction_length <= 15),
         "VM-entry instruction length of a software event must be 1 to 15, or 0 where IA32_VMX_MISC allows");
    return NULL;
}

static const char *check_entry_controls(state_t *s)
{
    if (injects(s))
        RULES(check_event(s));
    RULE(good_msr_area(s, s->entry_msr_load_address, s->entry_msr_load_count),
         "VM-entry MSR-load area is not 16-byte-aligned or too wide");
    RULE(!(s->entry_controls & ENTRY_TO_SMM), "entry to SMM must be 0 outside SMM");
    RULE(!(s->entry_controls & ENTRY_DEACTIVATE_DUAL), "deactivate dual-monitor treatment must be 0 outside SMM");
    return NULL;
}

/* "Checks on Host Control Registers, MSRs, and SSP" */
static const char *check_host_registers(state_t *s)
{
    uint64_t lma = s->exit_controls & EXIT_HOST_64 ? EFER_LMA | EFER_LME : 0;
    RULE(fits_fixed(s->host_cr0, s->ia32_vmx_cr0_fixed0, s->ia32_vmx_cr0_fixed1),
         "host CR0: a bit is not as IA32_VMX_CR0_FIXED0 and FIXED1 demand");
    RULE(fits_fixed(s->host_cr4, s->ia32_vmx_cr4_fixed0, s->ia32_vmx_cr4_fixed1),
         "host CR4: a bit is not as IA32_VMX_CR4_FIXED0 and FIXED1 demand");
    RULE(in_width(s, s->host_cr3), "host CR3: a bit beyond the physical-address width is set");
    RULE(canonical(s, s->host_sysenter_esp), "host IA32_SYSENTER_ESP is not canonical");
    RULE(canonical(s, s->host_sysenter_eip), "host IA32_SYSENTER_EIP is not canonical");
    RULE(!(s->exit_controls & EXIT_LOAD_PAT) || good_pat(s->host_ia32_pat),
         "host IA32_PAT: a byte is none of 0, 1, 4, 5, 6, 7");
    if (s->exit_controls & EXIT_LOAD_EFER) {
        RULE((s->host_ia32_efer & ~EFER_BITS) == 0, "host IA32_EFER: a reserved bit is set");
        RULE((s->host_ia32_efer & (EFER_LMA | EFER_LME)) == lma,
             "host IA32_EFER: LMA and LME must equal host address-space size");
    }
    return NULL;
}

/* "Checks on Host Segment and Descriptor-Table Registers" and "Checks Related to Address-Space Size" */
static const char *check_host_segments(state_t *s)
{
    uint32_t flags = (uint32_t)s->host_es_selector | s->host_cs_selector | s->host_ss_selector | s->host_ds_selector |
                     s->host_fs_selector | s->host_gs_selector | s->host_tr_selector;
    RULE((flags & 7) == 0, "host selectors: RPL and TI (bits 2:0) must be 0");
    RULE(s->host_cs_selector != 0, "host CS selector must not be 0");
    RULE(s->host_tr_selector != 0, "host TR selector must not be 0");
    RULE(canonical(s, s->host_fs_base), "host FS base is not canonical");
    RULE(canonical(s, s->host_gs_base), "host GS base is not canonical");
    RULE(canonical(s, s->host_gdtr_base), "host GDTR base is not canonical");
    RULE(canonical(s, s->host_idtr_base), "host IDTR base is not canonical");
    RULE(canonical(s, s->host_tr_base), "host TR base is not canonical");
    RULE(s->exit_controls & EXIT_HOST_64, "host address-space size must be 1: the hypervisor runs in 64-bit mode");
    RULE(s->host_cr4 & CR4_PAE, "host CR4.PAE must be 1 with host address-space size");
    RULE(canonical(s, s->host_rip), "host RIP is not canonical");
    return NULL;
}

/* "Checks on Guest Control Registers, Debug Registers, and MSRs" */

static const char *check_guest_control_registers(state_t *s)
{
    uint64_t free = unrestricted(s) ? CR0_PE | CR0_PG : 0;
    bool paging = (s->guest_cr0 & CR0_PG) != 0;
    RULE(fits_fixed(s->guest_cr0, s->ia32_vmx_cr0_fixed0 & ~free, s->ia32_vmx_cr0_fixed1),
         "guest CR0: a bit is not as IA32_VMX_CR0_FIXED0 and FIXED1 demand");
    RULE(!paging || protected_mode(s), "guest CR0: PG needs PE");
    RULE(fits_fixed(s->guest_cr4, s->ia32_vmx_cr4_fixed0, s->ia32_vmx_cr4_fixed1),
         "guest CR4: a bit is not as IA32_VMX_CR4_FIXED0 and FIXED1 demand");
    RULE(!ia32e(s) || paging, "IA-32e mode guest needs guest CR0.PG");
    RULE(!ia32e(s) || (s->guest_cr4 & CR4_PAE), "IA-32e mode guest needs guest CR4.PAE");
    RULE(ia32e(s) || !(s->guest_cr4 & CR4_PCIDE), "guest CR4.PCIDE needs IA-32e mode guest");
    RULE(in_width(s, s->guest_cr3), "guest CR3: a bit beyond the physical-address width is set");
    return NULL;
}

static const char *check_guest_msrs(state_t *s)
{
    uint64_t efer = s->guest_ia32_efer;
    if (s->entry_controls & ENTRY_LOAD_DEBUG) {
        RULE((s->guest_ia32_debugctl & DEBUGCTL_RESERVED) == 0, "guest IA32_DEBUGCTL: a reserved bit is set");
        RULE(s->guest_dr7 <= UINT32_MAX, "guest DR7: bits 63:32 must be 0");
    }
    RULE(canonical(s, s->guest_sysenter_esp), "guest IA32_SYSENTER_ESP is not canonical");
    RULE(canonical(s, s->guest_sysenter_eip), "guest IA32_SYSENTER_EIP is not canonical");
    RULE(!(s->entry_controls & ENTRY_LOAD_PAT) || good_pat(s->guest_ia32_pat),
         "guest IA32_PAT: a byte is none of 0, 1, 4, 5, 6, 7");
    if ((s->entry_controls & ENTRY_LOAD_EFER) == 0)
        return NULL;
    RULE((efer & ~EFER_BITS) == 0, "guest IA32_EFER: a reserved bit is set");
    RULE(((efer & EFER_LMA) != 0) == ia32e(s), "guest IA32_EFER: LMA must equal IA-32e mode guest");
    RULE(!(s->guest_cr0 & CR0_PG) || ((efer & EFER_LME) != 0) == ((efer & EFER_LMA) != 0),
         "guest IA32_EFER: LME must equal LMA while CR0.PG is 1");
    return NULL;
}

/* "Checks on Guest Segment Registers" */

enum { ES, CS, SS, DS, FS, GS, LDTR, TR, SEGMENTS };

/* What can be wrong with any segment, in words for each of them. */
struct segment_texts {
    const char *v86_base, *v86_limit, *v86_rights, *type, *system, *dpl, *present, *reserved, *granularity;
};
#define SEGMENT_TEXTS(name, type, system)                                                                              \
    {                                                                                                                  \
        "guest " name " base in virtual-8086 mode must be selector << 4",                                              \
            "guest " name " limit in virtual-8086 mode must be 0xffff",                                                \
            "guest " name " access rights in virtual-8086 mode must be 0xf3", "guest " name " access rights: " type,   \
            "guest " name " access rights: S must be " system,                                                         \
            "guest " name " access rights: DPL must not be below the selector's RPL",                                  \
            "guest " name " access rights: P must be 1",                                                               \
            "guest " name " access rights: bits 31:17 and 11:8 must be 0",                                             \
            "guest " name " access rights: G does not fit the limit"                                                   \
    }
#define DATA_TYPE "type must be accessed (bit 0), and readable (bit 1) if it is code (bit 3)"
static const struct segment_texts segment_texts[SEGMENTS] = {
    [ES] = SEGMENT_TEXTS("ES", DATA_TYPE, "1"),
    [CS] = SEGMENT_TEXTS("CS", "type must be 9, 11, 13 or 15, or 3 with unrestricted guest", "1"),
    [SS] = SEGMENT_TEXTS("SS", "type must be 3 or 7", "1"),
    [DS] = SEGMENT_TEXTS("DS", DATA_TYPE, "1"),
    [FS] = SEGMENT_TEXTS("FS", DATA_TYPE, "1"),
    [GS] = SEGMENT_TEXTS("GS", DATA_TYPE, "1"),
    [LDTR] = SEGMENT_TEXTS("LDTR", "type must be 2", "0"),
    [TR] = SEGMENT_TEXTS("TR", "type must be 11, or 3 outside IA-32e mode", "0"),
};

static const struct vmx_segment *segment_of(state_t *s, unsigned number)
{
    const struct vmx_segment *const all[SEGMENTS] = {&s->guest_es, &s->guest_cs, &s->guest_ss,   &s->guest_ds,
                                                     &s->guest_fs, &s->guest_gs, &s->guest_ldtr, &s->guest_tr};
    return all[number];
}

static const char *check_selectors(state_t *s)
{
    RULE((s->guest_tr.selector & 4) == 0, "guest TR selector: TI (bit 2) must be 0");
    RULE(!usable(&s->guest_ldtr) || (s->guest_ldtr.selector & 4) == 0, "guest LDTR selector: TI (bit 2) must be 0");
    RULE(v86(s) || unrestricted(s) || rpl_of(&s->guest_ss) == rpl_of(&s->guest_cs),
         "guest SS selector: RPL must equal that of CS without unrestricted guest");
    return NULL;
}

static const char *check_bases(state_t *s)
{
    RULE(canonical(s, s->guest_tr.base), "guest TR base is not canonical");
    RULE(canonical(s, s->guest_fs.base), "guest FS base is not canonical");
    RULE(canonical(s, s->guest_gs.base), "guest GS base is not canonical");
    RULE(!usable(&s->guest_ldtr) || canonical(s, s->guest_ldtr.base), "guest LDTR base is not canonical");
    RULE(s->guest_cs.base <= UINT32_MAX, "guest CS base: bits 63:32 must be 0");
    RULE(!usable(&s->guest_ss) || s->guest_ss.base <= UINT32_MAX, "guest SS base: bits 63:32 must be 0");
    RULE(!usable(&s->guest_ds) || s->guest_ds.base <= UINT32_MAX, "guest DS base: bits 63:32 must be 0");
    RULE(!usable(&s->guest_es) || s->guest_es.base <= UINT32_MAX, "guest ES base: bits 63:32 must be 0");
    return NULL;
}

static const char *check_v86_segment(const struct vmx_segment *segment, const struct segment_texts *texts)
{
    RULE(segment->base == (uint64_t)segment->selector << 4, texts->v86_base);
    RULE(segment->limit == 0xffff, texts->v86_limit);
    RULE(segment->access_rights == AR_V86, texts->v86_rights);
    return NULL;
}

static bool type_legal(state_t *s, unsigned number, unsigned type)
{
    switch (number) {
    case CS:
        return (type & 9) == 9 || (type == 3 && unrestricted(s));
    case SS:
        return type == 3 || type == 7;
    case LDTR:
        return type == 2;
    case TR:
        return type == 11 || (type == 3 && !ia32e(s));
    default:
        return (type & 1) && (!(type & 8) || (type & 2));
    }
}

/* Data segments whose type is data or non-conforming code. */
static bool rpl_matters(state_t *s, unsigned number, unsigned type)
{
    return !unrestricted(s) && type <= 11 && number != CS && number != SS && number < LDTR;
}

static bool granularity_fits(const struct vmx_segment *segment)
{
    bool pages = (segment->access_rights & AR_G) != 0;
    return (!pages || (segment->limit & 0xfff) == 0xfff) && (pages || (segment->limit & 0xfff00000) == 0);
}

static const char *check_rights(state_t *s, unsigned number)
{
    const struct vmx_segment *segment = segment_of(s, number);
    const struct segment_texts *texts = &segment_texts[number];
    bool code_or_data = (segment->access_rights & AR_S) != 0;

    /* CS and TR are checked even when they claim to be unusable; that TR may not claim so is a rule of its own. */
    if (!usable(segment) && number != CS && number != TR)
        return NULL;
    RULE(type_legal(s, number, type_of(segment)), texts->type);
    RULE(code_or_data == (number < LDTR), texts->system);
    RULE(!rpl_matters(s, number, type_of(segment)) || dpl_of(segment) >= rpl_of(segment), texts->dpl);
    RULE(segment->access_rights & AR_P, texts->present);
    RULE((segment->access_rights & AR_RESERVED) == 0, texts->reserved);
    RULE(granularity_fits(segment), texts->granularity);
    return NULL;
}

/* The rules that concern the privilege level, and what only one segment has. */
static const char *check_cs_ss_tr(state_t *s)
{
    unsigned type = type_of(&s->guest_cs), dpl = dpl_of(&s->guest_cs), ss_dpl = dpl_of(&s->guest_ss);
    bool nonconforming = type == 9 || type == 11, conforming = type == 13 || type == 15;
    RULE(type != 3 || dpl == 0, "guest CS access rights: type 3 needs DPL 0");
    RULE(!nonconforming || dpl == ss_dpl, "guest CS access rights: types 9 and 11 need the DPL of SS");
    RULE(!conforming || dpl <= ss_dpl, "guest CS access rights: types 13 and 15 need a DPL not above that of SS");
    RULE(!ia32e(s) || !(s->guest_cs.access_rights & AR_L) || !(s->guest_cs.access_rights & AR_DB),
         "guest CS access rights: L and D/B exclude each other in IA-32e mode");
    RULE(unrestricted(s) || ss_dpl == rpl_of(&s->guest_ss),
         "guest SS access rights: DPL must equal the selector's RPL without unrestricted guest");
    RULE((type != 3 && protected_mode(s)) || ss_dpl == 0,
         "guest SS access rights: DPL must be 0 while CR0.PE is 0 or CS has type 3");
    RULE(usable(&s->guest_tr), "guest TR must be usable");
    return NULL;
}

static const char *check_guest_segments(state_t *s)
{
    RULES(check_selectors(s));
    for (unsigned i = ES; v86(s) && i <= GS; i++)
        RULES(check_v86_segment(segment_of(s, i), &segment_texts[i]));
    RULES(check_bases(s));
    for (unsigned i = v86(s) ? LDTR : ES; i < SEGMENTS; i++)
        RULES(check_rights(s, i));
    if (!v86(s))
        return check_cs_ss_tr(s);
    RULE(usable(&s->guest_tr), "guest TR must be usable");
    return NULL;
}

/* "Checks on Guest Descriptor-Table Registers" and "Checks on Guest RIP, RFLAGS, and SSP" */
static const char *check_guest_tables_and_flags(state_t *s)
{
    bool long_code = ia32e(s) && (s->guest_cs.access_rights & AR_L);
    uint64_t reserved = ~(uint64_t)0x3fffff | BIT(15) | BIT(5) | BIT(3);

    RULE(canonical(s, s->guest_gdtr.base), "guest GDTR base is not canonical");
    RULE(canonical(s, s->guest_idtr.base), "guest IDTR base is not canonical");
    RULE(s->guest_gdtr.limit <= 0xffff, "guest GDTR limit: bits 31:16 must be 0");
    RULE(s->guest_idtr.limit <= 0xffff, "guest IDTR limit: bits 31:16 must be 0");
    RULE(long_code || s->guest_rip <= UINT32_MAX, "guest RIP: bits 63:32 must be 0 outside 64-bit mode");
    RULE(!long_code || canonical(s, s->guest_rip), "guest RIP is not canonical");
    RULE((s->guest_rflags & reserved) == 0, "guest RFLAGS: a reserved bit is set");
    RULE(s->guest_rflags & BIT(1), "guest RFLAGS: bit 1 must be 1");
    RULE(!v86(s) || (!ia32e(s) && protected_mode(s)), "guest RFLAGS: VM needs CR0.PE and no IA-32e mode");
    RULE(!injects_type(s, EVENT_EXTERNAL) || (s->guest_rflags & FLAG_IF),
         "guest RFLAGS: IF must be 1 to inject an external interrupt");
    return NULL;
}

/* "Checks on Guest Non-Register State" */

/* Whether an event may be injected into a CPU that waits. */
static bool wakes(state_t *s)
{
    unsigned type = event_type(s), vector = event_vector(s);
    bool machine_check = type == EVENT_HARDWARE_EXCEPTION && vector == 18;
    bool debug = type == EVENT_HARDWARE_EXCEPTION && vector == 1;
    switch (s->guest_activity_state) {
    case ACTIVITY_HLT:
        return type == EVENT_EXTERNAL || type == EVENT_NMI || machine_check || debug || type == EVENT_OTHER;
    case ACTIVITY_SHUTDOWN:
        return type == EVENT_NMI || machine_check;
    case ACTIVITY_WAIT_SIPI:
        return false;
    default:
        return true;
    }
}

static const char *check_activity(state_t *s)
{
    uint32_t activity = s->guest_activity_state;
    RULE(activity <= ACTIVITY_WAIT_SIPI, "guest activity state must be 0 to 3");
    RULE(activity == ACTIVITY_ACTIVE || (s->ia32_vmx_misc >> (5 + activity) & 1),
         "guest activity state is none that IA32_VMX_MISC offers");
    RULE(activity != ACTIVITY_HLT || dpl_of(&s->guest_ss) == 0, "guest activity state HLT needs DPL 0 in SS");
    RULE(activity == ACTIVITY_ACTIVE || !(s->guest_interruptibility_state & (BLOCKING_STI | BLOCKING_MOV_SS)),
         "guest activity state must be active while STI or MOV SS block");
    RULE(!injects(s) || wakes(s), "guest activity state does not allow the injected event");
    return NULL;
}

static const char *check_interruptibility(state_t *s)
{
    uint32_t blocking = s->guest_interruptibility_state;
    uint32_t shadows = blocking & (uint32_t)(BLOCKING_STI | BLOCKING_MOV_SS);
    bool virtual_nmis = (s->pin_based_controls & PIN_VIRTUAL_NMIS) != 0;
    RULE(blocking <= 15, "guest interruptibility state: bits 31:4 must be 0");
    RULE(shadows != (BLOCKING_STI | BLOCKING_MOV_SS),
         "guest interruptibility state: STI and MOV SS exclude each other");
    RULE(!(blocking & BLOCKING_STI) || (s->guest_rflags & FLAG_IF),
         "guest interruptibility state: blocking by STI needs RFLAGS.IF");
    RULE(!injects_type(s, EVENT_EXTERNAL) || shadows == 0,
         "guest interruptibility state: an external interrupt cannot be injected while STI or MOV SS block");
    RULE(!injects_type(s, EVENT_NMI) || !(blocking & BLOCKING_MOV_SS),
         "guest interruptibility state: an NMI cannot be injected while MOV SS blocks");
    RULE(!injects_type(s, EVENT_NMI) || !(blocking & BLOCKING_STI),
         "guest interruptibility state: some CPUs do not inject an NMI while STI blocks");
    RULE(!(blocking & BLOCKING_SMI), "guest interruptibility state: blocking by SMI must be 0 outside SMM");
    RULE(!injects_type(s, EVENT_NMI) || !virtual_nmis || !(blocking & BLOCKING_NMI),
         "guest interruptibility state: an NMI cannot be injected while NMIs are blocked");
    return NULL;
}

static const char *check_pending_debug(state_t *s)
{
    uint64_t pending = s->guest_pending_debug_exceptions;
    bool shadow = (s->guest_interruptibility_state & (BLOCKING_STI | BLOCKING_MOV_SS)) != 0 ||
                  s->guest_activity_state == ACTIVITY_HLT;
    bool stepping = (s->guest_rflags & FLAG_TF) && !(s->guest_ia32_debugctl & DEBUGCTL_BTF);
    uint64_t legal = 0xf | PENDING_ENABLED | PENDING_BS | PENDING_RTM;

    RULE((pending & ~legal) == 0, "guest pending debug exceptions: a reserved bit is set");
    RULE(!shadow || !stepping || (pending & PENDING_BS),
         "guest pending debug exceptions: BS must be 1 while TF is 1 and STI, MOV SS or HLT hold it back");
    RULE(!shadow || stepping || !(pending & PENDING_BS),
         "guest pending debug exceptions: BS must be 0 while TF is 0 or BTF is 1 and STI, MOV SS or HLT hold it back");
    RULE(!(pending & PENDING_RTM) || pending == (PENDING_RTM | PENDING_ENABLED),
         "guest pending debug exceptions: RTM goes with bit 12 and nothing else");
    RULE(!(pending & PENDING_RTM) || !(s->guest_interruptibility_state & BLOCKING_MOV_SS),
         "guest pending debug exceptions: RTM must be 0 while MOV SS blocks");
    return NULL;
}

/* The link pointer, and "Checks on Guest Page-Directory-Pointer-Table Entries" */
static const char *check_link_and_pdptes(state_t *s)
{
    RULE(s->vmcs_link_pointer == UINT64_MAX || good_address(s, s->vmcs_link_pointer, PAGE_SIZE),
         "VMCS link pointer must be all ones, or 4 KiB-aligned and not too wide");
    bool pae = (s->guest_cr0 & CR0_PG) && (s->guest_cr4 & CR4_PAE) && !ia32e(s);
    for (unsigned i = 0; pae && (secondary(s) & SECONDARY_EPT) && i < array_size(s->guest_pdpte); i++) {
        uint64_t entry = s->guest_pdpte[i];
        RULE(!(entry & 1) || ((entry & 0x1e6) == 0 && in_width(s, entry)), "guest PDPTE: a reserved bit is set");
    }
    return NULL;
}

static const char *check_controls(state_t *s)
{
    RULES(check_control_settings(s));
    RULES(check_bitmaps(s));
    RULES(check_virtual_apic(s));
    RULES(check_interrupt_controls(s));
    RULES(check_nested_paging(s));
    RULES(check_exit_controls(s));
    return check_entry_controls(s);
}

const char *vmx_entry_check(const struct vmx_entry_state *s)
{
    RULES(check_controls(s));
    RULES(check_host_registers(s));
    RULES(check_host_segments(s));
    RULES(check_guest_control_registers(s));
    RULES(check_guest_msrs(s));
    RULES(check_guest_segments(s));
    RULES(check_guest_tables_and_flags(s));
    RULES(check_activity(s));
    RULES(check_interruptibility(s));
    RULES(check_pending_debug(s));
    return check_link_and_pdptes(s);
}
