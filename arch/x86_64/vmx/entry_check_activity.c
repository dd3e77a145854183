/*
 * "Checks on Guest Descriptor-Table Registers", "Checks on Guest RIP, RFLAGS, and SSP", "Checks on Guest Non-Register
 * State" and "Checks on Guest Page-Directory-Pointer-Table Entries"
 */
#include "arch/x86_64/vmx/entry_check_rules.h"

enum activity { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_SIPI };
#define BLOCKING_STI    BIT(0)
#define BLOCKING_MOV_SS BIT(1)
#define BLOCKING_SMI    BIT(2)
#define BLOCKING_NMI    BIT(3)
#define PENDING_ENABLED BIT(12)
#define PENDING_BS      BIT(14)
#define PENDING_RTM     BIT(16)
#define DEBUGCTL_BTF    BIT(1)

static bool check_table(struct entry_check *c, const char *name, const struct vmx_table_register *table)
{
    c->subject = name;
    RULE(entry_check_is_canonical(c->s, table->base), " base is not canonical");
    RULE(table->limit <= 0xffff, " limit: bits 31:16 must be 0");
    return true;
}

bool entry_check_tables_and_flags(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    bool long_code = ia32e(s) && (s->guest_cs.access_rights & AR_L);
    uint64_t reserved = ~(uint64_t)0x3fffff | BIT(15) | BIT(5) | BIT(3);

    entry_check_about(c, "guest ");
    RULES(check_table(c, "GDTR", &s->guest_gdtr));
    RULES(check_table(c, "IDTR", &s->guest_idtr));
    c->subject = "RIP";
    if (long_code)
        RULE(entry_check_is_canonical(s, s->guest_rip), " is not canonical");
    else
        RULE(s->guest_rip <= UINT32_MAX, ": bits 63:32 must be 0 outside 64-bit mode");
    c->subject = "RFLAGS: ";
    RULE((s->guest_rflags & reserved) == 0, "a reserved bit is set");
    RULE(s->guest_rflags & BIT(1), "bit 1 must be 1");
    RULE(!v86(s) || (!ia32e(s) && protected_mode(s)), "VM needs CR0.PE and no IA-32e mode");
    RULE(!injects_type(s, EVENT_EXTERNAL) || (s->guest_rflags & FLAG_IF),
         "IF must be 1 to inject an external interrupt");
    return true;
}

/* Whether an event may be injected into a CPU that waits. */
static bool wakes(const struct vmx_entry_state *s)
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

static bool check_activity_state(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    uint32_t activity = s->guest_activity_state;
    entry_check_about(c, "guest activity state ");
    RULE(activity <= ACTIVITY_WAIT_SIPI, "must be 0 to 3");
    if (activity != ACTIVITY_ACTIVE) {
        RULE(s->ia32_vmx_misc >> (5 + activity) & 1, "is none that IA32_VMX_MISC offers");
        RULE(activity != ACTIVITY_HLT || dpl_of(&s->guest_ss) == 0, "HLT needs DPL 0 in SS");
        RULE(!(s->guest_interruptibility_state & (BLOCKING_STI | BLOCKING_MOV_SS)),
             "must be active while STI or MOV SS block");
    }
    RULE(!injects(s) || wakes(s), "does not allow the injected event");
    return true;
}

static bool check_interruptibility(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    uint32_t blocking = s->guest_interruptibility_state;
    uint32_t shadows = blocking & (uint32_t)(BLOCKING_STI | BLOCKING_MOV_SS);
    bool virtual_nmis = (s->pin_based_controls & PIN_VIRTUAL_NMIS) != 0;
    entry_check_about(c, "guest interruptibility state: ");
    RULE(blocking <= 15, "bits 31:4 must be 0");
    RULE(shadows != (BLOCKING_STI | BLOCKING_MOV_SS), "STI and MOV SS exclude each other");
    RULE(!(blocking & BLOCKING_STI) || (s->guest_rflags & FLAG_IF), "blocking by STI needs RFLAGS.IF");
    RULE(!injects_type(s, EVENT_EXTERNAL) || shadows == 0,
         "an external interrupt cannot be injected while STI or MOV SS block");
    if (injects_type(s, EVENT_NMI)) {
        RULE(!(blocking & BLOCKING_MOV_SS), "an NMI cannot be injected while MOV SS blocks");
        RULE(!(blocking & BLOCKING_STI), "some CPUs do not inject an NMI while STI blocks");
        RULE(!virtual_nmis || !(blocking & BLOCKING_NMI), "an NMI cannot be injected while NMIs are blocked");
    }
    RULE(!(blocking & BLOCKING_SMI), "blocking by SMI must be 0 outside SMM");
    return true;
}

static bool check_pending_debug(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    uint64_t pending = s->guest_pending_debug_exceptions;
    bool shadow = (s->guest_interruptibility_state & (BLOCKING_STI | BLOCKING_MOV_SS)) != 0 ||
                  s->guest_activity_state == ACTIVITY_HLT;
    bool stepping = (s->guest_rflags & FLAG_TF) && !(s->guest_ia32_debugctl & DEBUGCTL_BTF);
    uint64_t legal = 0xf | PENDING_ENABLED | PENDING_BS | PENDING_RTM;

    entry_check_about(c, "guest pending debug exceptions: ");
    RULE((pending & ~legal) == 0, "a reserved bit is set");
    RULE(!shadow || !stepping || (pending & PENDING_BS),
         "BS must be 1 while TF is 1 and STI, MOV SS or HLT hold it back");
    RULE(!shadow || stepping || !(pending & PENDING_BS),
         "BS must be 0 while TF is 0 or BTF is 1 and STI, MOV SS or HLT hold it back");
    if (pending & PENDING_RTM) {
        RULE(pending == (PENDING_RTM | PENDING_ENABLED), "RTM goes with bit 12 and nothing else");
        RULE(!(s->guest_interruptibility_state & BLOCKING_MOV_SS), "RTM must be 0 while MOV SS blocks");
    }
    return true;
}

static bool check_link_and_pdptes(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    bool pae = (s->guest_cr0 & CR0_PG) && (s->guest_cr4 & CR4_PAE) && !ia32e(s);
    entry_check_about(c, "");
    RULE(s->vmcs_link_pointer == UINT64_MAX || entry_check_good_address(s, s->vmcs_link_pointer, PAGE_SIZE),
         "VMCS link pointer must be all ones, or 4 KiB-aligned and not too wide");
    for (unsigned i = 0; pae && (entry_check_secondary(s) & SECONDARY_EPT) && i < array_size(s->guest_pdpte); i++) {
        uint64_t entry = s->guest_pdpte[i];
        RULE(!(entry & 1) || ((entry & 0x1e6) == 0 && entry_check_in_width(s, entry)),
             "guest PDPTE: a reserved bit is set");
    }
    return true;
}

bool entry_check_activity(struct entry_check *c)
{
    RULES(check_activity_state(c));
    RULES(check_interruptibility(c));
    RULES(check_pending_debug(c));
    return check_link_and_pdptes(c);
}
