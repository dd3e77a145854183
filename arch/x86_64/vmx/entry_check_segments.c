/* "Checks on Guest Segment Registers" */
#include "arch/x86_64/vmx/entry_check_rules.h"

#define AR_TYPE     0xfu
#define AR_S        BIT(4)
#define AR_P        BIT(7)
#define AR_DB       BIT(14)
#define AR_G        BIT(15)
#define AR_RESERVED 0xfffe0f00u
#define AR_V86      0xf3u

static const char access_rights[] = " access rights: ";

enum { ES, CS, SS, DS, FS, GS, LDTR, TR, SEGMENTS };

struct segment_row {
    uint16_t offset; /* in struct vmx_entry_state */
    char name[5];
    bool canonical; /* its base has 64 bits; otherwise 32 */
};
#define ROW(field, name, canonical)                                                                                    \
    {                                                                                                                  \
        offsetof(struct vmx_entry_state, field), name, canonical                                                       \
    }
static const struct segment_row rows[SEGMENTS] = {
    [ES] = ROW(guest_es, "ES", false),      [CS] = ROW(guest_cs, "CS", false), [SS] = ROW(guest_ss, "SS", false),
    [DS] = ROW(guest_ds, "DS", false),      [FS] = ROW(guest_fs, "FS", true),  [GS] = ROW(guest_gs, "GS", true),
    [LDTR] = ROW(guest_ldtr, "LDTR", true), [TR] = ROW(guest_tr, "TR", true),
};

static unsigned type_of(const struct vmx_segment *segment) { return segment->access_rights & AR_TYPE; }
static unsigned rpl_of(const struct vmx_segment *segment) { return segment->selector & 3; }

/* The segment that rules are about from now on. */
static const struct vmx_segment *segment_take(struct entry_check *c, unsigned number, const char *aspect)
{
    c->subject = rows[number].name;
    c->aspect = aspect;
    return (const struct vmx_segment *)((const char *)c->s + rows[number].offset);
}

static bool check_selectors(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    static const char table[] = "TI (bit 2) must be 0";
    c->aspect = " selector: ";
    c->subject = "TR";
    RULE((s->guest_tr.selector & 4) == 0, table);
    c->subject = "LDTR";
    RULE(!usable(&s->guest_ldtr) || (s->guest_ldtr.selector & 4) == 0, table);
    c->subject = "SS";
    RULE(v86(s) || entry_check_unrestricted(s) || rpl_of(&s->guest_ss) == rpl_of(&s->guest_cs),
         "RPL must equal that of CS without unrestricted guest");
    return true;
}

/* The bases of FS, GS, TR and CS count even where the segment is unusable. */
static bool check_bases(struct entry_check *c)
{
    for (unsigned i = ES; i < SEGMENTS; i++) {
        const struct vmx_segment *segment = segment_take(c, i, " base");
        bool always = i == CS || i == FS || i == GS || i == TR;
        if (!always && !usable(segment))
            continue;
        if (rows[i].canonical)
            RULE(entry_check_is_canonical(c->s, segment->base), " is not canonical");
        else
            RULE(segment->base <= UINT32_MAX, ": bits 63:32 must be 0");
    }
    return true;
}

static bool check_v86(struct entry_check *c)
{
    for (unsigned i = ES; i <= GS; i++) {
        const struct vmx_segment *segment = segment_take(c, i, "");
        RULE(segment->base == (uint64_t)segment->selector << 4, " base in virtual-8086 mode must be selector << 4");
        RULE(segment->limit == 0xffff, " limit in virtual-8086 mode must be 0xffff");
        RULE(segment->access_rights == AR_V86, " access rights in virtual-8086 mode must be 0xf3");
    }
    return true;
}

