/* The rules of VM entry in the manual's order: the groups, what many rules ask, and the sentence. */
#include "arch/x86_64/vmx/entry_check_rules.h"

#include "core/sink.h"

static const struct {
    const char *about;
    entry_check_group *broken;
} groups[] = {
    {"", entry_check_settings},
    {"", entry_check_addresses},
    {"", entry_check_needs},
    {"EPTP: ", entry_check_eptp},
    {"VM-", entry_check_msr_areas},
    {"injected event: ", entry_check_event},
    {"VM-entry ", entry_check_software_event},
    {"host ", entry_check_host},
    {"host ", entry_check_host_segments},
    {"guest ", entry_check_guest},
    {"IA-32e mode guest needs guest ", entry_check_long_mode},
    {"guest ", entry_check_selectors},
    {"guest ", entry_check_v86},
    {"guest ", entry_check_bases},
    {"guest ", entry_check_rights},
    {"guest ", entry_check_privilege},
    {"guest ", entry_check_rip_and_tables},
    {"guest RFLAGS: ", entry_check_flags},
    {"guest activity state ", entry_check_activity},
    {"guest interruptibility state: ", entry_check_blocking},
    {"guest pending debug exceptions: ", entry_check_pending_debug},
    {"", entry_check_link_and_pdptes},
};

bool entry_check_in_width(const struct entry_check *c, uint64_t address)
{
    return c->cpu->physical_bits >= 64 || address >> c->cpu->physical_bits == 0;
}

bool entry_check_good_address(const struct entry_check *c, uint32_t field, uint64_t alignment)
{
    uint64_t address = c->read(field);
    bool narrow = (c->cpu->basic & BIT(48)) != 0;
    return (address & (alignment - 1)) == 0 && entry_check_in_width(c, address) && (!narrow || address <= UINT32_MAX);
}

bool entry_check_canonical(const struct entry_check *c, uint32_t field)
{
    uint64_t high = UINT64_MAX << (c->cpu->linear_bits - 1), address = c->read(field);
    return (address & high) == 0 || (address & high) == high;
}

bool entry_check_fits(uint64_t value, uint64_t ones, uint64_t allowed)
{
    return (value & ones) == ones && (value & ~allowed) == 0;
}

bool entry_check_injects(const struct entry_check *c, unsigned type)
{
    return c->event != 0 && INTERRUPTION_TYPE(c->event) == type;
}

unsigned entry_check_dpl(const struct entry_check *c, enum vmcs_segment segment)
{
    return c->read(VMCS_GUEST_ES_RIGHTS + 2 * segment) >> 5 & 3;
}

const char *vmx_entry_check(const struct vmx_capability *cpu, uint64_t (*read)(uint32_t field),
                            char sentence[VMX_ENTRY_SENTENCE_SIZE])
{
    uint64_t event = read(VMCS_ENTRY_INTERRUPTION);
    bool activated = (read(VMCS_PROCESSOR_CONTROLS) & PROCESSOR_SECONDARY) != 0;
    struct entry_check c = {
        .read = read,
        .cpu = cpu,
        .secondary = activated ? (uint32_t)read(VMCS_SECONDARY_CONTROLS) : 0,
        .event = event & INTERRUPTION_VALID ? (uint32_t)event : 0,
        .ia32e = read(VMCS_ENTRY_CONTROLS) & ENTRY_CONTROL_IA32E,
        .v86 = read(VMCS_GUEST_RFLAGS) & RFLAGS_VM,
        .protected_mode = read(VMCS_GUEST_CR0) & CR0_PE,
    };
    c.unrestricted = c.secondary & SECONDARY_UNRESTRICTED_GUEST;
    for (size_t i = 0; i < array_size(groups); i++) {
        c.subject = c.aspect = "";
        const char *rule = groups[i].broken(&c);
        if (rule == NULL)
            continue;
        text_print(sentence, VMX_ENTRY_SENTENCE_SIZE, "%s%s%s%s", groups[i].about, c.subject, c.aspect, rule);
        return sentence;
    }
    return NULL;
}
