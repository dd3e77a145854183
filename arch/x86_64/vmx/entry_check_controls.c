/* "VM-Execution Control Fields", "VM-Exit Control Fields" and "VM-Entry Control Fields", all but the injected event */
#include "arch/x86_64/vmx/entry_check_rules.h"

enum control_field {
    PIN = VMCS_PIN_CONTROLS,
    PROCESSOR = VMCS_PROCESSOR_CONTROLS,
    SECONDARY = VMCS_SECONDARY_CONTROLS,
    EXIT = VMCS_EXIT_CONTROLS,
    ENTRY = VMCS_ENTRY_CONTROLS,
};

static uint32_t controls_of(const struct entry_check *c, uint32_t field)
{
    return field == SECONDARY ? c->secondary : (uint32_t)c->read(field);
}

const char *entry_check_settings(struct entry_check *c)
{
    static const struct {
        uint16_t field, allowed; /* the second one in struct vmx_capability */
        const char *name, *msr;
    } rows[] = {
        {PIN, offsetof(struct vmx_capability, pin), "pin-based", "PINBASED_CTLS allows"},
        {PROCESSOR, offsetof(struct vmx_capability, processor), "primary processor-based", "PROCBASED_CTLS allows"},
        {SECONDARY, offsetof(struct vmx_capability, secondary), "secondary processor-based", "PROCBASED_CTLS2 allows"},
        {EXIT, offsetof(struct vmx_capability, exit), "VM-exit", "EXIT_CTLS allows"},
        {ENTRY, offsetof(struct vmx_capability, entry), "VM-entry", "ENTRY_CTLS allows"},
    };
    RULE(c->read(VMCS_CR3_TARGET_COUNT) <= (c->cpu->misc >> 16 & 0x1ff),
         "CR3-target count is above what IA32_VMX_MISC allows");
    c->aspect = " controls: a bit is not as IA32_VMX_";
    for (size_t i = 0; i < array_size(rows); i++) {
        const struct vmx_allowed *by = (const void *)((const char *)c->cpu + rows[i].allowed);
        uint32_t value = controls_of(c, rows[i].field);
        c->subject = rows[i].name;
        RULE(entry_check_fits(value, by->zero_settings, by->one_settings), rows[i].msr);
    }
    return NULL;
}

/* Pages that count only with a control. */
const char *entry_check_addresses(struct entry_check *c)
{
    static const struct {
        uint16_t field, controls;
        uint32_t control;
        const char *name;
    } rows[] = {
        {VMCS_IO_BITMAP_A, PROCESSOR, PROCESSOR_IO_BITMAPS, "I/O-bitmap A"},
        {VMCS_IO_BITMAP_B, PROCESSOR, PROCESSOR_IO_BITMAPS, "I/O-bitmap B"},
        {VMCS_MSR_BITMAP, PROCESSOR, PROCESSOR_MSR_BITMAPS, "MSR-bitmap"},
        {VMCS_VIRTUAL_APIC, PROCESSOR, PROCESSOR_TPR_SHADOW, "virtual-APIC"},
        {VMCS_APIC_ACCESS, SECONDARY, SECONDARY_APIC_ACCESSES, "APIC-access"},
        {VMCS_PML, SECONDARY, SECONDARY_PML, "PML"},
        {VMCS_EXCEPTION_INFORMATION, SECONDARY, SECONDARY_EPT_EXCEPTION, "virtualization-exception information"},
    };
    for (size_t i = 0; i < array_size(rows); i++) {
        c->subject = rows[i].name;
        RULE(!(controls_of(c, rows[i].controls) & rows[i].control) ||
                 entry_check_good_address(c, rows[i].field, PAGE_SIZE),
             " address is not 4 KiB-aligned or too wide");
    }
    return NULL;
}