static bool check_type(struct entry_check *c, unsigned number, unsigned type)
{
    switch (number) {
    case CS:
        RULE((type & 9) == 9 || (type == 3 && entry_check_unrestricted(c->s)),
             "type must be 9, 11, 13 or 15, or 3 with unrestricted guest");
        return true;
    case SS:
        RULE(type == 3 || type == 7, "type must be 3 or 7");
        return true;
    case LDTR:
        RULE(type == 2, "type must be 2");
        return true;
    case TR:
        RULE(type == 11 || (type == 3 && !ia32e(c->s)), "type must be 11, or 3 outside IA-32e mode");
        return true;
    default:
        RULE((type & 1) && (!(type & 8) || (type & 2)),
             "type must be accessed (bit 0), and readable (bit 1) if it is code (bit 3)");
        return true;
    }
}

/* Data segments whose type is data or non-conforming code. */
static bool rpl_matters(const struct vmx_entry_state *s, unsigned number, unsigned type)
{
    return !entry_check_unrestricted(s) && type <= 11 && number != CS && number != SS && number < LDTR;
}

static bool granularity_fits(const struct vmx_segment *segment)
{
    bool pages = (segment->access_rights & AR_G) != 0;
    return (!pages || (segment->limit & 0xfff) == 0xfff) && (pages || (segment->limit & 0xfff00000) == 0);
}

static bool check_rights(struct entry_check *c, unsigned number)
{
    const struct vmx_segment *segment = segment_take(c, number, access_rights);
    bool code_or_data = (segment->access_rights & AR_S) != 0;

    /* CS and TR are checked even when they claim to be unusable; that TR may not claim so is a rule of its own. */
    if (!usable(segment) && number != CS && number != TR)
        return true;
    RULES(check_type(c, number, type_of(segment)));
    RULE(code_or_data == (number < LDTR), number < LDTR ? "S must be 1" : "S must be 0");
    RULE(!rpl_matters(c->s, number, type_of(segment)) || dpl_of(segment) >= rpl_of(segment),
         "DPL must not be below the selector's RPL");
    RULE(segment->access_rights & AR_P, "P must be 1");
    RULE((segment->access_rights & AR_RESERVED) == 0, "bits 31:17 and 11:8 must be 0");
    RULE(granularity_fits(segment), "G does not fit the limit");
    return true;
}

/* The rules that concern the privilege level, and what only one segment has. */
static bool check_privilege(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    const struct vmx_segment *cs = segment_take(c, CS, access_rights);
    unsigned type = type_of(cs), dpl = dpl_of(cs), ss_dpl = dpl_of(&s->guest_ss);
    bool nonconforming = type == 9 || type == 11, conforming = type == 13 || type == 15;
    RULE(type != 3 || dpl == 0, "type 3 needs DPL 0");
    RULE(!nonconforming || dpl == ss_dpl, "types 9 and 11 need the DPL of SS");
    RULE(!conforming || dpl <= ss_dpl, "types 13 and 15 need a DPL not above that of SS");
    RULE(!ia32e(s) || !(cs->access_rights & AR_L) || !(cs->access_rights & AR_DB),
         "L and D/B exclude each other in IA-32e mode");
    c->subject = "SS";
    RULE(entry_check_unrestricted(s) || ss_dpl == rpl_of(&s->guest_ss),
         "DPL must equal the selector's RPL without unrestricted guest");
    RULE((type != 3 && protected_mode(s)) || ss_dpl == 0, "DPL must be 0 while CR0.PE is 0 or CS has type 3");
    return true;
}

bool entry_check_segments(struct entry_check *c)
{
    const struct vmx_entry_state *s = c->s;
    entry_check_about(c, "guest ");
    RULES(check_selectors(c));
    if (v86(s))
        RULES(check_v86(c));
    RULES(check_bases(c));
    for (unsigned i = v86(s) ? LDTR : ES; i < SEGMENTS; i++)
        RULES(check_rights(c, i));
    if (!v86(s))
        RULES(check_privilege(c));
    entry_check_about(c, "guest ");
    RULE(usable(&s->guest_tr), "TR must be usable");
    return true;
}
