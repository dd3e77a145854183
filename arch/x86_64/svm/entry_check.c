/* The rules of VMRUN, one line each, in the manual's order. */
#include "arch/x86_64/svm/entry_check.h"

#include "arch/x86_64/msr_index.h"
#include "core/exception.h"

/* Each rule returns its own sentence, so a function of rules reads like the manual's list. */
#define RULE(condition, sentence)                                                                                      \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return sentence;                                                                                           \
    } while (0)
#define RULES(call)                                                                                                    \
    do {                                                                                                               \
        const char *sentence_ = (call);                                                                                \
        if (sentence_ != NULL)                                                                                         \
            return sentence_;                                                                                          \
    } while (0)

#define NESTED_CR3_RESERVED_LOW 0xfe7ull /* all but PWT and PCD */
#define MSRPM_SIZE              (8 * KIB)
#define IOPM_SIZE               (12 * KIB)

/* Vectors 0-31 that are exceptions: not 2 (NMI), 9, 15 and those that no CPU raises. */
#define EXCEPTION_VECTORS 0x702f7dfbu

static bool fits(uint64_t address, uint64_t size, const struct svm_entry_limits *limits)
{
    uint64_t end = 1ull << limits->physical_bits;
    return address < end && size <= end - address;
}

static const char *control_registers(const struct vmcb_save *s, const struct svm_entry_limits *limits)
{
    RULE(s->efer & EFER_SVME, "EFER.SVME is 0, expected 1 even in a guest that does not see it");
    RULE((s->cr0 & CR0_CD) || !(s->cr0 & CR0_NW), "CR0.NW is 1 while CR0.CD is 0");
    RULE(s->cr0 >> 32 == 0, "CR0 has a bit set above bit 31");
    bool long_mode = (s->efer & EFER_LMA) || ((s->efer & EFER_LME) && (s->cr0 & CR0_PG));
    RULE(!long_mode || fits(s->cr3, 0, limits), "CR3 has an address bit set that this CPU does not have");
    RULE(!(s->cr4 & ~limits->cr4), "CR4 has a bit set that this CPU does not know");
    return NULL;
}

static const char *debug_registers(const struct vmcb_save *s)
{
    RULE(s->dr6 >> 32 == 0, "DR6 has a bit set above bit 31");
    RULE(s->dr7 >> 32 == 0, "DR7 has a bit set above bit 31");
    return NULL;
}

static const char *mode(const struct vmcb_save *s, const struct svm_entry_limits *limits)
{
    RULE(!(s->efer & ~limits->efer), "EFER has a bit set that this CPU does not know");
    bool long_paging = (s->efer & EFER_LME) && (s->cr0 & CR0_PG);
    RULE(!long_paging || (s->cr4 & CR4_PAE), "EFER.LME and CR0.PG are 1 while CR4.PAE is 0");
    RULE(!long_paging || (s->cr0 & CR0_PE), "EFER.LME and CR0.PG are 1 while CR0.PE is 0");
    RULE(!long_paging || !(s->cs.attributes & SVM_ATTRIBUTE_LONG) || !(s->cs.attributes & SVM_ATTRIBUTE_DEFAULT32),
         "CS.L and CS.D are both 1 in long mode");
    RULE(!(s->cr4 & CR4_CET) || (s->cr0 & CR0_WP), "CR4.CET is 1 while CR0.WP is 0");
    return NULL;
}

static const char *controls(const struct vmcb_control *c, const struct svm_entry_limits *limits)
{
    RULE(c->intercept2 & SVM_INTERCEPT2_VMRUN, "the VMRUN intercept is off");
    RULE(!(c->intercept1 & SVM_INTERCEPT1_MSR) || fits(c->msrpm_base & ~0xfffull, MSRPM_SIZE, limits),
         "the MSR permission map passes the end of physical memory");
    RULE(!(c->intercept1 & SVM_INTERCEPT1_IOIO) || fits(c->iopm_base & ~0xfffull, IOPM_SIZE, limits),
         "the I/O permission map passes the end of physical memory");
    RULE(c->asid != 0, "the ASID is 0, which is the host's");
    RULE(c->asid < limits->asids, "the ASID is not below the number of ASIDs that this CPU has");
    return NULL;
}

static const char *event(uint64_t event)
{
    if (!(event & SVM_EVENT_VALID))
        return NULL;
    unsigned vector = SVM_EVENT_VECTOR(event);
    switch (SVM_EVENT_TYPE(event)) {
    case SVM_EVENT_INTERRUPT:
    case SVM_EVENT_NMI:
    case SVM_EVENT_SOFTWARE:
        return NULL;
    case SVM_EVENT_EXCEPTION:
        RULE(vector != VECTOR_NMI, "the injected exception has vector 2, which is the NMI and not an exception");
        RULE(vector < EXCEPTIONS && ((EXCEPTION_VECTORS >> vector) & 1),
             "the injected exception's vector is no exception");
        return NULL;
    default:
        return "the injected event has a reserved type";
    }
}

static bool pat_is_legal(uint64_t pat)
{
    for (unsigned i = 0; i < 8; i++) {
        unsigned type = (unsigned)(pat >> 8 * i) & 0xff;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

static const char *nested_paging(const struct vmcb *v, const struct svm_entry_limits *limits)
{
    if (!(v->control.nested_control & SVM_NESTED_PAGING))
        return NULL;
    RULE(fits(v->control.nested_cr3, PAGE_SIZE, limits), "the nested CR3 passes the end of physical memory");
    RULE(!(v->control.nested_cr3 & NESTED_CR3_RESERVED_LOW), "the nested CR3 has a reserved bit set below bit 12");
    RULE(pat_is_legal(v->save.guest_pat), "the guest's PAT has a memory type that does not exist");
    return NULL;
}

const char *svm_entry_check(const struct vmcb *v, const struct svm_entry_limits *limits)
{
    RULES(control_registers(&v->save, limits));
    RULES(debug_registers(&v->save));
    RULES(mode(&v->save, limits));
    RULES(controls(&v->control, limits));
    RULES(event(v->control.event_injection));
    return nested_paging(v, limits);
}
