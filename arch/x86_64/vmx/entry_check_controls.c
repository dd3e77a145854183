/* "VM-Execution Control Fields" */
#include "arch/x86_64/vmx/entry_check_rules.h"

static bool allowed(uint32_t value, struct vmx_allowed by)
{
    return (value & by.zero_settings) == by.zero_settings && (value & ~by.one_settings) == 0;
}

/* A control field against its capability MSR; `msr` ends the sentence, after "IA32_VMX_". */
static bool check_setting(struct entry_check *c, uint32_t value, struct vmx_allowed by, const char *name,
                          const char *msr)
{
    c->subject = name;
    c->aspect = " controls: a bit is not as IA32_VMX_";
    RULE(allowed(value, by), msr);
    return true;
}

static bool check_settings(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    RULES(check_setting(c, s->pin_based_controls, s->allowed_pin_based, "pin-based", "PINBASED_CTLS allows"));
    RULES(
        check_setting(c, s->primary_controls, s->allowed_primary, "primary processor-based", "PROCBASED_CTLS allows"));
    if (s->primary_controls & PRIMARY_SECONDARY)
        RULES(check_setting(c, s->secondary_controls, s->allowed_secondary, "secondary processor-based",
                            "PROCBASED_CTLS2 allows"));
    RULES(check_setting(c, s->exit_controls, s->allowed_exit, "VM-exit", "EXIT_CTLS allows"));
    RULES(check_setting(c, s->entry_controls, s->allowed_entry, "VM-entry", "ENTRY_CTLS allows"));
    entry_check_about(c, "");
    RULE(s->cr3_target_count <= (s->ia32_vmx_misc >> 16 & 0x1ff),
         "CR3-target count is above what IA32_VMX_MISC allows");
    return true;
}

static bool check_bitmaps(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    if (s->primary_controls & PRIMARY_IO_BITMAPS) {
        RULES(entry_check_page(c, "I/O-bitmap A", s->io_bitmap_a_address));
        RULES(entry_check_page(c, "I/O-bitmap B", s->io_bitmap_b_address));
    }
    if (s->primary_controls & PRIMARY_MSR_BITMAPS)
        RULES(entry_check_page(c, "MSR-bitmap", s->msr_bitmap_address));
    return true;
}

static bool check_virtual_apic(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    uint32_t two = entry_check_secondary(s);
    if (s->primary_controls & PRIMARY_TPR_SHADOW) {
        RULES(entry_check_page(c, "virtual-APIC", s->virtual_apic_address));
        RULE((two & SECONDARY_INTERRUPT_DELIVERY) || s->tpr_threshold <= 15,
             "TPR threshold: bits 31:4 must be 0 without virtual-interrupt delivery");
    } else {
        RULE(!(two & SECONDARY_X2APIC), "virtualize x2APIC mode needs use TPR shadow");
        RULE(!(two & SECONDARY_APIC_REGISTERS), "APIC-register virtualization needs use TPR shadow");
        RULE(!(two & SECONDARY_INTERRUPT_DELIVERY), "virtual-interrupt delivery needs use TPR shadow");
    }
    if (two & SECONDARY_APIC_ACCESSES) {
        RULES(entry_check_page(c, "APIC-access", s->apic_access_address));
        RULE(!(two & SECONDARY_X2APIC), "virtualize x2APIC mode and virtualize APIC accesses exclude each other");
    }
    RULE(!(two & SECONDARY_INTERRUPT_DELIVERY) || (s->pin_based_controls & PIN_EXTERNAL_INTERRUPT),
         "virtual-interrupt delivery needs external-interrupt exiting");
    return true;
}

static bool check_interrupts(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    RULE((s->pin_based_controls & PIN_NMI) || !(s->pin_based_controls & PIN_VIRTUAL_NMIS),
         "virtual NMIs need NMI exiting");
    RULE((s->pin_based_controls & PIN_VIRTUAL_NMIS) || !(s->primary_controls & PRIMARY_NMI_WINDOW),
         "NMI-window exiting needs virtual NMIs");
    if ((s->pin_based_controls & PIN_POSTED_INTERRUPTS) == 0)
        return true;
    RULE(entry_check_secondary(s) & SECONDARY_INTERRUPT_DELIVERY, "posted interrupts need virtual-interrupt delivery");
    RULE(s->exit_controls & EXIT_ACKNOWLEDGE, "posted interrupts need acknowledge interrupt on exit");
    RULE(s->posted_interrupt_notification_vector <= 255, "posted-interrupt notification vector is above 255");
    RULE(entry_check_good_address(s, s->posted_interrupt_descriptor_address, 64),
         "posted-interrupt descriptor address is not 64-byte-aligned or too wide");
    return true;
}

static bool check_eptp(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    uint64_t type = s->eptp & 7, walk = s->eptp >> 3 & 7, offered = s->ia32_vmx_ept_vpid_cap;
    entry_check_about(c, "EPTP: ");
    RULE((type == 0 && (offered & BIT(8))) || (type == 6 && (offered & BIT(14))),
         "memory type (bits 2:0) is none that the CPU offers");
    RULE((walk == 3 && (offered & BIT(6))) || (walk == 4 && (offered & BIT(7))),
         "page-walk length (bits 5:3) is none that the CPU offers");
    RULE(!(s->eptp & BIT(6)) || (offered & BIT(21)), "accessed and dirty flags (bit 6) are not offered by the CPU");
    RULE((s->eptp & 0xf80) == 0 && entry_check_in_width(s, s->eptp), "a reserved bit is set");
    entry_check_about(c, "");
    return true;
}

static bool check_nested_paging(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    uint32_t two = entry_check_secondary(s);
    RULE(!(two & SECONDARY_VPID) || (s->vpid != 0 && s->vpid <= UINT16_MAX), "VPID must be 1 to 65535");
    if (two & SECONDARY_EPT) {
        RULES(check_eptp(c));
    } else {
        RULE(!(two & SECONDARY_UNRESTRICTED), "unrestricted guest needs enable EPT");
        RULE(!(two & SECONDARY_MODE_BASED_EXECUTE), "mode-based execute control needs enable EPT");
        RULE(!(two & SECONDARY_PML), "page-modification logging needs enable EPT");
    }
    if (two & SECONDARY_PML)
        RULES(entry_check_page(c, "PML", s->pml_address));
    if (two & SECONDARY_EPT_EXCEPTION)
        RULES(entry_check_page(c, "virtualization-exception information", s->virtualization_exception_address));
    return true;
}

bool entry_check_controls(struct entry_check *c)
{
    RULES(check_settings(c));
    RULES(check_bitmaps(c));
    RULES(check_virtual_apic(c));
    RULES(check_interrupts(c));
    return check_nested_paging(c);
}
