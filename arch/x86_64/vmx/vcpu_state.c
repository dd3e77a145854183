/*
 * A vCPU's architectural state: set to the values after reset (SDM vol. 3, "Processor State After Reset"), shown,
 * dumped.
 */
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/heap.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/vmx/vmx.h"
#include "core/bytes.h"
#include "core/partition.h"

/* Access rights: type, S, DPL, P, L, D/B, G as in a descriptor's second word >> 8. */
enum {
    RIGHTS_REAL_CODE = 0x009b,
    RIGHTS_REAL_DATA = 0x0093,
    RIGHTS_FLAT_CODE = 0xc09b,
    RIGHTS_FLAT_DATA = 0xc093,
    RIGHTS_LDT = 0x0082,
    RIGHTS_TSS32_BUSY = 0x008b,
};
#define CR0_AFTER_RESET (CR0_CD | CR0_NW | CR0_ET)
#define DR6_AFTER_RESET 0xffff0ff0ull
#define DR7_AFTER_RESET 0x400ull

static uint64_t *msr_bitmap; /* of direct interrupts */

/* All that is 0 in every vCPU's VMCS after a reset: controls, the host's, the guest's. */
static void zeros_write(void)
{
    static const uint16_t fields[] = {
        VMCS_CR3_TARGET_COUNT, VMCS_EXIT_MSR_STORE_COUNT, VMCS_EXIT_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD_COUNT,
        VMCS_ENTRY_INTERRUPTION, VMCS_HOST_FS_BASE, VMCS_HOST_SYSENTER_CS, VMCS_HOST_SYSENTER_ESP,
        VMCS_HOST_SYSENTER_EIP, VMCS_GUEST_CR3, VMCS_GUEST_DEBUGCTL, VMCS_GUEST_EFER, VMCS_GUEST_GDTR_BASE,
        VMCS_GUEST_IDTR_BASE, VMCS_GUEST_INTERRUPTIBILITY, VMCS_GUEST_ACTIVITY, VMCS_GUEST_SYSENTER_CS,
        VMCS_GUEST_SYSENTER_ESP, VMCS_GUEST_SYSENTER_EIP, VMCS_GUEST_PENDING_DEBUG, VMCS_GUEST_PDPTE0,
        VMCS_GUEST_PDPTE0 + 2, VMCS_GUEST_PDPTE0 + 4, VMCS_GUEST_PDPTE0 + 6,
    };
    for (size_t i = 0; i < array_size(fields); i++)
        vmcs_write(fields[i], 0);
}

static void segment_set(enum vmcs_segment segment, uint16_t selector, uint64_t base, uint32_t limit, uint32_t rights)
{
    uint32_t at = 2 * (uint32_t)segment;
    vmcs_write(VMCS_GUEST_ES_SELECTOR + at, selector);
    vmcs_write(VMCS_GUEST_ES_BASE + at, base);
    vmcs_write(VMCS_GUEST_ES_LIMIT + at, limit);
    vmcs_write(VMCS_GUEST_ES_RIGHTS + at, rights);
}

static void segments_reset(const struct vcpu_entry *entry)
{
    bool flat = entry->mode == VCPU_MODE_FLAT32;
    uint16_t data_selector = flat ? entry->ds_selector : 0;
    uint32_t limit = flat ? 0xffffffff : 0xffff;
    uint64_t cs_base = flat ? 0 : entry->cs_base != 0 ? entry->cs_base : (uint64_t)entry->cs_selector << 4;

    for (enum vmcs_segment data = SEGMENT_ES; data <= SEGMENT_GS; data++)
        segment_set(data, data_selector, 0, limit, flat ? RIGHTS_FLAT_DATA : RIGHTS_REAL_DATA);
    segment_set(SEGMENT_CS, entry->cs_selector, cs_base, limit, flat ? RIGHTS_FLAT_CODE : RIGHTS_REAL_CODE);
    segment_set(SEGMENT_LDTR, 0, 0, 0xffff, RIGHTS_LDT);
    segment_set(SEGMENT_TR, 0, 0, 0xffff, RIGHTS_TSS32_BUSY);
    vmcs_write(VMCS_GUEST_GDTR_LIMIT, 0xffff);
    vmcs_write(VMCS_GUEST_IDTR_LIMIT, 0xffff);
}

static void guest_reset(const struct vcpu_entry *entry)
{
    vmcs_write(VMCS_LINK_POINTER, UINT64_MAX);
    vmcs_write(VMCS_GUEST_PAT, PAT_AFTER_RESET);
    vmcs_write(VMCS_GUEST_DR7, DR7_AFTER_RESET);
    vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
    vmcs_write(VMCS_GUEST_RIP, entry->rip);
    vmcs_write(VMCS_GUEST_RSP, entry->gpr[GPR_RSP]);
    vmx_control_registers_reset(entry->mode == VCPU_MODE_FLAT32 ? CR0_PE | CR0_ET : CR0_AFTER_RESET);
    segments_reset(entry);
}

