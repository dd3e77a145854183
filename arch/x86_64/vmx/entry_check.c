/* The rules of VM entry in the manual's order: the groups, the rules that many fields have, and the sentence. */
#include "arch/x86_64/vmx/entry_check_rules.h"

#include "core/bytes.h"
#include "core/sink.h"

uint32_t entry_check_secondary(const struct vmx_entry_state *s)
{
    return s->primary_controls & PRIMARY_SECONDARY ? s->secondary_controls : 0;
}

bool entry_check_unrestricted(const struct vmx_entry_state *s)
{
    return (entry_check_secondary(s) & SECONDARY_UNRESTRICTED) != 0;
}

bool entry_check_in_width(const struct vmx_entry_state *s, uint64_t address)
{
    return s->physical_address_width >= 64 || address >> s->physical_address_width == 0;
}

/* An address that the CPU follows: aligned, within the address width, and below 4 GiB where the CPU asks for that. */
bool entry_check_good_address(const struct vmx_entry_state *s, uint64_t address, uint64_t alignment)
{
    bool narrow = (s->ia32_vmx_basic & BIT(48)) != 0;
    return (address & (alignment - 1)) == 0 && entry_check_in_width(s, address) && (!narrow || address <= UINT32_MAX);
}

bool entry_check_is_canonical(const struct vmx_entry_state *s, uint64_t address)
{
    uint64_t high = UINT64_MAX << (s->linear_address_width == 57 ? 56 : 47);
    return (address & high) == 0 || (address & high) == high;
}

bool entry_check_canonical(struct entry_check *c, const char *subject, uint64_t address)
{
    c->subject = subject;
    RULE(entry_check_is_canonical(c->s, address), " is not canonical");
    c->subject = "";
    return true;
}

bool entry_check_all_canonical(struct entry_check *c, const struct entry_check_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t address = load64((const uint8_t *)c->s + fields[i].offset);
        RULES(entry_check_canonical(c, fields[i].name, address));
    }
    return true;
}

bool entry_check_page(struct entry_check *c, const char *subject, uint64_t address)
{
    c->subject = subject;
    RULE(entry_check_good_address(c->s, address, PAGE_SIZE), " address is not 4 KiB-aligned or too wide");
    c->subject = "";
    return true;
}

bool entry_check_msr_area(struct entry_check *c, const char *subject, uint64_t address, uint32_t count)
{
    uint64_t last = (uint64_t)count * 16 - 1;
    if (count == 0)
        return true;
    c->subject = subject;
    RULE(entry_check_good_address(c->s, address, 16) && last <= UINT64_MAX - address &&
             entry_check_in_width(c->s, address + last),
         " area is not 16-byte-aligned or too wide");
    c->subject = "";
    return true;
}

bool entry_check_pat(struct entry_check *c, uint64_t pat)
{
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t type = pat >> i & 0xff;
        RULE(type <= 7 && type != 2 && type != 3, "IA32_PAT: a byte is none of 0, 1, 4, 5, 6, 7");
    }
    return true;
}

static bool fits_fixed(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
    return (value & fixed0) == fixed0 && (value & ~fixed1) == 0;
}

bool entry_check_fixed(struct entry_check *c, uint64_t cr0, uint64_t cr0_free, uint64_t cr4)
{
    const struct vmx_entry_state *s = c->s;
    RULE(fits_fixed(cr0, s->ia32_vmx_cr0_fixed0 & ~cr0_free, s->ia32_vmx_cr0_fixed1),
         "CR0: a bit is not as IA32_VMX_CR0_FIXED0 and FIXED1 demand");
    RULE(fits_fixed(cr4, s->ia32_vmx_cr4_fixed0, s->ia32_vmx_cr4_fixed1),
         "CR4: a bit is not as IA32_VMX_CR4_FIXED0 and FIXED1 demand");
    return true;
}

static bool check(struct entry_check *c)
{
    RULES(entry_check_controls(c));
    RULES(entry_check_exit_and_entry(c));
    RULES(entry_check_host(c));
    RULES(entry_check_guest_registers(c));
    RULES(entry_check_segments(c));
    RULES(entry_check_tables_and_flags(c));
    return entry_check_activity(c);
}

const char *vmx_entry_check(const struct vmx_entry_state *state, char sentence[VMX_ENTRY_SENTENCE_SIZE])
{
    struct entry_check c = {.s = state};
    entry_check_about(&c, "");
    if (check(&c))
        return NULL;
    text_print(sentence, VMX_ENTRY_SENTENCE_SIZE, "%s%s%s%s", c.about, c.subject, c.aspect, c.rule);
    return sentence;
}
