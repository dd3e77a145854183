/*
 * A VMCS and a CPU by the manual's names, for tests of the VM-entry rules: those read fields by their encodings.
 */
#pragma once

#include "arch/x86_64/vmx/entry_check.h"
#include "arch/x86_64/vmx/vmcs.h"

#include <string.h>

struct vmx_segment {
    uint16_t selector;
    uint32_t access_rights; /* VMCS format: bit 16 says unusable */
    uint32_t limit;
    uint64_t base;
};

struct vmx_table_register {
    uint32_t limit;
    uint64_t base;
};

/* Fields by the manual's names; a field that the CPU lacks is 0. */
struct vmx_entry_state {
    /* what the CPU allows */
    uint64_t ia32_vmx_basic, ia32_vmx_misc, ia32_vmx_ept_vpid_cap;
    uint64_t ia32_vmx_cr0_fixed0, ia32_vmx_cr0_fixed1, ia32_vmx_cr4_fixed0, ia32_vmx_cr4_fixed1;
    struct vmx_allowed allowed_pin_based, allowed_primary, allowed_secondary, allowed_exit, allowed_entry;
    uint8_t physical_address_width; /* bits */
    uint8_t linear_address_width;   /* bits: 48 or 57 */

    /* VM-execution control fields */
    uint32_t pin_based_controls, primary_controls, secondary_controls;
    uint32_t cr3_target_count, tpr_threshold, posted_interrupt_notification_vector, vpid;
    uint64_t io_bitmap_a_address, io_bitmap_b_address, msr_bitmap_address;
    uint64_t virtual_apic_address, apic_access_address, posted_interrupt_descriptor_address;
    uint64_t eptp, pml_address, virtualization_exception_address;

    /* VM-exit and VM-entry control fields */
    uint32_t exit_controls, exit_msr_store_count, exit_msr_load_count;
    uint64_t exit_msr_store_address, exit_msr_load_address;
    uint32_t entry_controls, entry_msr_load_count;
    uint64_t entry_msr_load_address;
    uint32_t entry_interruption_information, entry_exception_error_code, entry_instruction_length;

    /* host-state area */
    uint64_t host_cr0, host_cr3, host_cr4;
    uint64_t host_sysenter_esp, host_sysenter_eip, host_ia32_pat, host_ia32_efer;
    uint16_t host_es_selector, host_cs_selector, host_ss_selector, host_ds_selector, host_fs_selector;
    uint16_t host_gs_selector, host_tr_selector;
    uint64_t host_fs_base, host_gs_base, host_tr_base, host_gdtr_base, host_idtr_base;
    uint64_t host_rip;

    /* guest-state area */
    uint64_t guest_cr0, guest_cr3, guest_cr4, guest_dr7, guest_ia32_debugctl;
    uint64_t guest_sysenter_esp, guest_sysenter_eip, guest_ia32_pat, guest_ia32_efer;
    struct vmx_segment guest_es, guest_cs, guest_ss, guest_ds, guest_fs, guest_gs, guest_ldtr, guest_tr;
    struct vmx_table_register guest_gdtr, guest_idtr;
    uint64_t guest_rip, guest_rflags;
    uint32_t guest_activity_state, guest_interruptibility_state;
    uint64_t guest_pending_debug_exceptions, vmcs_link_pointer;
    uint64_t guest_pdpte[4];
};

#define ENTRY_STATE_FIELD(encoding, member)                                                                            \
    {                                                                                                                  \
        encoding, offsetof(struct vmx_entry_state, member), sizeof(((struct vmx_entry_state *)0)->member)              \
    }
