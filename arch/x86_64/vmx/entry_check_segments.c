/* "Checks on Guest Segment Registers" */
#include "arch/x86_64/vmx/entry_check_rules.h"

#define AR_S        BIT(4)
#define AR_P        BIT(7)
#define AR_L        BIT(13)
#define AR_DB       BIT(14)
#define AR_G        BIT(15)
#define AR_RESERVED 0xfffe0f00u
#define AR_V86      0xf3u

static uint64_t rights_of(const struct entry_check *c, unsigned segment)
{
    return c->read(VMCS_GUEST_ES_RIGHTS + 2 * segment);
}
static uint64_t selector_of(const struct entry_check *c, unsigned segment)
{
    return c->read(VMCS_GUEST_ES_SELECTOR + 2 * segment);
}
static unsigned rpl_of(const struct entry_check *c, unsigned segment) { return selector_of(c, segment) & 3; }
static bool is_usable(const struct entry_check *c, unsigned segment)
{
    return (rights_of(c, segment) & RIGHTS_UNUSABLE) == 0;
}

#define TYPES_OF_DATA (1u << 1 | 1u << 3 | 1u << 5 | 1u << 7 | 1u << 11 | 1u << 15)
static const char data_words[] = "type must be accessed (bit 0), and readable (bit 1) if it is code (bit 3)";

static const struct {
    char name[5];
    uint16_t types;    /* that it may have */
    const char *words; /* when it has none of them */
} segments[SEGMENTS] = {
    [SEGMENT_ES] = {"ES", TYPES_OF_DATA, data_words},
    [SEGMENT_CS] = {"CS", 1u << 9 | 1u << 11 | 1u << 13 | 1u << 15,
                    "type must be 9, 11, 13 or 15, or 3 with unrestricted guest"},
    [SEGMENT_SS] = {"SS", 1u << 3 | 1u << 7, "type must be 3 or 7"},
    [SEGMENT_DS] = {"DS", TYPES_OF_DATA, data_words},
    [SEGMENT_FS] = {"FS", TYPES_OF_DATA, data_words},
    [SEGMENT_GS] = {"GS", TYPES_OF_DATA, data_words},
    [SEGMENT_LDTR] = {"LDTR", 1u << 2, "type must be 2"},
    [SEGMENT_TR] = {"TR", 1u << 11, "type must be 11, or 3 outside IA-32e mode"},
};

/* The segment that rules are about from now on. */
static void segment_take(struct entry_check *c, unsigned segment, const char *aspect)
{
    c->subject = segments[segment].name;
    c->aspect = aspect;
}

const char *entry_check_selectors(struct entry_check *c)
{
    RULE(is_usable(c, SEGMENT_TR), "TR must be usable");
    RULE((selector_of(c, SEGMENT_TR) & 4) == 0, "TR selector: TI (bit 2) must be 0");
    RULE(!is_usable(c, SEGMENT_LDTR) || (selector_of(c, SEGMENT_LDTR) & 4) == 0, "LDTR selector: TI (bit 2) must be 0");
    RULE(c->v86 || c->unrestricted || rpl_of(c, SEGMENT_SS) == rpl_of(c, SEGMENT_CS),
         "SS selector: RPL must equal that of CS without unrestricted guest");
    return NULL;
}

/* The bases of FS, GS, TR and CS count even where the segment is unusable. */
const char *entry_check_bases(struct entry_check *c)
{
    const unsigned always = 1u << SEGMENT_CS | 1u << SEGMENT_FS | 1u << SEGMENT_GS | 1u << SEGMENT_TR;
    for (unsigned i = SEGMENT_ES; i < SEGMENTS; i++) {
        uint32_t field = VMCS_GUEST_ES_BASE + 2 * i;
        if (!(always >> i & 1) && !is_usable(c, i))
            continue;
        segment_take(c, i, " base");
        if (i >= SEGMENT_FS)
            RULE(entry_check_canonical(c, field), " is not canonical");
        else
            RULE(c->read(field) <= UINT32_MAX, ": bits 63:32 must be 0");
    }
    return NULL;
}