static void controls_write(const struct vcpu *vcpu, struct vmx_vcpu *v)
{
    const struct vmx_capability *c = &vmx_capability;
    bool virtual = vcpu->apic != NULL;
    vmcs_write(VMCS_PIN_CONTROLS,
               vmx_legal(PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | (v->timer != 0 ? PIN_PREEMPTION_TIMER : 0) |
                             (virtual ? PIN_EXTERNAL_INTERRUPT_EXITING : 0),
                         c->pin));
    v->processor_controls =
        vmx_legal(PROCESSOR_MWAIT_EXITING | PROCESSOR_RDPMC_EXITING | PROCESSOR_IO_EXITING | PROCESSOR_MSR_BITMAPS |
                      PROCESSOR_MONITOR_EXITING | PROCESSOR_SECONDARY |
                      (virtual ? PROCESSOR_HLT_EXITING | vmx_virtual_apic_processor(vcpu) : 0),
                  c->processor);
    v->secondary_controls =
        vmx_legal(SECONDARY_EPT | SECONDARY_RDTSCP | SECONDARY_VPID | SECONDARY_WBINVD_EXITING |
                      SECONDARY_UNRESTRICTED_GUEST | SECONDARY_INVPCID | SECONDARY_ENCLS_EXITING |
                      vmx_virtual_apic_secondary(vcpu),
                  c->secondary);
    vmcs_write(VMCS_PROCESSOR_CONTROLS, v->processor_controls);
    vmcs_write(VMCS_SECONDARY_CONTROLS, v->secondary_controls);
    if (v->secondary_controls & SECONDARY_ENCLS_EXITING) /* a CPU without it has no SGX, nor the field */
        vmcs_write(VMCS_ENCLS_EXITING_BITMAP, UINT64_MAX);
    vmcs_write(VMCS_EXIT_CONTROLS,
               vmx_legal(EXIT_CONTROL_SAVE_DEBUG | EXIT_CONTROL_HOST_64BIT | EXIT_CONTROL_ACKNOWLEDGE |
                             EXIT_CONTROL_SAVE_PAT | EXIT_CONTROL_LOAD_PAT | EXIT_CONTROL_SAVE_EFER |
                             EXIT_CONTROL_LOAD_EFER | (v->timer != 0 ? EXIT_CONTROL_SAVE_TIMER : 0),
                         c->exit));
    vmcs_write(VMCS_ENTRY_CONTROLS,
               vmx_legal(ENTRY_CONTROL_LOAD_DEBUG | ENTRY_CONTROL_LOAD_PAT | ENTRY_CONTROL_LOAD_EFER, c->entry));
    /*
     * #AC, #DB: a guest whose handler's own stack raises the same exception would loop inside the CPU, where not even
     * an NMI gets in. #MC: the hypervisor decides what a machine check means.
     */
    vmcs_write(VMCS_EXCEPTION_BITMAP, 1u << VECTOR_DB | 1u << VECTOR_AC | 1u << VECTOR_MC);
    vmcs_write(VMCS_VPID, vcpu->partition->asid);
    vmcs_write(VMCS_EPT_POINTER, vcpu->partition->nested.root.raw | EPTP_WRITE_BACK | EPTP_WALK_4);
    if (virtual)
        vmx_virtual_apic_reset(vcpu);
    else
        vmcs_write(VMCS_MSR_BITMAP, heap_phys(msr_bitmap).raw);
    vmcs_write(VMCS_PREEMPTION_TIMER, v->timer);
}

static void host_write(const struct vcpu *vcpu)
{
    struct percpu *here = percpu_this();
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) idtr;
    __asm__ volatile("sidt %0" : "=m"(idtr));

    for (uint32_t field = VMCS_HOST_ES_SELECTOR; field < VMCS_HOST_TR_SELECTOR; field += 2)
        vmcs_write(field, field == VMCS_HOST_CS_SELECTOR ? SELECTOR_CODE : SELECTOR_DATA);
    vmcs_write(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
    vmcs_write(VMCS_HOST_PAT, msr_read(MSR_IA32_PAT));
    vmcs_write(VMCS_HOST_EFER, msr_read(MSR_IA32_EFER));
    vmcs_write(VMCS_HOST_CR0, cr0_read());
    vmcs_write(VMCS_HOST_CR3, cr3_read());
    vmcs_write(VMCS_HOST_CR4, cr4_read());
    vmcs_write(VMCS_HOST_GS_BASE, (uint64_t)here);
    vmcs_write(VMCS_HOST_TR_BASE, (uint64_t)&here->tss);
    vmcs_write(VMCS_HOST_GDTR_BASE, (uint64_t)here->gdt);
    vmcs_write(VMCS_HOST_IDTR_BASE, idtr.base);
    vmcs_write(VMCS_HOST_RSP, (uint64_t)(vcpu->gpr + GPRS));
    vmcs_write(VMCS_HOST_RIP, (uint64_t)vmx_exit_landing);
}

