/*
 * The check of what VMRUN would refuse: a legal VMCB with the input's bytes laid over it. The rules that keep the
 * hypervisor itself alive are asked once more here, in other words; a CPU that knows more must not refuse what one that
 * knows less accepted.
 */
#include "arch/x86_64/svm/entry_check.h"

#include "tests/fuzz/input.h"

#define EFER_SVME 0x1000u
#define EFER_LME  0x100u
#define CR0_PG    0x80000000u
#define CR0_PE    0x1u
#define CR0_CD    0x40000000u
#define CR0_NW    0x20000000u
#define CR4_PAE   0x20u

/* A guest in 64-bit mode. */
static void make_vmcb(struct vmcb *vmcb)
{
    memset(vmcb, 0, sizeof *vmcb);
    vmcb->control.intercept1 = SVM_INTERCEPT1_CPUID;
    vmcb->control.intercept2 = SVM_INTERCEPT2_VMRUN;
    vmcb->control.msrpm_base = 0x10000;
    vmcb->control.iopm_base = 0x20000;
    vmcb->control.asid = 1;
    vmcb->control.nested_control = SVM_NESTED_PAGING;
    vmcb->control.nested_cr3 = 0x30000;
    vmcb->save.efer = 0x1d00;
    vmcb->save.cr0 = 0x80010001;
    vmcb->save.cr3 = 0x1000;
    vmcb->save.cr4 = CR4_PAE;
    vmcb->save.cs.attributes = 0xa9b;
    vmcb->save.dr6 = 0xffff0ff0;
    vmcb->save.dr7 = 0x400;
    vmcb->save.guest_pat = 0x0007040600070406;
}

static void require_accepted(const struct vmcb *vmcb, const struct svm_entry_limits *limits)
{
    const struct vmcb_control *c = &vmcb->control;
    const struct vmcb_save *s = &vmcb->save;
    require((c->intercept2 & SVM_INTERCEPT2_VMRUN) != 0);
    require(c->asid >= 1 && c->asid < limits->asids);
    require((s->efer & EFER_SVME) != 0 && (s->efer & ~limits->efer) == 0 && (s->cr4 & ~limits->cr4) == 0);
    require(s->cr0 >> 32 == 0 && s->dr6 >> 32 == 0 && s->dr7 >> 32 == 0);
    require((s->cr0 & CR0_NW) == 0 || (s->cr0 & CR0_CD) != 0);
    bool long_mode = (s->efer & EFER_LME) != 0 && (s->cr0 & CR0_PG) != 0;
    require(!long_mode || ((s->cr4 & CR4_PAE) != 0 && (s->cr0 & CR0_PE) != 0));
    require(!long_mode || (s->cs.attributes & 0x600) != 0x600);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct svm_entry_limits limits = {.physical_bits = 40, .asids = 16, .efer = 0x1d01, .cr4 = 0x8007ff};
    struct vmcb *vmcb = malloc(sizeof *vmcb);
    require(vmcb != NULL);
    make_vmcb(vmcb);
    require(svm_entry_check(vmcb, &limits) == NULL); /* or the target tests nothing */
    while (in.left != 0) {
        uint16_t at = input_16(&in);
        size_t width = (size_t)1 << (at >> 14);
        /* The used parts of both areas are at their beginnings. */
        size_t offset = (at & 0x2000 ? 0x400 : 0) + (at & 0x3ff) / width * width;
        uint64_t value = input_take(&in, width);
        memcpy((uint8_t *)vmcb + offset, &value, width);
    }
    const char *sentence = svm_entry_check(vmcb, &limits);
    if (sentence == NULL) {
        require_accepted(vmcb, &limits);
        struct svm_entry_limits wider = {.physical_bits = 52, .asids = 32768, .efer = 0xffff, .cr4 = UINT32_MAX};
        require(svm_entry_check(vmcb, &wider) == NULL);
    } else {
        require(strlen(sentence) > 10 && strchr(sentence, '\n') == NULL);
    }
    free(vmcb);
    return 0;
}