/* Controls that need another one, or, where none is named, may not be on at all. */
static const char *broken_need(const struct entry_check *c)
{
    static const struct {
        uint16_t controls;
        uint32_t control;
        uint16_t others;
        uint32_t other;
        const char *words;
    } rows[] = {
        {SECONDARY, SECONDARY_X2APIC, PROCESSOR, PROCESSOR_TPR_SHADOW, "virtualize x2APIC mode needs use TPR shadow"},
        {SECONDARY, SECONDARY_APIC_REGISTERS, PROCESSOR, PROCESSOR_TPR_SHADOW,
         "APIC-register virtualization needs use TPR shadow"},
        {SECONDARY, SECONDARY_INTERRUPT_DELIVERY, PROCESSOR, PROCESSOR_TPR_SHADOW,
         "virtual-interrupt delivery needs use TPR shadow"},
        {SECONDARY, SECONDARY_INTERRUPT_DELIVERY, PIN, PIN_EXTERNAL_INTERRUPT_EXITING,
         "virtual-interrupt delivery needs external-interrupt exiting"},
        {PIN, PIN_VIRTUAL_NMIS, PIN, PIN_NMI_EXITING, "virtual NMIs need NMI exiting"},
        {PROCESSOR, PROCESSOR_NMI_WINDOW, PIN, PIN_VIRTUAL_NMIS, "NMI-window exiting needs virtual NMIs"},
        {PIN, PIN_POSTED_INTERRUPTS, SECONDARY, SECONDARY_INTERRUPT_DELIVERY,
         "posted interrupts need virtual-interrupt delivery"},
        {PIN, PIN_POSTED_INTERRUPTS, EXIT, EXIT_CONTROL_ACKNOWLEDGE,
         "posted interrupts need acknowledge interrupt on exit"},
        {SECONDARY, SECONDARY_UNRESTRICTED_GUEST, SECONDARY, SECONDARY_EPT, "unrestricted guest needs enable EPT"},
        {SECONDARY, SECONDARY_MODE_BASED_EXECUTE, SECONDARY, SECONDARY_EPT,
         "mode-based execute control needs enable EPT"},
        {SECONDARY, SECONDARY_PML, SECONDARY, SECONDARY_EPT, "page-modification logging needs enable EPT"},
        {EXIT, EXIT_CONTROL_SAVE_TIMER, PIN, PIN_PREEMPTION_TIMER,
         "save VMX-preemption timer value needs activate VMX-preemption timer"},
        {ENTRY, ENTRY_CONTROL_TO_SMM, ENTRY, 0, "entry to SMM must be 0 outside SMM"},
        {ENTRY, ENTRY_CONTROL_DEACTIVATE_DUAL, ENTRY, 0, "deactivate dual-monitor treatment must be 0 outside SMM"},
    };
    for (size_t i = 0; i < array_size(rows); i++)
        RULE(!(controls_of(c, rows[i].controls) & rows[i].control) || (controls_of(c, rows[i].others) & rows[i].other),
             rows[i].words);
    return NULL;
}

const char *entry_check_needs(struct entry_check *c)
{
    uint64_t vpid = c->read(VMCS_VPID);
    RULE(!(c->read(PROCESSOR) & PROCESSOR_TPR_SHADOW) || (c->secondary & SECONDARY_INTERRUPT_DELIVERY) ||
             c->read(VMCS_TPR_THRESHOLD) <= 15,
         "TPR threshold: bits 31:4 must be 0 without virtual-interrupt delivery");
    RULE(!(c->secondary & SECONDARY_X2APIC) || !(c->secondary & SECONDARY_APIC_ACCESSES),
         "virtualize x2APIC mode and virtualize APIC accesses exclude each other");
    RULE(!(c->secondary & SECONDARY_VPID) || (vpid != 0 && vpid <= UINT16_MAX), "VPID must be 1 to 65535");
    if (c->read(PIN) & PIN_POSTED_INTERRUPTS) {
        RULE(c->read(VMCS_POSTED_VECTOR) <= 255, "posted-interrupt notification vector is above 255");
        RULE(entry_check_good_address(c, VMCS_POSTED_DESCRIPTOR, 64),
             "posted-interrupt descriptor address is not 64-byte-aligned or too wide");
    }
    return broken_need(c);
}

const char *entry_check_eptp(struct entry_check *c)
{
    uint64_t eptp = c->read(VMCS_EPT_POINTER), offered = c->cpu->ept_vpid;
    uint64_t type = eptp & 7, walk = eptp >> 3 & 7;
    if (!(c->secondary & SECONDARY_EPT))
        return NULL;
    RULE((type == 0 && (offered & BIT(8))) || (type == 6 && (offered & EPT_WRITE_BACK)),
         "memory type (bits 2:0) is none that the CPU offers");
    RULE((walk == 3 && (offered & EPT_WALK_4)) || (walk == 4 && (offered & BIT(7))),
         "page-walk length (bits 5:3) is none that the CPU offers");
    RULE(!(eptp & BIT(6)) || (offered & BIT(21)), "accessed and dirty flags (bit 6) are not offered by the CPU");
    RULE((eptp & 0xf80) == 0 && entry_check_in_width(c, eptp), "a reserved bit is set");
    return NULL;
}

const char *entry_check_msr_areas(struct entry_check *c)
{
    static const struct {
        uint16_t address, count;
        const char *name;
    } rows[] = {
        {VMCS_EXIT_MSR_STORE, VMCS_EXIT_MSR_STORE_COUNT, "exit MSR-store"},
        {VMCS_EXIT_MSR_LOAD, VMCS_EXIT_MSR_LOAD_COUNT, "exit MSR-load"},
        {VMCS_ENTRY_MSR_LOAD, VMCS_ENTRY_MSR_LOAD_COUNT, "entry MSR-load"},
    };
    for (size_t i = 0; i < array_size(rows); i++) {
        uint64_t count = c->read(rows[i].count), address = c->read(rows[i].address), last = count * 16 - 1;
        c->subject = rows[i].name;
        RULE(count == 0 || (entry_check_good_address(c, rows[i].address, 16) && last <= UINT64_MAX - address &&
                            entry_check_in_width(c, address + last)),
             " area is not 16-byte-aligned or too wide");
    }
    return NULL;
}
