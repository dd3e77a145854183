/*
 * AMD-V as core/ sees it.
 */
#include "arch/x86_64/apic.h"
#include "arch/x86_64/backends.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/heap.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/svm/svm.h"
#include "core/bytes.h"
#include "core/partition.h"

struct svm_capability svm_capability;

_Static_assert(sizeof(struct svm_vcpu) <= BACKEND_VCPU_BYTES, "what is reserved for a vCPU's part at boot");

/* What each CPU needs while it is a host. */
static struct host {
    uint8_t save_area[PAGE_SIZE]; /* VMRUN keeps the host's registers here; only the CPU knows how */
    struct vmcb vmcb;             /* those that VMRUN does not keep: FS, GS, TR, LDTR and their MSRs */
} *hosts[MACHINE_MAX_CPUS];

static bool svm_probe(struct cpu_caps *caps, struct sink *out)
{
    svm_capability_read(&svm_capability);
    caps->nested_2m = svm_capability.there;
    caps->nested_1g = svm_capability.pages_1g;
    caps->guest_timer = false;
    return svm_capability_report(&svm_capability, out);
}

/* Makes this CPU a host; what is in the way, or NULL. */
static const char *host_on(struct host **host)
{
    struct svm_capability here;
    uint64_t vm_cr;
    svm_capability_read(&here);
    if (!here.there || here.locked_off)
        return "AMD-V is not there or locked off by firmware on this CPU alone";
    if (*host == NULL)
        *host = heap_alloc(sizeof **host);
    if (*host == NULL)
        return "no memory left for its host save area";
    if (cpu_msr_read(MSR_VM_CR, &vm_cr) && (vm_cr & VM_CR_SVMDIS) && !cpu_msr_write(MSR_VM_CR, vm_cr & ~VM_CR_SVMDIS))
        return "AMD-V is switched off and VM_CR cannot be written";
    if (!cpu_msr_write(MSR_IA32_EFER, msr_read(MSR_IA32_EFER) | EFER_SVME) ||
        !cpu_msr_write(MSR_VM_HSAVE_PA, heap_phys((*host)->save_area).raw))
        return "EFER.SVME or VM_HSAVE_PA was refused";
    __asm__ volatile("vmsave %0" : : "a"(heap_phys(&(*host)->vmcb).raw) : "memory");
    return NULL;
}

static bool svm_cpu_on(struct sink *errors)
{
    const char *problem = host_on(&hosts[cpu_current()]);
    if (problem != NULL)
        sink_print(errors, "CPU %u: %s\n", cpu_current(), problem);
    return problem == NULL;
}

static void svm_cpu_off(void)
{
    msr_write(MSR_VM_HSAVE_PA, 0);
    msr_write(MSR_IA32_EFER, msr_read(MSR_IA32_EFER) & ~EFER_SVME);
}

/* VMRUN may refuse what was written, and some CPUs then leave the host's registers in the guest's place: keep a copy.
 */
static void attempt_keep(struct svm_vcpu *s)
{
    s->attempt_holds = s->rewritten;
    if (s->rewritten)
        s->attempt = s->vmcb->save;
    s->rewritten = false;
}

static enum svm_entered enter(struct vcpu *vcpu)
{
    struct svm_vcpu *s = svm_of(vcpu);
    struct vmcb *v = s->vmcb;
    v->save.rax = vcpu->gpr[GPR_RAX];
    v->save.rsp = vcpu->gpr[GPR_RSP];
    bool flush = s->flush || s->flush_always;
    bool by_asid = svm_capability.features & SVM_FEATURE_FLUSH_BY_ASID;
    v->control.tlb_control = !flush ? SVM_TLB_KEEP : by_asid ? SVM_TLB_FLUSH_ASID : SVM_TLB_FLUSH_ALL;
    s->injected = v->control.event_injection;
    attempt_keep(s);
    if (svm_nmi_waits_for_event(vcpu)) {
        /* Held until VMRUN, this NMI ends the guest directly behind the delivery, before its first instruction. */
        __asm__ volatile("clgi" : : : "memory");
        percpu_this()->nmi_own = true;
        apic_send(percpu_this()->apic_id, APIC_NMI);
    }
    enum svm_entered entered = svm_enter(vcpu, s->vmcb_address.raw, heap_phys(&hosts[cpu_current()]->vmcb).raw, v);
    percpu_this()->nmi_own = false;
    if (entered == SVM_KICKED) {
        s->rewritten = s->attempt_holds;
        return entered;
    }
    s->flush = false;
    vcpu->gpr[GPR_RAX] = v->save.rax;
    vcpu->gpr[GPR_RSP] = v->save.rsp;
    v->control.event_injection = 0;
    v->control.clean = SVM_CLEAN_ALL;
    return entered;
}