const char *entry_check_v86(struct entry_check *c)
{
    for (unsigned i = SEGMENT_ES; c->v86 && i <= SEGMENT_GS; i++) {
        segment_take(c, i, "");
        RULE(c->read(VMCS_GUEST_ES_BASE + 2 * i) == selector_of(c, i) << 4,
             " base in virtual-8086 mode must be selector << 4");
        RULE(c->read(VMCS_GUEST_ES_LIMIT + 2 * i) == 0xffff, " limit in virtual-8086 mode must be 0xffff");
        RULE(rights_of(c, i) == AR_V86, " access rights in virtual-8086 mode must be 0xf3");
    }
    return NULL;
}

static bool type_fits(const struct entry_check *c, unsigned segment, unsigned type)
{
    bool three = (segment == SEGMENT_CS && c->unrestricted) || (segment == SEGMENT_TR && !c->ia32e);
    return segments[segment].types >> type & 1 || (type == 3 && three);
}

/* Data segments whose type is data or non-conforming code. */
static bool rpl_matters(const struct entry_check *c, unsigned segment, unsigned type)
{
    return !c->unrestricted && type <= 11 && segment != SEGMENT_CS && segment != SEGMENT_SS && segment < SEGMENT_LDTR;
}

static bool granularity_fits(const struct entry_check *c, unsigned segment)
{
    uint64_t limit = c->read(VMCS_GUEST_ES_LIMIT + 2 * segment);
    return rights_of(c, segment) & AR_G ? (limit & 0xfff) == 0xfff : (limit & 0xfff00000) == 0;
}

static const char *broken_rights(const struct entry_check *c, unsigned segment)
{
    uint64_t rights = rights_of(c, segment);
    RULE(type_fits(c, segment, rights & 15), segments[segment].words);
    if (segment < SEGMENT_LDTR)
        RULE(rights & AR_S, "S must be 1");
    else
        RULE(!(rights & AR_S), "S must be 0");
    RULE(!rpl_matters(c, segment, rights & 15) || entry_check_dpl(c, segment) >= rpl_of(c, segment),
         "DPL must not be below the selector's RPL");
    RULE(rights & AR_P, "P must be 1");
    RULE((rights & AR_RESERVED) == 0, "bits 31:17 and 11:8 must be 0");
    RULE(granularity_fits(c, segment), "G does not fit the limit");
    return NULL;
}

const char *entry_check_rights(struct entry_check *c)
{
    for (unsigned i = c->v86 ? SEGMENT_LDTR : SEGMENT_ES; i < SEGMENTS; i++) {
        segment_take(c, i, " access rights: ");
        /* CS is checked even when it claims to be unusable. */
        const char *broken = is_usable(c, i) || i == SEGMENT_CS ? broken_rights(c, i) : NULL;
        if (broken != NULL)
            return broken;
    }
    return NULL;
}

/* The rules that concern the privilege level, and what only one segment has. */
const char *entry_check_privilege(struct entry_check *c)
{
    uint64_t rights = rights_of(c, SEGMENT_CS), type = rights & 15;
    unsigned dpl = entry_check_dpl(c, SEGMENT_CS), ss_dpl = entry_check_dpl(c, SEGMENT_SS);
    bool nonconforming = type == 9 || type == 11, conforming = type == 13 || type == 15;
    if (c->v86)
        return NULL;
    segment_take(c, SEGMENT_CS, " access rights: ");
    RULE(type != 3 || dpl == 0, "type 3 needs DPL 0");
    RULE(!nonconforming || dpl == ss_dpl, "types 9 and 11 need the DPL of SS");
    RULE(!conforming || dpl <= ss_dpl, "types 13 and 15 need a DPL not above that of SS");
    RULE(!c->ia32e || !(rights & AR_L) || !(rights & AR_DB), "L and D/B exclude each other in IA-32e mode");
    segment_take(c, SEGMENT_SS, " access rights: ");
    RULE(c->unrestricted || ss_dpl == rpl_of(c, SEGMENT_SS),
         "DPL must equal the selector's RPL without unrestricted guest");
    RULE((type != 3 && c->protected_mode) || ss_dpl == 0, "DPL must be 0 while CR0.PE is 0 or CS has type 3");
    return NULL;
}