static const struct {
    uint32_t encoding;
    size_t offset, size;
} entry_state_fields[] = {
    ENTRY_STATE_FIELD(VMCS_VPID, vpid),
    ENTRY_STATE_FIELD(VMCS_POSTED_VECTOR, posted_interrupt_notification_vector),
    ENTRY_STATE_FIELD(VMCS_IO_BITMAP_A, io_bitmap_a_address),
    ENTRY_STATE_FIELD(VMCS_IO_BITMAP_B, io_bitmap_b_address),
    ENTRY_STATE_FIELD(VMCS_MSR_BITMAP, msr_bitmap_address),
    ENTRY_STATE_FIELD(VMCS_EXIT_MSR_STORE, exit_msr_store_address),
    ENTRY_STATE_FIELD(VMCS_EXIT_MSR_LOAD, exit_msr_load_address),
    ENTRY_STATE_FIELD(VMCS_ENTRY_MSR_LOAD, entry_msr_load_address),
    ENTRY_STATE_FIELD(VMCS_PML, pml_address),
    ENTRY_STATE_FIELD(VMCS_VIRTUAL_APIC, virtual_apic_address),
    ENTRY_STATE_FIELD(VMCS_APIC_ACCESS, apic_access_address),
    ENTRY_STATE_FIELD(VMCS_POSTED_DESCRIPTOR, posted_interrupt_descriptor_address),
    ENTRY_STATE_FIELD(VMCS_EPT_POINTER, eptp),
    ENTRY_STATE_FIELD(VMCS_EXCEPTION_INFORMATION, virtualization_exception_address),
    ENTRY_STATE_FIELD(VMCS_LINK_POINTER, vmcs_link_pointer),
    ENTRY_STATE_FIELD(VMCS_GUEST_DEBUGCTL, guest_ia32_debugctl),
    ENTRY_STATE_FIELD(VMCS_GUEST_PAT, guest_ia32_pat),
    ENTRY_STATE_FIELD(VMCS_GUEST_EFER, guest_ia32_efer),
    ENTRY_STATE_FIELD(VMCS_GUEST_PDPTE0, guest_pdpte[0]),
    ENTRY_STATE_FIELD(VMCS_GUEST_PDPTE0 + 2, guest_pdpte[1]),
    ENTRY_STATE_FIELD(VMCS_GUEST_PDPTE0 + 4, guest_pdpte[2]),
    ENTRY_STATE_FIELD(VMCS_GUEST_PDPTE0 + 6, guest_pdpte[3]),
    ENTRY_STATE_FIELD(VMCS_HOST_PAT, host_ia32_pat),
    ENTRY_STATE_FIELD(VMCS_HOST_EFER, host_ia32_efer),
    ENTRY_STATE_FIELD(VMCS_PIN_CONTROLS, pin_based_controls),
    ENTRY_STATE_FIELD(VMCS_PROCESSOR_CONTROLS, primary_controls),
    ENTRY_STATE_FIELD(VMCS_CR3_TARGET_COUNT, cr3_target_count),
    ENTRY_STATE_FIELD(VMCS_EXIT_CONTROLS, exit_controls),
    ENTRY_STATE_FIELD(VMCS_EXIT_MSR_STORE_COUNT, exit_msr_store_count),
    ENTRY_STATE_FIELD(VMCS_EXIT_MSR_LOAD_COUNT, exit_msr_load_count),
    ENTRY_STATE_FIELD(VMCS_ENTRY_CONTROLS, entry_controls),
    ENTRY_STATE_FIELD(VMCS_ENTRY_MSR_LOAD_COUNT, entry_msr_load_count),
    ENTRY_STATE_FIELD(VMCS_ENTRY_INTERRUPTION, entry_interruption_information),
    ENTRY_STATE_FIELD(VMCS_ENTRY_EXCEPTION_ERROR, entry_exception_error_code),
    ENTRY_STATE_FIELD(VMCS_ENTRY_LENGTH, entry_instruction_length),
    ENTRY_STATE_FIELD(VMCS_TPR_THRESHOLD, tpr_threshold),
    ENTRY_STATE_FIELD(VMCS_SECONDARY_CONTROLS, secondary_controls),
    ENTRY_STATE_FIELD(VMCS_GUEST_GDTR_LIMIT, guest_gdtr.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_IDTR_LIMIT, guest_idtr.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_INTERRUPTIBILITY, guest_interruptibility_state),
    ENTRY_STATE_FIELD(VMCS_GUEST_ACTIVITY, guest_activity_state),
    ENTRY_STATE_FIELD(VMCS_GUEST_CR0, guest_cr0),
    ENTRY_STATE_FIELD(VMCS_GUEST_CR3, guest_cr3),
    ENTRY_STATE_FIELD(VMCS_GUEST_CR4, guest_cr4),
    ENTRY_STATE_FIELD(VMCS_GUEST_GDTR_BASE, guest_gdtr.base),
    ENTRY_STATE_FIELD(VMCS_GUEST_IDTR_BASE, guest_idtr.base),
    ENTRY_STATE_FIELD(VMCS_GUEST_DR7, guest_dr7),
    ENTRY_STATE_FIELD(VMCS_GUEST_RIP, guest_rip),
    ENTRY_STATE_FIELD(VMCS_GUEST_RFLAGS, guest_rflags),
    ENTRY_STATE_FIELD(VMCS_GUEST_PENDING_DEBUG, guest_pending_debug_exceptions),
    ENTRY_STATE_FIELD(VMCS_GUEST_SYSENTER_ESP, guest_sysenter_esp),
    ENTRY_STATE_FIELD(VMCS_GUEST_SYSENTER_EIP, guest_sysenter_eip),
    ENTRY_STATE_FIELD(VMCS_HOST_CR0, host_cr0),
    ENTRY_STATE_FIELD(VMCS_HOST_CR3, host_cr3),
    ENTRY_STATE_FIELD(VMCS_HOST_CR4, host_cr4),
    ENTRY_STATE_FIELD(VMCS_HOST_FS_BASE, host_fs_base),
    ENTRY_STATE_FIELD(VMCS_HOST_GS_BASE, host_gs_base),
    ENTRY_STATE_FIELD(VMCS_HOST_TR_BASE, host_tr_base),
    ENTRY_STATE_FIELD(VMCS_HOST_GDTR_BASE, host_gdtr_base),
    ENTRY_STATE_FIELD(VMCS_HOST_IDTR_BASE, host_idtr_base),
    ENTRY_STATE_FIELD(VMCS_HOST_SYSENTER_ESP, host_sysenter_esp),
    ENTRY_STATE_FIELD(VMCS_HOST_SYSENTER_EIP, host_sysenter_eip),
    ENTRY_STATE_FIELD(VMCS_HOST_RIP, host_rip),
    ENTRY_STATE_FIELD(VMCS_HOST_ES_SELECTOR + 0, host_es_selector),
    ENTRY_STATE_FIELD(VMCS_HOST_ES_SELECTOR + 2, host_cs_selector),
    ENTRY_STATE_FIELD(VMCS_HOST_ES_SELECTOR + 4, host_ss_selector),
    ENTRY_STATE_FIELD(VMCS_HOST_ES_SELECTOR + 6, host_ds_selector),
    ENTRY_STATE_FIELD(VMCS_HOST_ES_SELECTOR + 8, host_fs_selector),
    ENTRY_STATE_FIELD(VMCS_HOST_ES_SELECTOR + 10, host_gs_selector),
    ENTRY_STATE_FIELD(VMCS_HOST_TR_SELECTOR, host_tr_selector),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_SELECTOR + 0, guest_es.selector),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_LIMIT + 0, guest_es.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_RIGHTS + 0, guest_es.access_rights),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_BASE + 0, guest_es.base),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_SELECTOR + 2, guest_cs.selector),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_LIMIT + 2, guest_cs.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_RIGHTS + 2, guest_cs.access_rights),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_BASE + 2, guest_cs.base),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_SELECTOR + 4, guest_ss.selector),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_LIMIT + 4, guest_ss.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_RIGHTS + 4, guest_ss.access_rights),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_BASE + 4, guest_ss.base),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_SELECTOR + 6, guest_ds.selector),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_LIMIT + 6, guest_ds.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_RIGHTS + 6, guest_ds.access_rights),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_BASE + 6, guest_ds.base),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_SELECTOR + 8, guest_fs.selector),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_LIMIT + 8, guest_fs.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_RIGHTS + 8, guest_fs.access_rights),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_BASE + 8, guest_fs.base),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_SELECTOR + 10, guest_gs.selector),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_LIMIT + 10, guest_gs.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_RIGHTS + 10, guest_gs.access_rights),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_BASE + 10, guest_gs.base),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_SELECTOR + 12, guest_ldtr.selector),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_LIMIT + 12, guest_ldtr.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_RIGHTS + 12, guest_ldtr.access_rights),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_BASE + 12, guest_ldtr.base),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_SELECTOR + 14, guest_tr.selector),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_LIMIT + 14, guest_tr.limit),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_RIGHTS + 14, guest_tr.access_rights),
    ENTRY_STATE_FIELD(VMCS_GUEST_ES_BASE + 14, guest_tr.base),
};

