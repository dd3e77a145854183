/*
 * Virtual interrupts on CPUs that work on their guests' local APIC registers themselves: SDM vol. 3, "APIC
 * Virtualization and Virtual Interrupts". The model's page is the virtual-APIC page. What is used, where the CPU has
 * it:
 *
 *   use TPR shadow                MOV CR8 without exits, but for one where TPR falls below a requested vector's class
 *   virtualize x2APIC mode        RDMSR and WRMSR of TPR without exits
 *   virtual-interrupt delivery    only together with that one: requested vectors are taken without being injected, EOI
 *                                 and self IPI are without exits, but for the EOI of a level-triggered vector. HLT does
 *                                 exit: Bochs 2.7 lets a guest sleep that has an interrupt waiting already
 *   APIC-register virtualization  only together with both: RDMSR of the registers that time does not change
 *
 * "Virtualize APIC accesses" is not: the xAPIC's page would be there for vCPUs in x2APIC mode too, and for those in no
 * mode. In xAPIC mode vectors are taken by the CPU, and registers are the model's.
 */
#include "arch/x86_64/heap.h"
#include "arch/x86_64/vmx/vmx.h"
#include "core/bytes.h"
#include "core/local_apic.h"
#include "core/partition.h"

enum { MSR_TPR = 0x808, MSR_PPR = 0x80a, MSR_EOI = 0x80b, MSR_SELF_IPI = 0x83f, CLASS_SHIFT = 4 };

/* Read from the page as they stand there: all but ICR, which is 64 bits wide in two places, and the current count. */
static const struct {
    uint16_t first, last;
} in_page[] = {{0x802, 0x803}, {MSR_PPR, MSR_PPR}, {0x80d, 0x80d}, {0x80f, 0x828},
               {0x832, 0x832}, {0x834, 0x838},     {0x83e, 0x83e}};

static uint64_t *msr_bitmaps[2]; /* for a local APIC that the model answers for; for one in x2APIC mode */

static bool is_accelerated(const struct vcpu *vcpu)
{
    return vcpu->apic != NULL && vcpu->partition->plan->config->acceleration &&
           (vmx_capability.processor.one_settings & PROCESSOR_TPR_SHADOW) != 0;
}

static bool has_all(uint32_t controls) { return (controls & ~vmx_capability.secondary.one_settings) == 0; }

uint32_t vmx_virtual_apic_processor(const struct vcpu *vcpu)
{
    return is_accelerated(vcpu) ? PROCESSOR_TPR_SHADOW : PROCESSOR_CR8_LOAD_EXITING | PROCESSOR_CR8_STORE_EXITING;
}

uint32_t vmx_virtual_apic_secondary(const struct vcpu *vcpu)
{
    if (!is_accelerated(vcpu) || !has_all(SECONDARY_X2APIC | SECONDARY_INTERRUPT_DELIVERY))
        return 0;
    return SECONDARY_INTERRUPT_DELIVERY | SECONDARY_APIC_REGISTERS;
}

/* What is not open here exits, and what the CPU would not answer from the page must: it would be its own x2APIC's. */
static void bitmap_open(uint64_t *page)
{
    vmx_msr_bitmap_open(page, MSR_TPR, MSR_TPR, false);
    vmx_msr_bitmap_open(page, MSR_TPR, MSR_TPR, true);
    if (!has_all(SECONDARY_X2APIC | SECONDARY_INTERRUPT_DELIVERY))
        return;
    vmx_msr_bitmap_open(page, MSR_EOI, MSR_EOI, true);
    vmx_msr_bitmap_open(page, MSR_SELF_IPI, MSR_SELF_IPI, true);
    for (size_t i = 0; has_all(SECONDARY_APIC_REGISTERS) && i < array_size(in_page); i++)
        vmx_msr_bitmap_open(page, in_page[i].first, in_page[i].last, false);
}

bool vmx_virtual_apic_create(void)
{
    if (!vmx_msr_bitmap_create(&msr_bitmaps[false], true) || !vmx_msr_bitmap_create(&msr_bitmaps[true], true))
        return false;
    bitmap_open(msr_bitmaps[true]);
    return true;
}

void vmx_virtual_apic_reset(const struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    vmcs_write(VMCS_MSR_BITMAP, heap_phys(msr_bitmaps[false]).raw);
    if (!is_accelerated(vcpu))
        return;
    vmcs_write(VMCS_VIRTUAL_APIC, heap_phys(vcpu->apic->registers).raw);
    vmcs_write(VMCS_TPR_THRESHOLD, 0);
    for (uint32_t i = 0; vmx_delivers(vcpu) && i < array_size(v->eoi_exits); i++) {
        v->eoi_exits[i] = 0;
        vmcs_write(VMCS_EOI_EXIT0 + 2 * i, 0);
    }
}

/* The CPU knows nothing of the modes: the guest's x2APIC is its own business only while there is one. */
static void follow_mode(struct vcpu *vcpu)
{
    bool on = local_apic_x2apic_enabled(vcpu->apic) && has_all(SECONDARY_X2APIC);
    if (vmx_control_set(&vmx_of(vcpu)->secondary_controls, VMCS_SECONDARY_CONTROLS, SECONDARY_X2APIC, on))
        vmcs_write(VMCS_MSR_BITMAP, heap_phys(msr_bitmaps[on]).raw);
}

static void follow_levels(struct vcpu *vcpu)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    for (uint32_t i = 0; i < array_size(v->eoi_exits); i++) {
        uint64_t levels = local_apic_levels(vcpu->apic, i);
        if (levels == v->eoi_exits[i])
            continue;
        v->eoi_exits[i] = levels;
        vmcs_write(VMCS_EOI_EXIT0 + 2 * i, levels);
    }
}

static void follow_vectors(struct vcpu *vcpu)
{
    uint32_t in_service = local_apic_in_service(vcpu->apic), requested = local_apic_requested(vcpu->apic);
    vmcs_write(VMCS_GUEST_INTERRUPT_STATUS, in_service << 8 | requested);
}

/* What TPR holds back is looked at again when it no longer does. A threshold above TPR would refuse the entry. */
static void follow_priority(struct vcpu *vcpu)
{
    uint32_t class = local_apic_requested(vcpu->apic) >> CLASS_SHIFT;
    vmcs_write(VMCS_TPR_THRESHOLD, class <= local_apic_cr8(vcpu->apic) ? class : 0);
}

bool vmx_interrupt_offer(struct vcpu *vcpu)
{
    if (!(vmx_of(vcpu)->processor_controls & PROCESSOR_TPR_SHADOW))
        return false;
    bool delivers = vmx_delivers(vcpu);
    uint32_t changes = local_apic_take_changes(vcpu->apic);
    if ((changes & LOCAL_APIC_CHANGED_REST) != 0) {
        follow_mode(vcpu);
        if (delivers)
            follow_levels(vcpu);
    }
    if (!delivers)
        follow_priority(vcpu);
    else if ((changes & LOCAL_APIC_CHANGED_VECTORS) != 0)
        follow_vectors(vcpu);
    return delivers;
}
