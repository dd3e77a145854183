/*
 * Says which rule of the manual a guest breaks when VM entry fails, because the CPU itself only says "7" or "33".
 * Pure: the backend reads the VMCS and the capability MSRs into the struct, this decides.
 *
 * SDM vol. 3, chapter "VM Entries": "Checks on VMX Controls and Host-State Area" and "Checking and Loading Guest
 * State". Not covered, since the hypervisor never turns them on: SMM and dual-monitor treatment, VMCS shadowing, VM
 * functions, sub-page permissions, Intel PT, CET, PKRS, bound configuration, SGX, tertiary controls. Nor is what
 * lies in memory: the virtual APIC's TPR, the MSR areas' entries, the revision of a linked VMCS.
 */
#pragma once

#include "core/types.h"

/* A capability MSR of 32-bit controls: low half "allowed 0-settings", high half "allowed 1-settings". */
struct vmx_allowed {
    uint32_t zero_settings; /* bits that must be 1 */
    uint32_t one_settings;  /* bits that may be 1 */
};

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

enum { VMX_ENTRY_SENTENCE_SIZE = 128 }; /* bytes, more than any sentence has */

/*
 * NULL when every rule holds; otherwise `sentence`, which then holds that of the first one that is broken, controls
 * first, guest last. One line without a line feed.
 */
const char *must_check vmx_entry_check(const struct vmx_entry_state *state, char sentence[VMX_ENTRY_SENTENCE_SIZE]);