static void svm_run(struct vcpu *vcpu, struct exit *exit)
{
    for (;;) {
        if (enter(vcpu) == SVM_KICKED) {
            *exit = (struct exit){.kind = EXIT_KICK};
            return;
        }
        if (svm_exit_decode(vcpu, exit))
            return;
        if (svm_nmi_window_opened(vcpu)) {
            *exit = (struct exit){.kind = EXIT_NMI_WINDOW};
            return;
        }
    }
}

void svm_backend_advance(struct vcpu *vcpu, const struct exit *exit)
{
    struct vmcb *v = svm_vmcb(vcpu);
    uint64_t rip = v->save.rip + exit->length;
    bool long_mode = (v->save.efer & EFER_LMA) && (v->save.cs.attributes & SVM_ATTRIBUTE_LONG);
    v->save.rip = long_mode ? rip : rip & UINT32_MAX;
    v->save.rflags &= ~RFLAGS_RF; /* as the CPU does after each instruction */
    v->control.interrupt_shadow &= ~SVM_INTERRUPT_SHADOW;
    svm_nmi_step_break_off(vcpu);
    /* A guest that single-steps expects its #DB after this instruction too. */
    if ((v->save.rflags & RFLAGS_TF) && !(v->control.event_injection & SVM_EVENT_VALID)) {
        v->save.dr6 |= DR6_BS;
        v->control.clean &= ~SVM_CLEAN_DR;
        svm_inject(v, SVM_EVENT_EXCEPTION, VECTOR_DB);
    }
}

void svm_inject_exception(struct vcpu *vcpu, uint8_t vector, uint32_t error_code)
{
    /* In real mode exceptions push no error code. */
    struct vmcb *v = svm_vmcb(vcpu);
    bool protected_mode = v->save.cr0 & CR0_PE;
    bool has_error = protected_mode && vector < EXCEPTIONS && ((EXCEPTIONS_WITH_ERROR >> vector) & 1);
    svm_nmi_step_break_off(vcpu);
    svm_inject(v, SVM_EVENT_EXCEPTION, vector);
    if (has_error)
        v->control.event_injection |= (uint64_t)error_code << 32 | SVM_EVENT_ERROR_CODE;
}

/* AMD-V has no timer that ends a guest and is not the guest's. */
static bool svm_set_timer(struct vcpu *vcpu, uint64_t ticks)
{
    (void)vcpu;
    return ticks == 0;
}

/* RSP goes into the VMCB with every entry. */
static void svm_write_back(struct vcpu *vcpu, uint64_t rflags)
{
    svm_vmcb(vcpu)->save.rflags = svm_nmi_flags_run(vcpu, rflags);
}

static void svm_set_cr2(struct vcpu *vcpu, uint64_t address)
{
    svm_vmcb(vcpu)->save.cr2 = address;
    svm_vmcb(vcpu)->control.clean &= ~SVM_CLEAN_CR2;
}

static void svm_nested_flush(struct vcpu *vcpu) { svm_of(vcpu)->flush = true; }

/* APM vol. 2, "Nested Paging": every access of the guest is one of a user, and A and D need not be set by the CPU. */
static const struct nested_format npt_format = {
    .table = 0x27, /* P, R/W, U/S, A */
    .leaf = 0x65,  /* P, U/S, A, D */
    .leaf_large = 1u << 7,
    .write_back = 0,     /* entry 0 of the host's PAT, as cpu_protect sets it: write-back */
    .uncached = 3u << 3, /* PCD, PWT: entry 3 */
    .read = 0,
    .write = 2,
    .execute = 0,
    .no_execute = 1ull << 63,
};

const struct backend svm_backend = {
    .name = "AMD-V",
    .probe = svm_probe,
    .cpu_on = svm_cpu_on,
    .cpu_off = svm_cpu_off,
    .vcpu_create = svm_vcpu_create,
    .vcpu_reset = svm_vcpu_reset,
    .run = svm_run,
    .advance = svm_backend_advance,
    .inject_exception = svm_inject_exception,
    .inject_nmi = svm_nmi_inject,
    .interrupt_ready = svm_interrupt_ready,
    .inject_interrupt = svm_interrupt_inject,
    .interrupt_quiet = svm_interrupt_quiet,
    .interrupt_offer = svm_interrupt_offer,
    .set_timer = svm_set_timer,
    .view = svm_vcpu_view,
    .write_back = svm_write_back,
    .set_cr2 = svm_set_cr2,
    .dump = svm_vcpu_dump,
    .nested_format = &npt_format,
    .nested_flush = svm_nested_flush,
};
