/* Control registers and MSRs, the host's and the guest's, and the host's segments. */
#include "arch/x86_64/vmx/entry_check_rules.h"

/* DEBUGCTL: bits 5:3 and above 15 are reserved on every CPU. */
#define DEBUGCTL_RESERVED (BIT(3) | BIT(4) | BIT(5) | ~(uint64_t)0xffff)

#define FIELD(name, text)                                                                                              \
    {                                                                                                                  \
        offsetof(struct vmx_entry_state, name), text                                                                   \
    }

static const struct entry_check_field host_sysenter[] = {
    FIELD(host_sysenter_esp, "IA32_SYSENTER_ESP"),
    FIELD(host_sysenter_eip, "IA32_SYSENTER_EIP"),
};
static const struct entry_check_field host_bases[] = {
    FIELD(host_fs_base, "FS base"),     FIELD(host_gs_base, "GS base"), FIELD(host_gdtr_base, "GDTR base"),
    FIELD(host_idtr_base, "IDTR base"), FIELD(host_tr_base, "TR base"), FIELD(host_rip, "RIP"),
};
static const struct entry_check_field guest_sysenter[] = {
    FIELD(guest_sysenter_esp, "IA32_SYSENTER_ESP"),
    FIELD(guest_sysenter_eip, "IA32_SYSENTER_EIP"),
};

/* "Checks on Host Control Registers, MSRs, and SSP" */
static bool check_host_registers(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    uint64_t lma = s->exit_controls & EXIT_HOST_64 ? EFER_LMA | EFER_LME : 0;
    RULES(entry_check_fixed(c, s->host_cr0, 0, s->host_cr4));
    RULE(entry_check_in_width(s, s->host_cr3), "CR3: a bit beyond the physical-address width is set");
    RULES(entry_check_all_canonical(c, host_sysenter, array_size(host_sysenter)));
    if (s->exit_controls & EXIT_LOAD_PAT)
        RULES(entry_check_pat(c, s->host_ia32_pat));
    if ((s->exit_controls & EXIT_LOAD_EFER) == 0)
        return true;
    RULE((s->host_ia32_efer & ~EFER_BITS) == 0, "IA32_EFER: a reserved bit is set");
    RULE((s->host_ia32_efer & (EFER_LMA | EFER_LME)) == lma,
         "IA32_EFER: LMA and LME must equal host address-space size");
    return true;
}

/* "Checks on Host Segment and Descriptor-Table Registers" and "Checks Related to Address-Space Size" */
static bool check_host_segments(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    uint32_t flags = (uint32_t)s->host_es_selector | s->host_cs_selector | s->host_ss_selector | s->host_ds_selector |
                     s->host_fs_selector | s->host_gs_selector | s->host_tr_selector;
    RULE((flags & 7) == 0, "selectors: RPL and TI (bits 2:0) must be 0");
    RULE(s->host_cs_selector != 0, "CS selector must not be 0");
    RULE(s->host_tr_selector != 0, "TR selector must not be 0");
    RULE(s->exit_controls & EXIT_HOST_64, "address-space size must be 1: the hypervisor runs in 64-bit mode");
    RULE(s->host_cr4 & CR4_PAE, "CR4.PAE must be 1 with host address-space size");
    return entry_check_all_canonical(c, host_bases, array_size(host_bases));
}

bool entry_check_host(struct entry_check *c)
{
    entry_check_about(c, "host ");
    RULES(check_host_registers(c));
    return check_host_segments(c);
}

/* "Checks on Guest Control Registers, Debug Registers, and MSRs" */

static bool check_guest_control_registers(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    bool paging = (s->guest_cr0 & CR0_PG) != 0;
    RULES(entry_check_fixed(c, s->guest_cr0, entry_check_unrestricted(s) ? CR0_PE | CR0_PG : 0, s->guest_cr4));
    RULE(!paging || protected_mode(s), "CR0: PG needs PE");
    RULE(entry_check_in_width(s, s->guest_cr3), "CR3: a bit beyond the physical-address width is set");
    if (!ia32e(s)) {
        RULE(!(s->guest_cr4 & CR4_PCIDE), "CR4.PCIDE needs IA-32e mode guest");
        return true;
    }
    entry_check_about(c, "IA-32e mode guest needs guest ");
    RULE(paging, "CR0.PG");
    RULE(s->guest_cr4 & CR4_PAE, "CR4.PAE");
    return true;
}

static bool check_guest_efer(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    uint64_t efer = s->guest_ia32_efer;
    c->subject = "IA32_EFER: ";
    RULE((efer & ~EFER_BITS) == 0, "a reserved bit is set");
    RULE(((efer & EFER_LMA) != 0) == ia32e(s), "LMA must equal IA-32e mode guest");
    RULE(!(s->guest_cr0 & CR0_PG) || ((efer & EFER_LME) != 0) == ((efer & EFER_LMA) != 0),
         "LME must equal LMA while CR0.PG is 1");
    return true;
}

bool entry_check_guest_registers(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    entry_check_about(c, "guest ");
    RULES(check_guest_control_registers(c));
    entry_check_about(c, "guest ");
    if (s->entry_controls & ENTRY_LOAD_DEBUG) {
        RULE((s->guest_ia32_debugctl & DEBUGCTL_RESERVED) == 0, "IA32_DEBUGCTL: a reserved bit is set");
        RULE(s->guest_dr7 <= UINT32_MAX, "DR7: bits 63:32 must be 0");
    }
    RULES(entry_check_all_canonical(c, guest_sysenter, array_size(guest_sysenter)));
    if (s->entry_controls & ENTRY_LOAD_PAT)
        RULES(entry_check_pat(c, s->guest_ia32_pat));
    return !(s->entry_controls & ENTRY_LOAD_EFER) || check_guest_efer(c);
}
