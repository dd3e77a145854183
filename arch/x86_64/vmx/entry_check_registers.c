/* Control registers and MSRs, the host's and the guest's, and the host's segments. */
#include "arch/x86_64/vmx/entry_check_rules.h"

#define EFER_BITS (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
/* DEBUGCTL: bits 5:3 and above 15 are reserved on every CPU. */
#define DEBUGCTL_RESERVED (BIT(3) | BIT(4) | BIT(5) | ~(uint64_t)0xffff)

/* Where the fields lie that both the host and the guest have, and the controls that load some of them. */
struct registers {
    uint16_t cr0, cr3, cr4, sysenter_esp, sysenter_eip, pat, efer, controls;
    uint32_t load_pat, load_efer;
};

static bool is_pat(uint64_t pat)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t type = pat >> i & 0xff;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

static const char *broken_register(const struct entry_check *c, const struct registers *r, uint64_t cr0_free)
{
    const struct vmx_capability *cpu = c->cpu;
    uint64_t controls = c->read(r->controls);
    RULE(entry_check_fits(c->read(r->cr0), cpu->cr0_fixed0 & ~cr0_free, cpu->cr0_fixed1),
         "CR0: a bit is not as IA32_VMX_CR0_FIXED0 and FIXED1 demand");
    RULE(entry_check_fits(c->read(r->cr4), cpu->cr4_fixed0, cpu->cr4_fixed1),
         "CR4: a bit is not as IA32_VMX_CR4_FIXED0 and FIXED1 demand");
    RULE(entry_check_in_width(c, c->read(r->cr3)), "CR3: a bit beyond the physical-address width is set");
    RULE(entry_check_canonical(c, r->sysenter_esp), "IA32_SYSENTER_ESP is not canonical");
    RULE(entry_check_canonical(c, r->sysenter_eip), "IA32_SYSENTER_EIP is not canonical");
    RULE(!(controls & r->load_pat) || is_pat(c->read(r->pat)), "IA32_PAT: a byte is none of 0, 1, 4, 5, 6, 7");
    RULE(!(controls & r->load_efer) || (c->read(r->efer) & ~EFER_BITS) == 0, "IA32_EFER: a reserved bit is set");
    return NULL;
}

/* "Checks on Host Control Registers, MSRs, and SSP" */
const char *entry_check_host(struct entry_check *c)
{
    static const struct registers host = {
        VMCS_HOST_CR0, VMCS_HOST_CR3,  VMCS_HOST_CR4,      VMCS_HOST_SYSENTER_ESP, VMCS_HOST_SYSENTER_EIP,
        VMCS_HOST_PAT, VMCS_HOST_EFER, VMCS_EXIT_CONTROLS, EXIT_CONTROL_LOAD_PAT,  EXIT_CONTROL_LOAD_EFER};
    uint64_t controls = c->read(VMCS_EXIT_CONTROLS);
    uint64_t lma = controls & EXIT_CONTROL_HOST_64BIT ? EFER_LMA | EFER_LME : 0;
    const char *broken = broken_register(c, &host, 0);
    RULE(broken != NULL || !(controls & EXIT_CONTROL_LOAD_EFER) ||
             (c->read(VMCS_HOST_EFER) & (EFER_LMA | EFER_LME)) == lma,
         "IA32_EFER: LMA and LME must equal host address-space size");
    return broken;
}

/* "Checks on Host Segment and Descriptor-Table Registers" and "Checks Related to Address-Space Size" */
const char *entry_check_host_segments(struct entry_check *c)
{
    static const char bases[][10] = {"FS base", "GS base", "TR base", "GDTR base", "IDTR base"}; /* in their order */
    uint64_t selectors = 0;
    for (uint32_t field = VMCS_HOST_ES_SELECTOR; field <= VMCS_HOST_TR_SELECTOR; field += 2)
        selectors |= c->read(field);
    RULE((selectors & 7) == 0, "selectors: RPL and TI (bits 2:0) must be 0");
    RULE(c->read(VMCS_HOST_CS_SELECTOR) != 0, "CS selector must not be 0");
    RULE(c->read(VMCS_HOST_TR_SELECTOR) != 0, "TR selector must not be 0");
    RULE(c->read(VMCS_EXIT_CONTROLS) & EXIT_CONTROL_HOST_64BIT,
         "address-space size must be 1: the hypervisor runs in 64-bit mode");
    RULE(c->read(VMCS_HOST_CR4) & CR4_PAE, "CR4.PAE must be 1 with host address-space size");
    RULE(entry_check_canonical(c, VMCS_HOST_RIP), "RIP is not canonical");
    for (uint32_t i = 0; i < array_size(bases); i++) {
        c->subject = bases[i];
        RULE(entry_check_canonical(c, VMCS_HOST_FS_BASE + 2 * i), " is not canonical");
    }
    return NULL;
}

static const char *broken_guest_efer(const struct entry_check *c)
{
    uint64_t efer = c->read(VMCS_GUEST_EFER);
    bool lma = (efer & EFER_LMA) != 0;
    RULE(lma == c->ia32e, "IA32_EFER: LMA must equal IA-32e mode guest");
    RULE(!(c->read(VMCS_GUEST_CR0) & CR0_PG) || ((efer & EFER_LME) != 0) == lma,
         "IA32_EFER: LME must equal LMA while CR0.PG is 1");
    return NULL;
}

/* "Checks on Guest Control Registers, Debug Registers, and MSRs" */
const char *entry_check_guest(struct entry_check *c)
{
    static const struct registers guest = {
        VMCS_GUEST_CR0, VMCS_GUEST_CR3,  VMCS_GUEST_CR4,      VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_EIP,
        VMCS_GUEST_PAT, VMCS_GUEST_EFER, VMCS_ENTRY_CONTROLS, ENTRY_CONTROL_LOAD_PAT,  ENTRY_CONTROL_LOAD_EFER};
    uint64_t controls = c->read(VMCS_ENTRY_CONTROLS);
    const char *broken = broken_register(c, &guest, c->unrestricted ? CR0_PE | CR0_PG : 0);
    if (broken != NULL)
        return broken;
    RULE(!(c->read(VMCS_GUEST_CR0) & CR0_PG) || c->protected_mode, "CR0: PG needs PE");
    RULE(c->ia32e || !(c->read(VMCS_GUEST_CR4) & CR4_PCIDE), "CR4.PCIDE needs IA-32e mode guest");
    if (controls & ENTRY_CONTROL_LOAD_DEBUG) {
        RULE((c->read(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_RESERVED) == 0, "IA32_DEBUGCTL: a reserved bit is set");
        RULE(c->read(VMCS_GUEST_DR7) <= UINT32_MAX, "DR7: bits 63:32 must be 0");
    }
    return controls & ENTRY_CONTROL_LOAD_EFER ? broken_guest_efer(c) : NULL;
}

const char *entry_check_long_mode(struct entry_check *c)
{
    RULE(!c->ia32e || (c->read(VMCS_GUEST_CR0) & CR0_PG), "CR0.PG");
    RULE(!c->ia32e || (c->read(VMCS_GUEST_CR4) & CR4_PAE), "CR4.PAE");
    return NULL;
}
