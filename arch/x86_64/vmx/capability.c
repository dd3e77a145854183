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

struct line {
    const char *name, *without;
    bool needed;
    uint32_t pin, processor, secondary, exit, entry, ept; /* all that it takes */
};

static const struct line lines[] = {
    {"EPT", "guests' memory cannot be kept apart on this CPU", true, .secondary = SECONDARY_EPT,
     .ept = EPT_WALK_4 | EPT_WRITE_BACK},
    {"unrestricted guest", "guests cannot start in real mode on this CPU (Westmere, 2010, and later have it)", true,
     .secondary = SECONDARY_UNRESTRICTED_GUEST},
    {"NMI exiting", "a running guest could not be stopped", true, .pin = PIN_NMI_EXITING | PIN_VIRTUAL_NMIS},
    {"I/O exiting", "guests would reach the box's own ports", true, .processor = PROCESSOR_IO_EXITING},
    {"MSR bitmaps", "interrupts cannot be given to guests", true, .processor = PROCESSOR_MSR_BITMAPS},
    {"EFER and PAT switching", "the CPU is too old", true, .entry = ENTRY_CONTROL_LOAD_EFER | ENTRY_CONTROL_LOAD_PAT,
     .exit = EXIT_CONTROL_LOAD_EFER | EXIT_CONTROL_SAVE_EFER | EXIT_CONTROL_LOAD_PAT | EXIT_CONTROL_SAVE_PAT},
    {"VPID", "every exit flushes the guest's TLB: slower", false, .secondary = SECONDARY_VPID},
    {"preemption timer", "the console needs a CPU of its own: name one that no partition has as console_cpu", false,
     .pin = PIN_PREEMPTION_TIMER, .exit = EXIT_CONTROL_SAVE_TIMER},
    {"TPR shadow", "with virtual interrupts MOV CR8 exits", false, .processor = PROCESSOR_TPR_SHADOW},
    {"virtual interrupts", "with virtual interrupts each one is injected, and its end exits", false,
     .secondary = SECONDARY_X2APIC | SECONDARY_INTERRUPT_DELIVERY}, /* see virtual_apic.c */
    {"EPT 2 MiB pages", "more memory for tables, more TLB misses", false, .ept = EPT_2M},
    {"EPT 1 GiB pages", "more TLB misses for guests of 1 GiB and more", false, .ept = EPT_1G},
};

static bool is_there(const struct vmx_capability *c, const struct line *l)
{
    return !((l->pin & ~c->pin.one_settings) | (l->processor & ~c->processor.one_settings) |
             (l->secondary & ~c->secondary.one_settings) | (l->exit & ~c->exit.one_settings) |
             (l->entry & ~c->entry.one_settings) | (l->ept & ~c->ept_vpid));
}

bool vmx_capability_report(const struct vmx_capability *c, struct sink *out)
{
    struct backend_feature features[array_size(lines)];
    for (size_t i = 0; i < array_size(lines); i++)
        features[i] =
            (struct backend_feature){lines[i].name, is_there(c, &lines[i]), lines[i].needed, lines[i].without};
    return backend_features_print(features, array_size(lines), out);
}
