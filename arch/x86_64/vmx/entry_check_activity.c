/*
 * "Checks on Guest Descriptor-Table Registers", "Checks on Guest RIP, RFLAGS, and SSP", "Checks on Guest Non-Register
 * State" and "Checks on Guest Page-Directory-Pointer-Table Entries"
 */
#include "arch/x86_64/vmx/entry_check_rules.h"

#define RFLAGS_RESERVED (~(uint64_t)0x3fffff | BIT(15) | BIT(5) | BIT(3))
#define PENDING_ENABLED BIT(12)
#define PENDING_BS      BIT(14)
#define PENDING_RTM     BIT(16)
#define DEBUGCTL_BTF    BIT(1)

const char *entry_check_rip_and_tables(struct entry_check *c)
{
    RULE(entry_check_canonical(c, VMCS_GUEST_GDTR_BASE), "GDTR base is not canonical");
    RULE(c->read(VMCS_GUEST_GDTR_LIMIT) <= 0xffff, "GDTR limit: bits 31:16 must be 0");
    RULE(entry_check_canonical(c, VMCS_GUEST_IDTR_BASE), "IDTR base is not canonical");
    RULE(c->read(VMCS_GUEST_IDTR_LIMIT) <= 0xffff, "IDTR limit: bits 31:16 must be 0");
    if (c->ia32e && (c->read(VMCS_GUEST_CS_RIGHTS) & RIGHTS_LONG))
        RULE(entry_check_canonical(c, VMCS_GUEST_RIP), "RIP is not canonical");
    else
        RULE(c->read(VMCS_GUEST_RIP) <= UINT32_MAX, "RIP: bits 63:32 must be 0 outside 64-bit mode");
    return NULL;
}

const char *entry_check_flags(struct entry_check *c)
{
    uint64_t flags = c->read(VMCS_GUEST_RFLAGS);
    RULE((flags & RFLAGS_RESERVED) == 0, "a reserved bit is set");
    RULE(flags & RFLAGS_FIXED, "bit 1 must be 1");
    RULE(!(flags & RFLAGS_VM) || (!c->ia32e && c->protected_mode), "VM needs CR0.PE and no IA-32e mode");
    RULE((flags & RFLAGS_IF) || !entry_check_injects(c, INTERRUPTION_EXTERNAL),
         "IF must be 1 to inject an external interrupt");
    return NULL;
}

/* Whether an event may be injected into a CPU that waits. */
static bool wakes(uint32_t event, uint64_t activity)
{
    unsigned type = INTERRUPTION_TYPE(event), vector = INTERRUPTION_VECTOR(event);
    bool debug = type == INTERRUPTION_HARDWARE && vector == 1;
    bool always = type == INTERRUPTION_NMI || (type == INTERRUPTION_HARDWARE && vector == 18); /* a machine check */
    switch (activity) {
    case ACTIVITY_HLT:
        return always || debug || type == INTERRUPTION_EXTERNAL || type == INTERRUPTION_OTHER;
    case ACTIVITY_SHUTDOWN:
        return always;
    default:
        return activity == ACTIVITY_ACTIVE;
    }
}

const char *entry_check_activity(struct entry_check *c)
{
    uint64_t activity = c->read(VMCS_GUEST_ACTIVITY);
    RULE(activity <= ACTIVITY_WAIT_SIPI, "must be 0 to 3");
    if (activity != ACTIVITY_ACTIVE) {
        RULE(c->cpu->misc >> (5 + activity) & 1, "is none that IA32_VMX_MISC offers");
        RULE(activity != ACTIVITY_HLT || entry_check_dpl(c, SEGMENT_SS) == 0, "HLT needs DPL 0 in SS");
        RULE(!(c->read(VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPTIBILITY_SHADOW),
             "must be active while STI or MOV SS block");
    }
    RULE(c->event == 0 || wakes(c->event, activity), "does not allow the injected event");
    return NULL;
}

const char *entry_check_blocking(struct entry_check *c)
{
    uint64_t blocking = c->read(VMCS_GUEST_INTERRUPTIBILITY), shadow = blocking & INTERRUPTIBILITY_SHADOW;
    bool virtual_nmis = (c->read(VMCS_PIN_CONTROLS) & PIN_VIRTUAL_NMIS) != 0;
    RULE(blocking <= 15, "bits 31:4 must be 0");
    RULE(shadow != INTERRUPTIBILITY_SHADOW, "STI and MOV SS exclude each other");
    RULE(!(blocking & INTERRUPTIBILITY_STI) || (c->read(VMCS_GUEST_RFLAGS) & RFLAGS_IF),
         "blocking by STI needs RFLAGS.IF");
    RULE(shadow == 0 || !entry_check_injects(c, INTERRUPTION_EXTERNAL),
         "an external interrupt cannot be injected while STI or MOV SS block");
    if (entry_check_injects(c, INTERRUPTION_NMI)) {
        RULE(!(blocking & INTERRUPTIBILITY_MOV_SS), "an NMI cannot be injected while MOV SS blocks");
        RULE(!(blocking & INTERRUPTIBILITY_STI), "some CPUs do not inject an NMI while STI blocks");
        RULE(!virtual_nmis || !(blocking & INTERRUPTIBILITY_NMI), "an NMI cannot be injected while NMIs are blocked");
    }
    RULE(!(blocking & INTERRUPTIBILITY_SMI), "blocking by SMI must be 0 outside SMM");
    return NULL;
}

const char *entry_check_pending_debug(struct entry_check *c)
{
    uint64_t pending = c->read(VMCS_GUEST_PENDING_DEBUG), blocking = c->read(VMCS_GUEST_INTERRUPTIBILITY);
    bool shadow = (blocking & INTERRUPTIBILITY_SHADOW) != 0 || c->read(VMCS_GUEST_ACTIVITY) == ACTIVITY_HLT;
    bool stepping = (c->read(VMCS_GUEST_RFLAGS) & RFLAGS_TF) && !(c->read(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF);
    RULE((pending & ~(0xf | PENDING_ENABLED | PENDING_BS | PENDING_RTM)) == 0, "a reserved bit is set");
    RULE(!shadow || !stepping || (pending & PENDING_BS),
         "BS must be 1 while TF is 1 and STI, MOV SS or HLT hold it back");
    RULE(!shadow || stepping || !(pending & PENDING_BS),
         "BS must be 0 while TF is 0 or BTF is 1 and STI, MOV SS or HLT hold it back");
    if (pending & PENDING_RTM) {
        RULE(pending == (PENDING_RTM | PENDING_ENABLED), "RTM goes with bit 12 and nothing else");
        RULE(!(blocking & INTERRUPTIBILITY_MOV_SS), "RTM must be 0 while MOV SS blocks");
    }
    return NULL;
}

const char *entry_check_link_and_pdptes(struct entry_check *c)
{
    bool pae = (c->read(VMCS_GUEST_CR0) & CR0_PG) && (c->read(VMCS_GUEST_CR4) & CR4_PAE) && !c->ia32e;
    RULE(c->read(VMCS_LINK_POINTER) == UINT64_MAX || entry_check_good_address(c, VMCS_LINK_POINTER, PAGE_SIZE),
         "VMCS link pointer must be all ones, or 4 KiB-aligned and not too wide");
    if (!pae || !(c->secondary & SECONDARY_EPT))
        return NULL;
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t entry = c->read(VMCS_GUEST_PDPTE0 + 2 * i);
        RULE(!(entry & 1) || ((entry & 0x1e6) == 0 && entry_check_in_width(c, entry)),
             "guest PDPTE: a reserved bit is set");
    }
    return NULL;
}
