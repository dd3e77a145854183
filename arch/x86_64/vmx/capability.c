#include "arch/x86_64/vmx/capability.h"

#include "arch/x86_64/backends.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/vmx/vmcs.h"

enum {
    IA32_VMX_BASIC = 0x480,
    IA32_VMX_PINBASED_CTLS = 0x481, /* then processor, exit, entry */
    IA32_VMX_MISC = 0x485,
    IA32_VMX_CR0_FIXED0 = 0x486, /* then CR0 fixed 1, CR4 fixed 0, CR4 fixed 1 */
    IA32_VMX_PROCBASED_CTLS2 = 0x48b,
    IA32_VMX_EPT_VPID_CAP = 0x48c,
    IA32_VMX_TRUE_PINBASED_CTLS = 0x48d,
};
#define BASIC_TRUE_CONTROLS (1ull << 55)

static struct vmx_allowed allowed_read(uint32_t number)
{
    uint64_t value = msr_read(number);
    return (struct vmx_allowed){(uint32_t)value, (uint32_t)(value >> 32)};
}

void vmx_capability_read(struct vmx_capability *c)
{
    uint64_t basic = msr_read(IA32_VMX_BASIC);
    /* The "true" MSRs let default-1 controls such as CR3 exiting be switched off. */
    uint32_t first = basic & BASIC_TRUE_CONTROLS ? IA32_VMX_TRUE_PINBASED_CTLS : IA32_VMX_PINBASED_CTLS;
    *c = (struct vmx_capability){
        .basic = basic,
        .revision = (uint32_t)basic & 0x7fffffff,
        .physical_bits = cpu_physical_bits(),
        .linear_bits = 48, /* the hypervisor leaves CR4.LA57 off, and no guest may set it */
        .pin = allowed_read(first),
        .processor = allowed_read(first + 1),
        .exit = allowed_read(first + 2),
        .entry = allowed_read(first + 3),
        .misc = msr_read(IA32_VMX_MISC),
        .cr0_fixed0 = msr_read(IA32_VMX_CR0_FIXED0),
        .cr0_fixed1 = msr_read(IA32_VMX_CR0_FIXED0 + 1),
        .cr4_fixed0 = msr_read(IA32_VMX_CR0_FIXED0 + 2),
        .cr4_fixed1 = msr_read(IA32_VMX_CR0_FIXED0 + 3),
    };
    if (c->processor.one_settings & PROCESSOR_SECONDARY) {
        c->secondary = allowed_read(IA32_VMX_PROCBASED_CTLS2);
        if (c->secondary.one_settings & (SECONDARY_EPT | SECONDARY_VPID))
            c->ept_vpid = msr_read(IA32_VMX_EPT_VPID_CAP);
    }
}

/* Of the secondary controls: what it takes to leave interrupts and their ends to the CPU, see virtual_apic.c. */
#define VIRTUAL_APIC (SECONDARY_X2APIC | SECONDARY_INTERRUPT_DELIVERY)

bool vmx_capability_report(const struct vmx_capability *c, struct sink *out)
{
    const struct backend_feature features[] = {
        {"EPT", (c->secondary.one_settings & SECONDARY_EPT) && (c->ept_vpid & EPT_WALK_4) && (c->ept_vpid & EPT_WRITE_BACK),
         true, "guests' memory cannot be kept apart on this CPU"},
        {"unrestricted guest", c->secondary.one_settings & SECONDARY_UNRESTRICTED_GUEST, true,
         "guests cannot start in real mode on this CPU (Westmere, 2010, and later have it)"},
        {"NMI exiting", (c->pin.one_settings & PIN_NMI_EXITING) && (c->pin.one_settings & PIN_VIRTUAL_NMIS), true,
         "a running guest could not be stopped"},
        {"MSR bitmaps", c->processor.one_settings & PROCESSOR_MSR_BITMAPS, true, "interrupts cannot be given to guests"},
        {"EFER and PAT switching",
         (c->entry.one_settings & ENTRY_CONTROL_LOAD_EFER) && (c->exit.one_settings & EXIT_CONTROL_LOAD_EFER) &&
             (c->exit.one_settings & EXIT_CONTROL_SAVE_EFER) && (c->entry.one_settings & ENTRY_CONTROL_LOAD_PAT) &&
             (c->exit.one_settings & EXIT_CONTROL_LOAD_PAT) && (c->exit.one_settings & EXIT_CONTROL_SAVE_PAT),
         true, "the CPU is too old"},
        {"VPID", c->secondary.one_settings & SECONDARY_VPID, false, "every exit flushes the guest's TLB: slower"},
        {"preemption timer", c->pin.one_settings & PIN_PREEMPTION_TIMER, false,
         "the console needs a CPU of its own: name one that no partition has as console_cpu"},
        {"TPR shadow", c->processor.one_settings & PROCESSOR_TPR_SHADOW, false,
         "with virtual interrupts MOV CR8 exits"},
        {"virtual interrupts", (c->secondary.one_settings & VIRTUAL_APIC) == VIRTUAL_APIC, false,
         "with virtual interrupts each one is injected, and its end exits"},
        {"EPT 2 MiB pages", c->ept_vpid & EPT_2M, false, "more memory for tables, more TLB misses"},
        {"EPT 1 GiB pages", c->ept_vpid & EPT_1G, false, "more TLB misses for guests of 1 GiB and more"},
    };
    return backend_features_print(features, array_size(features), out);
}