/* State that the hypervisor does not use and therefore leaves in the CPU while it runs itself. */
static void in_place_reset(struct vcpu *vcpu)
{
    static const uint32_t msrs[] = {MSR_IA32_STAR,  MSR_IA32_LSTAR,          MSR_IA32_CSTAR,
                                    MSR_IA32_FMASK, MSR_IA32_KERNEL_GS_BASE, MSR_IA32_TSC_AUX};
    for (size_t i = 0; i < array_size(msrs); i++)
        if (!cpu_msr_write(msrs[i], 0))
            continue; /* no RDTSCP: no TSC_AUX */
    cr2_write(0);
    __asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3; mov %1, %%dr6"
                     :
                     : "r"(0ull), "r"(DR6_AFTER_RESET));
    cpu_fpu_reset();
    vcpu->xcr0 = 1;
}

bool vmx_vcpu_create(struct vcpu *vcpu)
{
    if (vcpu->apic != NULL ? !vmx_virtual_apic_create() : !vmx_msr_bitmap_create(&msr_bitmap, false))
        return false;
    struct vmx_vcpu *v = heap_alloc(sizeof *v);
    void *vmcs = heap_alloc(PAGE_SIZE);
    if (v == NULL || vmcs == NULL)
        return false;
    v->vmcs = vmcs;
    vcpu->backend = v;
    return true;
}

void vmx_vcpu_reset(struct vcpu *vcpu, const struct vcpu_entry *entry)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    uint64_t region = heap_phys(v->vmcs).raw;
    *(uint32_t *)v->vmcs = (uint32_t)vmx_capability.basic;
    __asm__ volatile("vmclear %0; vmptrld %0" : : "m"(region) : "cc", "memory");
    v->launched = false;
    v->last_error = 0;
    zeros_write();
    controls_write(vcpu, v);
    host_write(vcpu);
    guest_reset(entry);
    memcpy(vcpu->gpr, entry->gpr, sizeof vcpu->gpr);
    in_place_reset(vcpu);
}

void vmx_vcpu_view(struct vcpu *vcpu, struct vcpu_state_view *out)
{
    vcpu->gpr[GPR_RSP] = vmcs_read(VMCS_GUEST_RSP);
    uint64_t mask0 = vmcs_read(VMCS_CR0_MASK), mask4 = vmcs_read(VMCS_CR4_MASK);
    uint32_t cs_rights = (uint32_t)vmcs_read(VMCS_GUEST_CS_RIGHTS);
    *out = (struct vcpu_state_view){
        .rip = vmcs_read(VMCS_GUEST_RIP),
        .rflags = vmcs_read(VMCS_GUEST_RFLAGS),
        .cr0 = (vmcs_read(VMCS_GUEST_CR0) & ~mask0) | (vmcs_read(VMCS_CR0_SHADOW) & mask0),
        .cr2 = cr2_read(),
        .cr3 = vmcs_read(VMCS_GUEST_CR3),
        .cr4 = (vmcs_read(VMCS_GUEST_CR4) & ~mask4) | (vmcs_read(VMCS_CR4_SHADOW) & mask4),
        .efer = vmcs_read(VMCS_GUEST_EFER),
        .cs_base = vmcs_read(VMCS_GUEST_CS_BASE),
        .ds_base = vmcs_read(VMCS_GUEST_DS_BASE),
        .es_base = vmcs_read(VMCS_GUEST_ES_BASE),
        .ss_base = vmcs_read(VMCS_GUEST_SS_BASE),
        .fs_base = vmcs_read(VMCS_GUEST_FS_BASE),
        .gs_base = vmcs_read(VMCS_GUEST_GS_BASE),
        .cs_selector = (uint16_t)vmcs_read(VMCS_GUEST_CS_SELECTOR),
        .ss_selector = (uint16_t)vmcs_read(VMCS_GUEST_SS_SELECTOR),
        .cs_long = cs_rights & RIGHTS_LONG,
        .cs_default32 = cs_rights & RIGHTS_DEFAULT32,
        .cpl = (vmcs_read(VMCS_GUEST_SS_RIGHTS) >> 5) & 3,
    };
}
