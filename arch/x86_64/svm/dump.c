/*
 * The VMCB for a person, and the rule that it breaks when VMRUN has refused it.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/svm/entry_check.h"
#include "arch/x86_64/svm/svm.h"

static void print_registers(const struct vcpu *vcpu, const struct vmcb_save *s, struct sink *out)
{
    static const char names[GPRS][4] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    for (unsigned i = 0; i < GPRS; i++)
        sink_print(out, "  %-3s %016lx%s", names[i], vcpu->gpr[i], i % 4 == 3 ? "\n" : "");
    sink_print(out, "  rip %016lx  rflags %016lx  cpl %u  efer %016lx\n", s->rip, svm_nmi_flags_shown(vcpu, s->rflags),
               s->cpl, s->efer);
    sink_print(out, "  cr0 %016lx  cr2 %016lx  cr3 %016lx  cr4 %016lx\n", s->cr0, s->cr2, s->cr3, s->cr4);
    sink_print(out, "  dr6 %016lx  dr7 %016lx  pat %016lx  xcr0 %016lx\n", s->dr6, s->dr7, s->guest_pat, vcpu->xcr0);
}

static void print_segments(const struct vmcb_save *save, struct sink *out)
{
#define ROW(name)                                                                                                      \
    {                                                                                                                  \
#name, offsetof(struct vmcb_save, name)                                                                        \
    }
    static const struct {
        char name[5];
        uint8_t offset;
    } rows[] = {ROW(cs), ROW(ss), ROW(ds), ROW(es), ROW(fs), ROW(gs), ROW(ldtr), ROW(tr), ROW(gdtr), ROW(idtr)};
#undef ROW
    for (size_t i = 0; i < array_size(rows); i++) {
        const struct vmcb_segment *s = (const void *)((const char *)save + rows[i].offset);
        sink_print(out, "  %-4s %04x  base %016lx  limit %08x  attributes %03x\n", rows[i].name, s->selector, s->base,
                   s->limit, s->attributes);
    }
}

static void print_controls(const struct vmcb_control *c, struct sink *out)
{
    sink_print(out, "  exit code %lx  info1 %016lx  info2 %016lx  interrupt info %016lx\n", c->exit_code, c->exit_info1,
               c->exit_info2, c->exit_interrupt_info);
    sink_print(out, "  intercepts: exceptions %08x, %08x %08x %08x  event injection %016lx  shadow %lx\n",
               c->intercept_exceptions, c->intercept1, c->intercept2, c->intercept3, c->event_injection,
               c->interrupt_shadow);
    sink_print(out, "  asid %u  nested cr3 %016lx  msrpm %016lx  iopm %016lx  virtual interrupt %016lx\n", c->asid,
               c->nested_cr3, c->msrpm_base, c->iopm_base, c->virtual_interrupt);
}

void svm_vcpu_dump(struct vcpu *vcpu, struct sink *out)
{
    const struct svm_vcpu *s = svm_of(vcpu);
    const struct svm_entry_limits limits = {.physical_bits = cpu_physical_bits(),
                                            .asids = svm_capability.asids,
                                            .efer = cpu_efer_known(),
                                            .cr4 = cpu_cr4_known()};
    sink_print(out, "VMCB of vCPU %u:\n", vcpu->index);
    print_controls(&s->vmcb->control, out);
    print_registers(vcpu, &s->vmcb->save, out);
    print_segments(&s->vmcb->save, out);
    if (!s->refused)
        return;
    const char *sentence = svm_entry_check(s->vmcb, &limits);
    sink_print(out, "  VMRUN refused it: %s\n", sentence != NULL ? sentence : "no known rule is broken");
    if (!s->attempt_holds)
        sink_print(out, "  (the registers above may be the hypervisor's: this CPU overwrites them when it refuses)\n");
}
