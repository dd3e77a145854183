/*
 * The whole record of a vCPU for a person, and after a failed entry the rule that it breaks.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/vmx/entry_check.h"
#include "arch/x86_64/vmx/vmx.h"

static struct vmx_segment segment_read(enum vmcs_segment segment)
{
    uint32_t at = 2 * (uint32_t)segment;
    return (struct vmx_segment){
        .selector = (uint16_t)vmcs_read(VMCS_GUEST_ES_SELECTOR + at),
        .access_rights = (uint32_t)vmcs_read(VMCS_GUEST_ES_RIGHTS + at),
        .limit = (uint32_t)vmcs_read(VMCS_GUEST_ES_LIMIT + at),
        .base = vmcs_read(VMCS_GUEST_ES_BASE + at),
    };
}

static void capabilities_read(struct vmx_entry_state *s)
{
    const struct vmx_capability *c = &vmx_capability;
    s->ia32_vmx_basic = c->basic;
    s->ia32_vmx_misc = c->misc;
    s->ia32_vmx_ept_vpid_cap = c->ept_vpid;
    s->ia32_vmx_cr0_fixed0 = c->cr0_fixed0;
    s->ia32_vmx_cr0_fixed1 = c->cr0_fixed1;
    s->ia32_vmx_cr4_fixed0 = c->cr4_fixed0;
    s->ia32_vmx_cr4_fixed1 = c->cr4_fixed1;
    s->allowed_pin_based = c->pin;
    s->allowed_primary = c->processor;
    s->allowed_secondary = c->secondary;
    s->allowed_exit = c->exit;
    s->allowed_entry = c->entry;
    s->physical_address_width = cpu_physical_bits();
    s->linear_address_width = 48;
}

static void controls_read(struct vmx_entry_state *s)
{
    s->pin_based_controls = (uint32_t)vmcs_read(VMCS_PIN_CONTROLS);
    s->primary_controls = (uint32_t)vmcs_read(VMCS_PROCESSOR_CONTROLS);
    s->secondary_controls = (uint32_t)vmcs_read(VMCS_SECONDARY_CONTROLS);
    s->vpid = (uint32_t)vmcs_read(VMCS_VPID);
    s->io_bitmap_a_address = vmcs_read(VMCS_IO_BITMAP_A);
    s->io_bitmap_b_address = vmcs_read(VMCS_IO_BITMAP_B);
    s->msr_bitmap_address = vmcs_read(VMCS_MSR_BITMAP);
    s->virtual_apic_address = vmcs_read(VMCS_VIRTUAL_APIC);
    s->tpr_threshold = (uint32_t)vmcs_read(VMCS_TPR_THRESHOLD);
    s->eptp = vmcs_read(VMCS_EPT_POINTER);
    s->exit_controls = (uint32_t)vmcs_read(VMCS_EXIT_CONTROLS);
    s->entry_controls = (uint32_t)vmcs_read(VMCS_ENTRY_CONTROLS);
    s->entry_interruption_information = (uint32_t)vmcs_read(VMCS_ENTRY_INTERRUPTION);
    s->entry_exception_error_code = (uint32_t)vmcs_read(VMCS_ENTRY_EXCEPTION_ERROR);
    s->entry_instruction_length = (uint32_t)vmcs_read(VMCS_ENTRY_LENGTH);
}

static void host_read(struct vmx_entry_state *s)
{
    s->host_cr0 = vmcs_read(VMCS_HOST_CR0);
    s->host_cr3 = vmcs_read(VMCS_HOST_CR3);
    s->host_cr4 = vmcs_read(VMCS_HOST_CR4);
    s->host_ia32_pat = vmcs_read(VMCS_HOST_PAT);
    s->host_ia32_efer = vmcs_read(VMCS_HOST_EFER);
    s->host_es_selector = (uint16_t)vmcs_read(VMCS_HOST_ES_SELECTOR);
    s->host_cs_selector = (uint16_t)vmcs_read(VMCS_HOST_CS_SELECTOR);
    s->host_ss_selector = (uint16_t)vmcs_read(VMCS_HOST_SS_SELECTOR);
    s->host_ds_selector = (uint16_t)vmcs_read(VMCS_HOST_DS_SELECTOR);
    s->host_fs_selector = (uint16_t)vmcs_read(VMCS_HOST_FS_SELECTOR);
    s->host_gs_selector = (uint16_t)vmcs_read(VMCS_HOST_GS_SELECTOR);
    s->host_tr_selector = (uint16_t)vmcs_read(VMCS_HOST_TR_SELECTOR);
    s->host_gs_base = vmcs_read(VMCS_HOST_GS_BASE);
    s->host_tr_base = vmcs_read(VMCS_HOST_TR_BASE);
    s->host_gdtr_base = vmcs_read(VMCS_HOST_GDTR_BASE);
    s->host_idtr_base = vmcs_read(VMCS_HOST_IDTR_BASE);
    s->host_rip = vmcs_read(VMCS_HOST_RIP);
}

static void guest_read(struct vmx_entry_state *s)
{
    s->guest_cr0 = vmcs_read(VMCS_GUEST_CR0);
    s->guest_cr3 = vmcs_read(VMCS_GUEST_CR3);
    s->guest_cr4 = vmcs_read(VMCS_GUEST_CR4);
    s->guest_dr7 = vmcs_read(VMCS_GUEST_DR7);
    s->guest_ia32_debugctl = vmcs_read(VMCS_GUEST_DEBUGCTL);
    s->guest_sysenter_esp = vmcs_read(VMCS_GUEST_SYSENTER_ESP);
    s->guest_sysenter_eip = vmcs_read(VMCS_GUEST_SYSENTER_EIP);
    s->guest_ia32_pat = vmcs_read(VMCS_GUEST_PAT);
    s->guest_ia32_efer = vmcs_read(VMCS_GUEST_EFER);
    s->guest_es = segment_read(SEGMENT_ES);
    s->guest_cs = segment_read(SEGMENT_CS);
    s->guest_ss = segment_read(SEGMENT_SS);
    s->guest_ds = segment_read(SEGMENT_DS);
    s->guest_fs = segment_read(SEGMENT_FS);
    s->guest_gs = segment_read(SEGMENT_GS);
    s->guest_ldtr = segment_read(SEGMENT_LDTR);
    s->guest_tr = segment_read(SEGMENT_TR);
    s->guest_gdtr.limit = (uint32_t)vmcs_read(VMCS_GUEST_GDTR_LIMIT);
    s->guest_gdtr.base = vmcs_read(VMCS_GUEST_GDTR_BASE);
    s->guest_idtr.limit = (uint32_t)vmcs_read(VMCS_GUEST_IDTR_LIMIT);
    s->guest_idtr.base = vmcs_read(VMCS_GUEST_IDTR_BASE);
    s->guest_rip = vmcs_read(VMCS_GUEST_RIP);
    s->guest_rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    s->guest_activity_state = (uint32_t)vmcs_read(VMCS_GUEST_ACTIVITY);
    s->guest_interruptibility_state = (uint32_t)vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
    s->guest_pending_debug_exceptions = vmcs_read(VMCS_GUEST_PENDING_DEBUG);
    s->vmcs_link_pointer = vmcs_read(VMCS_LINK_POINTER);
    for (unsigned i = 0; i < 4; i++)
        s->guest_pdpte[i] = vmcs_read(VMCS_GUEST_PDPTE0 + 2 * i);
}

static void segment_print(struct sink *out, const char *name, const struct vmx_segment *s)
{
    sink_print(out, "%-4s %04x  base %016lx  limit %08x  rights %05x\n", name, s->selector, s->base, s->limit,
               s->access_rights);
}

void vmx_vcpu_dump(struct vcpu *vcpu, struct sink *out)
{
    static struct vmx_entry_state state; /* large; a dump ends a partition, and the log's lock does not need two at once */
    struct vmx_entry_state *s = &state;
    capabilities_read(s);
    controls_read(s);
    host_read(s);
    guest_read(s);
    const uint64_t *g = vcpu->gpr;
    sink_print(out, "rip %016lx  rflags %08lx  rsp %016lx  activity %u  blocking %x\n", s->guest_rip, s->guest_rflags,
               vmcs_read(VMCS_GUEST_RSP), s->guest_activity_state, s->guest_interruptibility_state);
    sink_print(out, "rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", g[GPR_RAX], g[GPR_RBX], g[GPR_RCX], g[GPR_RDX]);
    sink_print(out, "rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx\n", g[GPR_RSI], g[GPR_RDI], g[GPR_RBP], g[GPR_R8]);
    sink_print(out, "cr0 %016lx  cr3 %016lx  cr4 %016lx  efer %04lx\n", s->guest_cr0, s->guest_cr3, s->guest_cr4,
               s->guest_ia32_efer);
    segment_print(out, "cs", &s->guest_cs);
    segment_print(out, "ss", &s->guest_ss);
    segment_print(out, "ds", &s->guest_ds);
    segment_print(out, "tr", &s->guest_tr);
    sink_print(out, "controls: pin %x, processor %x, secondary %x, exit %x, entry %x; event %x\n",
               s->pin_based_controls, s->primary_controls, s->secondary_controls, s->exit_controls, s->entry_controls,
               s->entry_interruption_information);
    if (vmx_of(vcpu)->last_error != 0)
        sink_print(out, "VM-instruction error %lu\n", vmx_of(vcpu)->last_error);
    char sentence[VMX_ENTRY_SENTENCE_SIZE];
    const char *broken = vmx_entry_check(s, sentence);
    sink_print(out, "entry check: %s\n", broken == NULL ? "every rule holds" : broken);
}
