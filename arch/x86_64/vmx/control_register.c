/*
 * Writes to CR0 and CR4 that change a bit the guest does not own: SDM vol. 3, "Guest/Host Masks and Read Shadows for
 * CR0 and CR4". The guest sees the value it wrote; the CPU gets the value VT-x demands.
 */
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/vmx/vmx.h"
#include "core/partition.h"

/* What a guest may set in CR4 and then owns. Everything else is refused, hidden in CPUID, or kept by the host. */
#define CR4_GUEST_OWNS                                                                                                 \
    (0x3ull | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP |      \
     CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_PKE)
/* Accepted and shown, kept set in the CPU whatever the guest writes. */
#define CR4_SHOWN CR4_MCE

/* "Exit Qualification for Control-Register Accesses" */
enum { MOV_TO, MOV_FROM, CLTS, LMSW };

/* Reserved bits of a PAE page-directory-pointer-table entry that must be 0 when it is present. */
#define PDPTE_RESERVED 0xfff00000000001e6ull

/* What VT-x demands of CR0 but for unrestricted guests' PE and PG. */
static uint64_t cr0_fixed(void) { return vmx_capability.cr0_fixed0 & ~(CR0_PE | CR0_PG); }
static uint64_t cr4_owned(void) { return CR4_GUEST_OWNS & vmx_capability.cr4_fixed1; }

/* Both take what the guest shall see; legal already. */
static void cr0_set(uint64_t value)
{
    vmcs_write(VMCS_GUEST_CR0, ((value & ~(CR0_CD | CR0_NW)) | cr0_fixed()) & vmx_capability.cr0_fixed1);
    vmcs_write(VMCS_CR0_SHADOW, value);
}
static void cr4_set(uint64_t value)
{
    vmcs_write(VMCS_GUEST_CR4, (value | CR4_MCE | vmx_capability.cr4_fixed0) & vmx_capability.cr4_fixed1);
    vmcs_write(VMCS_CR4_SHADOW, value);
}

void vmx_control_registers_reset(uint64_t cr0)
{
    /* CD and NW would slow the whole core down, the hypervisor included; the fixed bits are VT-x's own demand. */
    vmcs_write(VMCS_CR0_MASK, CR0_CD | CR0_NW | cr0_fixed() | ~vmx_capability.cr0_fixed1);
    vmcs_write(VMCS_CR4_MASK, ~cr4_owned());
    cr0_set(cr0);
    cr4_set(0);
}

/* "Loading of the page-directory-pointer-table entries": under EPT a CR0 or CR4 write done here must do it too. */
static bool pdptes_load(const struct vcpu *vcpu)
{
    uint64_t entries[4];
    if (!partition_read(vcpu->partition, gpa(vmcs_read(VMCS_GUEST_CR3) & 0xffffffe0), entries, sizeof entries))
        return false;
    for (unsigned i = 0; i < 4; i++)
        if ((entries[i] & 1) && (entries[i] & PDPTE_RESERVED))
            return false;
    for (unsigned i = 0; i < 4; i++)
        vmcs_write(VMCS_GUEST_PDPTE0 + 2 * i, entries[i]);
    return true;
}

static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

static void long_mode_set(uint64_t efer, bool on)
{
    uint64_t controls = vmcs_read(VMCS_ENTRY_CONTROLS);
    vmcs_write(VMCS_GUEST_EFER, on ? efer | EFER_LMA : efer & ~EFER_LMA);
    vmcs_write(VMCS_ENTRY_CONTROLS, on ? controls | ENTRY_CONTROL_IA32E : controls & ~(uint64_t)ENTRY_CONTROL_IA32E);
}

/* SDM vol. 2, "MOV - Move to/from Control Registers", protected mode exceptions. */
static bool cr0_write_guest(struct vcpu *vcpu, const struct vcpu_state_view *now, uint64_t value)
{
    value = (value & (0xffffffffull & vmx_capability.cr0_fixed1)) | CR0_ET;
    bool paging_on = (value & CR0_PG) && !(now->cr0 & CR0_PG);
    bool paging_off = !(value & CR0_PG) && (now->cr0 & CR0_PG);

    if (((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
        return false;
    if (paging_on && (now->efer & EFER_LME) && (!(now->cr4 & CR4_PAE) || now->cs_long))
        return false;
    if (paging_off && ((now->cr4 & CR4_PCIDE) || now->cs_long))
        return false;
    if (pae_paging(value, now->cr4, now->efer) && ((value ^ now->cr0) & (CR0_PG | CR0_CD | CR0_NW)) &&
        !pdptes_load(vcpu))
        return false;
    if ((now->efer & EFER_LME) && (paging_on || paging_off))
        long_mode_set(now->efer, paging_on);
    cr0_set(value);
    return true;
}

static bool cr4_write_guest(struct vcpu *vcpu, const struct vcpu_state_view *now, uint64_t value)
{
    bool long_mode = now->efer & EFER_LMA;
    if (value & ~(cr4_owned() | CR4_SHOWN))
        return false;
    if (long_mode && !(value & CR4_PAE))
        return false;
    if ((value & ~now->cr4 & CR4_PCIDE) && (!long_mode || (now->cr3 & 0xfff) != 0))
        return false;
    if (pae_paging(now->cr0, value, now->efer) && ((value ^ now->cr4) & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP)) &&
        !pdptes_load(vcpu))
        return false;
    cr4_set(value);
    return true;
}

/* Carries out what exited, but for CR8. False: #GP. */
static bool carry_out(struct vcpu *vcpu, const struct exit *exit, unsigned access)
{
    struct vcpu_state_view now;
    vmx_vcpu_view(vcpu, &now); /* the guest's RSP among the general registers too */
    uint64_t value = now.cs_long ? vcpu->gpr[exit->gpr] : (uint32_t)vcpu->gpr[exit->gpr];
    if (access == CLTS)
        return cr0_write_guest(vcpu, &now, now.cr0 & ~CR0_TS);
    if (access == LMSW) /* sets PE, never clears it */
        return cr0_write_guest(vcpu, &now, (now.cr0 & ~0xeull) | ((exit->raw_detail >> 16) & 15));
    if (access != MOV_TO || (value >> 32) != 0)
        return false; /* both registers: the upper half is reserved */
    if (exit->address == 0)
        return cr0_write_guest(vcpu, &now, value);
    return exit->address == 4 && cr4_write_guest(vcpu, &now, value); /* nothing else was asked to exit */
}

bool vmx_control_register_exit(struct vcpu *vcpu, struct exit *exit)
{
    uint64_t q = vmcs_read(VMCS_EXIT_QUALIFICATION);
    unsigned access = (q >> 4) & 3;
    exit->raw_detail = q;
    exit->address = q & 15;
    exit->write = access == MOV_TO;
    exit->gpr = (q >> 8) & 15;
    if (exit->address == 8) {
        vcpu->gpr[GPR_RSP] = vmcs_read(VMCS_GUEST_RSP);
        return true;
    }
    vcpu->stats.exits[EXIT_CONTROL_REGISTER]++;
    if (carry_out(vcpu, exit, access))
        vmx_backend_advance(vcpu, exit);
    else
        vmx_inject(VECTOR_GP, INTERRUPTION_HARDWARE, true, 0);
    return false;
}
