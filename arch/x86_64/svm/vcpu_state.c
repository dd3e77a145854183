/*
 * A vCPU's architectural state: made, set to the values after reset (APM vol. 2, "Processor State After RESET or
 * INIT"), shown.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/heap.h"
#include "arch/x86_64/svm/svm.h"
#include "core/bytes.h"
#include "core/partition.h"

/* Segment attributes, packed: type, S, DPL, P in the low byte; AVL, L, D/B, G above it. */
enum {
    ATTRIBUTES_REAL_CODE = 0x09b,
    ATTRIBUTES_REAL_DATA = 0x093,
    ATTRIBUTES_FLAT_CODE = 0xc9b,
    ATTRIBUTES_FLAT_DATA = 0xc93,
    ATTRIBUTES_LDT = 0x082,
    ATTRIBUTES_TSS32_BUSY = 0x08b,
};
#define CR0_AFTER_RESET (CR0_CD | CR0_NW | CR0_ET)
#define DR6_AFTER_RESET 0xffff0ff0ull
#define DR7_AFTER_RESET 0x400ull

/*
 * A partition has its ASID for itself as long as the CPU has enough of them. The last one is shared by all partitions
 * beyond, and emptied at each entry.
 */
static uint32_t asid_choose(const struct vcpu *vcpu, bool *shared)
{
    uint32_t last = svm_capability.asids - 1;
    *shared = vcpu->partition->asid >= last;
    return *shared ? last : vcpu->partition->asid;
}

bool svm_vcpu_create(struct vcpu *vcpu)
{
    if (!svm_permission_maps_create(vcpu->partition->plan->virtual_interrupts))
        return false;
    struct svm_vcpu *s = heap_alloc(sizeof *s);
    struct vmcb *vmcb = heap_alloc(sizeof *vmcb);
    if (s == NULL || vmcb == NULL)
        return false;
    s->vmcb = vmcb;
    s->vmcb_address = heap_phys(vmcb);
    vcpu->backend = s;
    return true;
}

static void controls_write(const struct vcpu *vcpu, struct svm_vcpu *s)
{
    struct vmcb_control *c = &s->vmcb->control;
    bool virtual = vcpu->partition->plan->virtual_interrupts;
    c->asid = asid_choose(vcpu, &s->flush_always);
    c->iopm_base = svm_iopm().raw;
    c->msrpm_base = svm_msrpm(virtual).raw;
    c->nested_control = SVM_NESTED_PAGING;
    c->nested_cr3 = vcpu->partition->nested.root.raw;
    /*
     * #AC and #DB: a guest whose handler of one raises the same again while it is delivered would loop inside the CPU
     * with no way back in; #MC: the hypervisor decides what a machine check means.
     */
    c->intercept_exceptions = 1u << VECTOR_DB | 1u << VECTOR_AC | 1u << VECTOR_MC;
    c->intercept1 = SVM_INTERCEPT1_NMI | SVM_INTERCEPT1_INIT | SVM_INTERCEPT1_RDPMC | SVM_INTERCEPT1_CPUID |
                    SVM_INTERCEPT1_RSM | SVM_INTERCEPT1_INVD | SVM_INTERCEPT1_INVLPGA | SVM_INTERCEPT1_IOIO |
                    SVM_INTERCEPT1_MSR | SVM_INTERCEPT1_TASK_SWITCH | SVM_INTERCEPT1_SHUTDOWN;
    c->intercept2 = SVM_INTERCEPT2_VMRUN | SVM_INTERCEPT2_VMMCALL | SVM_INTERCEPT2_VMLOAD | SVM_INTERCEPT2_VMSAVE |
                    SVM_INTERCEPT2_STGI | SVM_INTERCEPT2_CLGI | SVM_INTERCEPT2_SKINIT | SVM_INTERCEPT2_WBINVD |
                    SVM_INTERCEPT2_MONITOR | SVM_INTERCEPT2_MWAIT | SVM_INTERCEPT2_XSETBV | SVM_INTERCEPT2_RDPRU;
    if (virtual) {
        c->intercept1 |= SVM_INTERCEPT1_INTR | SVM_INTERCEPT1_HLT;
        c->intercept_cr = SVM_INTERCEPT_CR8_READ | SVM_INTERCEPT_CR8_WRITE; /* the task priority is the model's */
        c->virtual_interrupt = SVM_V_INTR_MASKING;
    }
    /*
     * The other control registers do not exit: they are the guest's own here, with two consequences. CR0.CD slows down
     * this CPU while its guest runs, as it would without a hypervisor. CR4.MCE off turns a machine check in the guest
     * into a shutdown, which ends that partition.
     */
}

