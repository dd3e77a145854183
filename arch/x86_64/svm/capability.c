#include "arch/x86_64/svm/capability.h"

#include "arch/x86_64/backends.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/svm/svm.h"

#define LEAF_81_ECX_SVM     (1u << 2)
#define LEAF_81_EDX_PAGE1GB (1u << 26)

void svm_capability_read(struct svm_capability *c)
{
    struct cpuid_regs l81 = cpu_leaf(0x80000001, 0);
    *c = (struct svm_capability){.there = l81.ecx & LEAF_81_ECX_SVM};
    if (!c->there)
        return;
    struct cpuid_regs la = cpu_leaf(0x8000000a, 0);
    uint64_t vm_cr;
    c->asids = la.ebx;
    c->features = la.edx;
    c->pages_1g = l81.edx & LEAF_81_EDX_PAGE1GB;
    /* Emulators and the first CPUs have no VM_CR: then nothing is switched off. */
    if (!cpu_msr_read(MSR_VM_CR, &vm_cr))
        vm_cr = 0;
    c->locked_off = (vm_cr & VM_CR_SVMDIS) && (vm_cr & VM_CR_LOCK);
}

#define SVM_SETTING "\"SVM Mode\" (AMD-V, Secure Virtual Machine) in the firmware's setup"

bool svm_capability_report(const struct svm_capability *c, struct sink *out)
{
    const struct backend_feature features[] = {
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
    const char *setting = c->features & SVM_FEATURE_LOCK_KEY ? SVM_SETTING " or remove its SVM lock key" : SVM_SETTING;
    if (!backend_presence_print("AMD-V", c->there, c->locked_off, setting, out))
        return false;
    bool all = backend_features_print(features, array_size(features), out);
    sink_print(out, "  %-24s %u\n", "ASIDs for guests", c->asids - 1);
    return all;
}