static const struct vmx_entry_state *entry_state; /* the one under check */

/* A field that is not here is one that no rule may ask for. */
static uint64_t entry_state_read(uint32_t encoding)
{
    for (size_t i = 0; i < array_size(entry_state_fields); i++) {
        uint64_t value = 0;
        if (entry_state_fields[i].encoding != encoding)
            continue;
        memcpy(&value, (const char *)entry_state + entry_state_fields[i].offset, entry_state_fields[i].size);
        return value;
    }
    __builtin_trap();
}

/* The sentence, good until the next call, or NULL. */
static const char *entry_state_check(const struct vmx_entry_state *s)
{
    static char sentence[VMX_ENTRY_SENTENCE_SIZE];
    const struct vmx_capability cpu = {
        .basic = s->ia32_vmx_basic,
        .misc = s->ia32_vmx_misc,
        .ept_vpid = s->ia32_vmx_ept_vpid_cap,
        .cr0_fixed0 = s->ia32_vmx_cr0_fixed0,
        .cr0_fixed1 = s->ia32_vmx_cr0_fixed1,
        .cr4_fixed0 = s->ia32_vmx_cr4_fixed0,
        .cr4_fixed1 = s->ia32_vmx_cr4_fixed1,
        .pin = s->allowed_pin_based,
        .processor = s->allowed_primary,
        .secondary = s->allowed_secondary,
        .exit = s->allowed_exit,
        .entry = s->allowed_entry,
        .physical_bits = s->physical_address_width,
        .linear_bits = s->linear_address_width == 57 ? 57 : 48,
    };
    entry_state = s;
    return vmx_entry_check(&cpu, entry_state_read, sentence);
}
