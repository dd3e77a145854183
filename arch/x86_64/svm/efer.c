/*
 * EFER as the guest sees it. The register itself must hold SVME, which no guest may see or clear, so its accesses exit.
 */
#include "arch/x86_64/svm/svm.h"

/* What CPUID shows guests of EFER: SYSCALL, long mode, NX. */
#define EFER_GUEST_WRITES (EFER_SCE | EFER_LME | EFER_NXE)

uint64_t svm_efer_read(const struct vcpu *vcpu) { return svm_vmcb(vcpu)->save.efer & ~EFER_SVME; }

/* APM vol. 2, "Extended Feature Enable Register (EFER)" */
bool svm_efer_write(struct vcpu *vcpu, uint64_t value)
{
    struct vmcb *v = svm_vmcb(vcpu);
    uint64_t old = v->save.efer;
    /* LMA is the CPU's to set: whatever is written there is ignored. */
    if (value & ~(EFER_GUEST_WRITES | EFER_LMA))
        return false;
    if (((value ^ old) & EFER_LME) && (v->save.cr0 & CR0_PG))
        return false;
    v->save.efer = (value & EFER_GUEST_WRITES) | (old & (EFER_LMA | EFER_SVME));
    v->control.clean &= ~SVM_CLEAN_CR;
    svm_of(vcpu)->rewritten = true;
    if ((value ^ old) &
        EFER_NXE) /* changes what cached translations mean, as a WRMSR by the guest itself would tell the CPU */
        svm_of(vcpu)->flush = true;
    return true;
}
