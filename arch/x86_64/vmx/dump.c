/*
 * The record of a vCPU for a person, and after a failed entry the rule that it breaks.
 */
#include "arch/x86_64/vmx/entry_check.h"
#include "arch/x86_64/vmx/vmx.h"

static uint64_t read(uint32_t field) { return vmcs_read(field); }

static void segment_print(struct sink *out, const char *name, enum vmcs_segment segment)
{
    uint32_t at = 2 * (uint32_t)segment;
    sink_print(out, "%-4s %04lx  base %016lx  limit %08lx  rights %05lx\n", name, read(VMCS_GUEST_ES_SELECTOR + at),
               read(VMCS_GUEST_ES_BASE + at), read(VMCS_GUEST_ES_LIMIT + at), read(VMCS_GUEST_ES_RIGHTS + at));
}

void vmx_vcpu_dump(struct vcpu *vcpu, struct sink *out)
{
    const uint64_t *g = vcpu->gpr;
    sink_print(out, "rip %016lx  rflags %08lx  rsp %016lx  activity %lu  blocking %lx\n", read(VMCS_GUEST_RIP),
               read(VMCS_GUEST_RFLAGS), read(VMCS_GUEST_RSP), read(VMCS_GUEST_ACTIVITY),
               read(VMCS_GUEST_INTERRUPTIBILITY));
    sink_print(out, "rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", g[GPR_RAX], g[GPR_RBX], g[GPR_RCX], g[GPR_RDX]);
    sink_print(out, "rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", g[GPR_RSI], g[GPR_RDI], g[GPR_RBP], g[GPR_R8]);
    sink_print(out, "cr0 %016lx  cr3 %016lx  cr4 %016lx  efer %04lx\n", read(VMCS_GUEST_CR0), read(VMCS_GUEST_CR3),
               read(VMCS_GUEST_CR4), read(VMCS_GUEST_EFER));
    segment_print(out, "cs", SEGMENT_CS);
    segment_print(out, "ss", SEGMENT_SS);
    segment_print(out, "ds", SEGMENT_DS);
    segment_print(out, "tr", SEGMENT_TR);
    sink_print(out, "controls: pin %lx, processor %lx, secondary %lx, exit %lx, entry %lx; event %lx\n",
               read(VMCS_PIN_CONTROLS), read(VMCS_PROCESSOR_CONTROLS), read(VMCS_SECONDARY_CONTROLS),
               read(VMCS_EXIT_CONTROLS), read(VMCS_ENTRY_CONTROLS), read(VMCS_ENTRY_INTERRUPTION));
    if (vmx_of(vcpu)->last_error != 0)
        sink_print(out, "VM-instruction error %lu\n", vmx_of(vcpu)->last_error);
    char sentence[VMX_ENTRY_SENTENCE_SIZE];
    const char *broken = vmx_entry_check(&vmx_capability, read, sentence);
    sink_print(out, "entry check: %s\n", broken == NULL ? "every rule holds" : broken);
}
