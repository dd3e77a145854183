#include "arch/x86_64/svm/capability.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/svm/svm.h"

/* CPUID bits that decide what EFER and CR4 may hold. */
#define LEAF_1_ECX_PCID       (1u << 17)
#define LEAF_1_ECX_XSAVE      (1u << 26)
#define LEAF_7_EBX_FSGSBASE   (1u << 0)
#define LEAF_7_EBX_SMEP       (1u << 7)
#define LEAF_7_EBX_SMAP       (1u << 20)
#define LEAF_7_ECX_UMIP       (1u << 2)
#define LEAF_7_ECX_PKU        (1u << 3)
#define LEAF_7_ECX_CET        (1u << 7)
#define LEAF_7_ECX_LA57       (1u << 16)
#define LEAF_81_ECX_SVM       (1u << 2)
#define LEAF_81_ECX_TCE       (1u << 17)
#define LEAF_81_EDX_FFXSR     (1u << 25)
#define LEAF_81_EDX_PAGE1GB   (1u << 26)
#define LEAF_88_EBX_MCOMMIT   (1u << 8)
#define LEAF_88_EBX_INTWB     (1u << 13)
#define LEAF_821_EAX_UAI      (1u << 7)
#define LEAF_821_EAX_AUTOIBRS (1u << 8)

struct feature_bit {
    bool there;
    uint64_t bit;
};

static uint64_t sum(const struct feature_bit *bits, size_t count)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all |= bits[i].there ? bits[i].bit : 0;
    return all;
}

/* A leaf that the CPU does not have answers with another leaf's content on some. */
static struct cpuid_regs leaf_read(uint32_t leaf)
{
    struct cpuid_regs top, r = {0};
    cpu_cpuid(leaf & 0x80000000u, 0, &top);
    if (leaf <= top.eax)
        cpu_cpuid(leaf, 0, &r);
    return r;
}

/* APM vol. 2, "Extended Feature Enable Register (EFER)" */
static uint64_t efer_known(void)
{
    struct cpuid_regs l81 = leaf_read(0x80000001), l88 = leaf_read(0x80000008), l821 = leaf_read(0x80000021);
    const struct feature_bit bits[] = {
        {true, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME},
        {true, 1ull << 13}, /* LMSLE: which CPUs have it cannot be told from CPUID */
        {l81.edx & LEAF_81_EDX_FFXSR, 1ull << 14},
        {l81.ecx & LEAF_81_ECX_TCE, 1ull << 15},
        {l88.ebx & LEAF_88_EBX_MCOMMIT, 1ull << 17},
        {l88.ebx & LEAF_88_EBX_INTWB, 1ull << 18},
        {l821.eax & LEAF_821_EAX_UAI, 1ull << 20},
        {l821.eax & LEAF_821_EAX_AUTOIBRS, 1ull << 21},
    };
    return sum(bits, array_size(bits));
}

/* APM vol. 2, "CR4 Register" */
static uint64_t cr4_known(void)
{
    struct cpuid_regs l1 = leaf_read(1), l7 = leaf_read(7);
    const struct feature_bit bits[] = {
        {true, 0x7ff},
        {l7.ecx & LEAF_7_ECX_UMIP, CR4_UMIP},
        {l7.ecx & LEAF_7_ECX_LA57, 1ull << 12},
        {l7.ebx & LEAF_7_EBX_FSGSBASE, CR4_FSGSBASE},
        {l1.ecx & LEAF_1_ECX_PCID, CR4_PCIDE},
        {l1.ecx & LEAF_1_ECX_XSAVE, CR4_OSXSAVE},
        {l7.ebx & LEAF_7_EBX_SMEP, CR4_SMEP},
        {l7.ebx & LEAF_7_EBX_SMAP, CR4_SMAP},
        {l7.ecx & LEAF_7_ECX_PKU, CR4_PKE},
        {l7.ecx & LEAF_7_ECX_CET, 1ull << 23},
    };
    return sum(bits, array_size(bits));
}

void svm_capability_read(struct svm_capability *c)
{
    struct cpuid_regs l81 = leaf_read(0x80000001);
    *c = (struct svm_capability){.there = l81.ecx & LEAF_81_ECX_SVM};
    if (!c->there)
        return;
    struct cpuid_regs la = leaf_read(0x8000000a);
    uint64_t vm_cr;
    c->asids = la.ebx;
    c->features = la.edx;
    c->pages_1g = l81.edx & LEAF_81_EDX_PAGE1GB;
    c->physical_bits = cpu_physical_bits();
    c->efer = efer_known();
    c->cr4 = cr4_known();
    /* Emulators and the first CPUs have no VM_CR: then nothing is switched off. */
    if (!cpu_msr_read(MSR_VM_CR, &vm_cr))
        vm_cr = 0;
    c->locked_off = (vm_cr & VM_CR_SVMDIS) && (vm_cr & VM_CR_LOCK);
    c->key = c->features & SVM_FEATURE_LOCK_KEY;
}

struct line {
    const char *name;
    bool there;
    bool needed;
    const char *without;
};

static bool report_lock(const struct svm_capability *c, struct sink *out)
{
    if (!c->there)
        sink_print(out, "  %-24s MISSING: this CPU has none, or an outer hypervisor hides it\n", "AMD-V");
    else if (c->locked_off)
        sink_print(out,
                   "  %-24s LOCKED OFF by firmware: enable \"SVM Mode\" (AMD-V, Secure Virtual Machine) in the "
                   "firmware's setup%s, then switch the box off and on\n",
                   "AMD-V", c->key ? " or remove its SVM lock key" : "");
    else
        sink_print(out, "  %-24s yes\n", "AMD-V");
    return c->there && !c->locked_off;
}

bool svm_capability_report(const struct svm_capability *c, struct sink *out)
{
    const struct line lines[] = {
        {"nested paging", c->features & SVM_FEATURE_NESTED_PAGING, true,
         "guests' memory cannot be kept apart on this CPU (Barcelona, 2007, and later have it)"},
        {"ASIDs", c->asids >= SVM_ASIDS_NEEDED, true, "no guest can be told from the hypervisor in the TLB"},
        {"next-RIP save", c->features & SVM_FEATURE_NEXT_RIP, false,
         "guests' instructions are read from memory to step over them: slower exits"},
        {"flush by ASID", c->features & SVM_FEATURE_FLUSH_BY_ASID, false,
         "a guest's start empties the whole TLB of its CPU"},
        {"VMCB clean bits", c->features & SVM_FEATURE_CLEAN_BITS, false, "every entry loads the whole guest state"},
        {"hypervisor timer", false, false,
         "AMD-V has none; name as console_cpu one that no partition with direct interrupts has"},
        {"NPT 1 GiB pages", c->pages_1g, false, "more TLB misses for guests of 1 GiB and more"},
    };
    if (!report_lock(c, out))
        return false;
    bool all = true;
    for (size_t i = 0; i < array_size(lines); i++) {
        const struct line *l = &lines[i];
        const char *verdict = l->there ? "yes" : l->needed ? "MISSING" : "no";
        sink_print(out, "  %-24s %s%s%s\n", l->name, verdict, l->there ? "" : ": ", l->there ? "" : l->without);
        all = all && (l->there || !l->needed);
    }
    sink_print(out, "  %-24s %u\n", "ASIDs for guests", c->asids - 1);
    return all;
}