static struct vmcb_segment segment(uint16_t selector, uint64_t base, uint32_t limit, uint16_t attributes)
{
    return (struct vmcb_segment){.selector = selector, .attributes = attributes, .limit = limit, .base = base};
}

static void segments_reset(struct vmcb_save *save, const struct vcpu_entry *entry)
{
    bool flat = entry->mode == VCPU_MODE_FLAT32;
    uint32_t limit = flat ? 0xffffffff : 0xffff;
    uint64_t cs_base = flat ? 0 : entry->cs_base != 0 ? entry->cs_base : (uint64_t)entry->cs_selector << 4;
    struct vmcb_segment data =
        segment(flat ? entry->ds_selector : 0, 0, limit, flat ? ATTRIBUTES_FLAT_DATA : ATTRIBUTES_REAL_DATA);
    save->cs = segment(entry->cs_selector, cs_base, limit, flat ? ATTRIBUTES_FLAT_CODE : ATTRIBUTES_REAL_CODE);
    save->ds = save->es = save->fs = save->gs = save->ss = data;
    save->ldtr = segment(0, 0, 0xffff, ATTRIBUTES_LDT);
    save->tr = segment(0, 0, 0xffff, ATTRIBUTES_TSS32_BUSY);
    save->gdtr = save->idtr = segment(0, 0, 0xffff, 0);
}

/* What is not named is 0 after a reset, and the VMCB has just been zeroed. */
static void guest_reset(struct vmcb_save *save, const struct vcpu_entry *entry)
{
    segments_reset(save, entry);
    save->efer = EFER_SVME;
    save->cr0 = entry->mode == VCPU_MODE_FLAT32 ? CR0_PE | CR0_ET : CR0_AFTER_RESET;
    save->dr6 = DR6_AFTER_RESET;
    save->dr7 = DR7_AFTER_RESET;
    save->rflags = RFLAGS_FIXED;
    save->rip = entry->rip;
    save->guest_pat = PAT_AFTER_RESET;
}

/* State that neither VMRUN nor VMLOAD moves and the hypervisor does not use: it stays in the CPU all the time. */
static void in_place_reset(struct vcpu *vcpu)
{
    (void)!cpu_msr_write(MSR_IA32_TSC_AUX, 0); /* without RDTSCP there is nothing to clear */
    msr_write(MSR_IA32_PAT, PAT_AFTER_RESET); /* ours as well; QEMU 7.2 lets a guest write it through */
    __asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" : : "r"(0ull));
    cpu_fpu_reset();
    vcpu->xcr0 = 1;
}

void svm_vcpu_reset(struct vcpu *vcpu, const struct vcpu_entry *entry)
{
    struct svm_vcpu *s = svm_of(vcpu);
    s->nmi = SVM_NMI_OPEN;
    s->nmi_wanted = s->stepping = s->guest_tf = s->refused = s->attempt_holds = false;
    s->rewritten = s->flush = true;
    memset(s->vmcb, 0, sizeof *s->vmcb); /* no clean bits: the CPU loads everything anew */
    controls_write(vcpu, s);
    guest_reset(&s->vmcb->save, entry);
    memcpy(vcpu->gpr, entry->gpr, sizeof vcpu->gpr);
    in_place_reset(vcpu);
}

void svm_vcpu_view(struct vcpu *vcpu, struct vcpu_state_view *out)
{
    const struct vmcb_save *save = &svm_vmcb(vcpu)->save;
    bool long_mode = save->efer & EFER_LMA;
    *out = (struct vcpu_state_view){
        .rip = save->rip,
        .rflags = svm_nmi_flags_shown(vcpu, save->rflags),
        .cr0 = save->cr0,
        .cr2 = save->cr2,
        .cr3 = save->cr3,
        .cr4 = save->cr4,
        .efer = svm_efer_read(vcpu),
        .cs_base = save->cs.base,
        .ds_base = save->ds.base,
        .es_base = save->es.base,
        .ss_base = save->ss.base,
        .fs_base = save->fs.base,
        .gs_base = save->gs.base,
        .cs_selector = save->cs.selector,
        .ss_selector = save->ss.selector,
        .cs_long = long_mode && (save->cs.attributes & SVM_ATTRIBUTE_LONG),
        .cs_default32 = save->cs.attributes & SVM_ATTRIBUTE_DEFAULT32,
        .cpl = save->cpl,
    };
}
