/*
 * VT-x as core/ sees it.
 */
#include "arch/x86_64/backends.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/cpu_instructions.h"
#include "arch/x86_64/heap.h"
#include "arch/x86_64/msr_index.h"
#include "arch/x86_64/percpu.h"
#include "arch/x86_64/vmx/vmx.h"
#include "core/partition.h"

struct vmx_capability vmx_capability;

_Static_assert(sizeof(struct vmx_vcpu) <= BACKEND_VCPU_BYTES, "what is reserved for a vCPU's part at boot");

/* Exceptions that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC, #CP. */
#define VECTORS_WITH_ERROR (1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 | 1u << 21)

static bool has_vmx(void)
{
    struct cpuid_regs r;
    cpu_cpuid(1, 0, &r);
    return r.ecx & (1u << 5);
}

static bool locked_off(void)
{
    uint64_t control = msr_read(MSR_IA32_FEATURE_CONTROL);
    return (control & FEATURE_CONTROL_LOCKED) && !(control & FEATURE_CONTROL_VMX_OUTSIDE_SMX);
}

/*
 * Its value must be saved at exits: else each entry would wind it up again, and a guest that keeps exiting would never
 * be left.
 */
static bool has_timer(void)
{
    return (vmx_capability.pin.one_settings & PIN_PREEMPTION_TIMER) &&
           (vmx_capability.exit.one_settings & EXIT_CONTROL_SAVE_TIMER);
}

static bool vmx_probe(struct cpu_caps *caps, struct sink *out)
{
    bool there = has_vmx();
    if (!backend_presence_print("VT-x", there, there && locked_off(),
                                "\"Intel Virtualization Technology\" (VT-x) in the firmware's setup", out))
        return false;
    vmx_capability_read(&vmx_capability);
    caps->nested_2m = vmx_capability.ept_vpid & EPT_2M;
    caps->guest_timer = has_timer();
    caps->nested_1g = vmx_capability.ept_vpid & EPT_1G;
    return vmx_capability_report(&vmx_capability, out);
}

static bool vmx_cpu_on(struct sink *errors)
{
    if (!has_vmx() || locked_off()) {
        sink_print(errors, "CPU %u: VT-x is not there or locked off by firmware on this CPU alone\n", cpu_current());
        return false;
    }
    uint64_t control = msr_read(MSR_IA32_FEATURE_CONTROL);
    if (!(control & FEATURE_CONTROL_LOCKED))
        msr_write(MSR_IA32_FEATURE_CONTROL, control | FEATURE_CONTROL_LOCKED | FEATURE_CONTROL_VMX_OUTSIDE_SMX);

    uint32_t *region = heap_alloc(PAGE_SIZE);
    if (region == NULL) {
        sink_print(errors, "CPU %u: no memory left for its VMXON region\n", cpu_current());
        return false;
    }
    *region = (uint32_t)vmx_capability.basic;
    cr0_write((cr0_read() | vmx_capability.cr0_fixed0) & vmx_capability.cr0_fixed1);
    cr4_write((cr4_read() | CR4_VMXE | vmx_capability.cr4_fixed0) & vmx_capability.cr4_fixed1);

    uint64_t address = heap_phys(region).raw;
    bool failed;
    __asm__ volatile("vmxon %1; setna %0" : "=q"(failed) : "m"(address) : "cc", "memory");
    if (failed)
        sink_print(errors, "CPU %u: VMXON was refused\n", cpu_current());
    return !failed;
}

static void vmx_cpu_off(void)
{
    __asm__ volatile("vmxoff" : : : "cc", "memory");
    cr4_write(cr4_read() & ~CR4_VMXE);
}

static void entry_failed(struct vcpu *vcpu, struct exit *exit)
{
    vmx_of(vcpu)->last_error = vmcs_read(VMCS_INSTRUCTION_ERROR);
    *exit = (struct exit){.kind = EXIT_ENTRY_FAILED, .raw_detail = vmx_of(vcpu)->last_error};
}

/* The timer counts only while the guest itself runs; a guest that does nothing but exit hardly runs. */
enum { FAST_EXITS = 1024 };

static void vmx_run(struct vcpu *vcpu, struct exit *exit)
{
    struct vmx_vcpu *v = vmx_of(vcpu);
    /* Once for each look at the console: exits that are dealt with below must not wind it up again. */
    if (v->timer != 0)
        vmcs_write(VMCS_PREEMPTION_TIMER, v->timer);
    for (;;) {
        vcpu->fast_left = v->timer != 0 ? FAST_EXITS : INT32_MAX; /* only the console's CPU has to look up */
        switch (vmx_enter(vcpu, v->launched)) {
        case VMX_KICKED:
            *exit = (struct exit){.kind = EXIT_KICK};
            return;
        case VMX_FAILED:
            entry_failed(vcpu, exit);
            return;
        case VMX_EXITED:
            v->launched = true;
            if (vmx_exit_decode(vcpu, exit))
                return;
            /* The console's CPU must get its look even when no guest instruction ever completes. */
            if (v->timer != 0) {
                *exit = (struct exit){.kind = EXIT_TIMER};
                return;
            }
            break;
        }
    }
}

void vmx_backend_advance(struct vcpu *vcpu, const struct exit *exit)
{
    (void)vcpu;
    uint64_t rip = vmcs_read(VMCS_GUEST_RIP) + exit->length;
    if (!(vmcs_read(VMCS_GUEST_CS_RIGHTS) & RIGHTS_LONG))
        rip &= 0xffffffff;
    vmcs_write(VMCS_GUEST_RIP, rip);
    uint64_t interruptibility = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
    if (interruptibility & INTERRUPTIBILITY_SHADOW)
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, interruptibility & ~INTERRUPTIBILITY_SHADOW);
    /* A guest that single-steps expects its #DB after this instruction too. */
    if (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF)
        vmcs_write(VMCS_GUEST_PENDING_DEBUG, vmcs_read(VMCS_GUEST_PENDING_DEBUG) | 1u << 14);
}

static void vmx_inject_exception(struct vcpu *vcpu, uint8_t vector, uint32_t error_code)
{
    /* In real mode exceptions push no error code, and an entry that asks for one is refused. */
    bool protected_mode = vmcs_read(VMCS_GUEST_CR0) & CR0_PE;
    bool has_error = protected_mode && vector < 32 && ((VECTORS_WITH_ERROR >> vector) & 1);
    (void)vcpu;
    vmx_inject(vector, INTERRUPTION_HARDWARE, has_error, error_code);
}

static void vmx_write_back(struct vcpu *vcpu, uint64_t rflags)
{
    vmcs_write(VMCS_GUEST_RFLAGS, rflags);
    vmcs_write(VMCS_GUEST_RSP, vcpu->gpr[GPR_RSP]);
}

/* VT-x does not switch CR2: the guest's is in the CPU. */
static void vmx_set_cr2(struct vcpu *vcpu, uint64_t address)
{
    (void)vcpu;
    cr2_write(address);
}

bool vmx_control_set(uint32_t *written, uint32_t field, uint32_t control, bool on)
{
    uint32_t wanted = on ? *written | control : *written & ~control;
    if (wanted == *written)
        return false;
    *written = wanted;
    vmcs_write(field, wanted);
    return true;
}

static void window_set(struct vcpu *vcpu, uint32_t window, bool open)
{
    vmx_control_set(&vmx_of(vcpu)->processor_controls, VMCS_PROCESSOR_CONTROLS, window, open);
}

/* Whether the next entry can deliver an event that these hold back. */
static bool is_open(uint64_t blocking)
{
    return !(vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & blocking) &&
           !(vmcs_read(VMCS_ENTRY_INTERRUPTION) & INTERRUPTION_VALID);
}

static bool vmx_inject_nmi(struct vcpu *vcpu)
{
    bool ready = is_open(INTERRUPTIBILITY_SHADOW | INTERRUPTIBILITY_NMI);
    window_set(vcpu, PROCESSOR_NMI_WINDOW, !ready);
    if (ready)
        vmx_inject(2, INTERRUPTION_NMI, false, 0);
    return ready;
}

static bool vmx_interrupt_ready(struct vcpu *vcpu)
{
    bool ready = is_open(INTERRUPTIBILITY_SHADOW) && (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
    window_set(vcpu, PROCESSOR_INTERRUPT_WINDOW, !ready);
    return ready;
}

static void vmx_inject_interrupt(struct vcpu *vcpu, uint8_t vector)
{
    (void)vcpu;
    vmx_inject(vector, INTERRUPTION_EXTERNAL, false, 0);
}

static void vmx_interrupt_quiet(struct vcpu *vcpu) { window_set(vcpu, PROCESSOR_INTERRUPT_WINDOW, false); }

static bool vmx_set_timer(struct vcpu *vcpu, uint64_t ticks)
{
    if (!has_timer())
        return false;
    /* Counts down by 1 each time bit X of the TSC changes: X is IA32_VMX_MISC[4:0]. */
    uint64_t value = ticks >> (vmx_capability.misc & 31);
    vmx_of(vcpu)->timer = ticks == 0 ? 0 : value == 0 ? 1 : value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
    return true;
}

static void vmx_nested_flush(struct vcpu *vcpu)
{
    uint64_t tables[] = {vcpu->partition->nested.root.raw | EPTP_WRITE_BACK | EPTP_WALK_4, 0};
    uint64_t space[] = {vcpu->partition->asid, 0};
    uint64_t has = vmx_capability.ept_vpid;
    if (has & EPT_INVEPT)
        __asm__ volatile("invept %0, %1" : : "m"(tables), "r"(has & EPT_INVEPT_SINGLE ? 1ull : 2ull) : "cc", "memory");
    if (has & VPID_INVVPID)
        __asm__ volatile("invvpid %0, %1" : : "m"(space), "r"(has & VPID_SINGLE ? 1ull : 2ull) : "cc", "memory");
}

static const struct nested_format ept_format = {
    .table = 7,
    .leaf = 0,
    .leaf_large = 1u << 7,
    .write_back = 6u << 3,
    .uncached = 0,
    .read = 1,
    .write = 2,
    .execute = 4,
    .no_execute = 0,
};

const struct backend vmx_backend = {
    .name = "VT-x",
    .probe = vmx_probe,
    .cpu_on = vmx_cpu_on,
    .cpu_off = vmx_cpu_off,
    .vcpu_create = vmx_vcpu_create,
    .vcpu_reset = vmx_vcpu_reset,
    .run = vmx_run,
    .advance = vmx_backend_advance,
    .inject_exception = vmx_inject_exception,
    .inject_nmi = vmx_inject_nmi,
    .interrupt_ready = vmx_interrupt_ready,
    .inject_interrupt = vmx_inject_interrupt,
    .interrupt_quiet = vmx_interrupt_quiet,
    .interrupt_offer = vmx_interrupt_offer,
    .set_timer = vmx_set_timer,
    .view = vmx_vcpu_view,
    .write_back = vmx_write_back,
    .set_cr2 = vmx_set_cr2,
    .dump = vmx_vcpu_dump,
    .nested_format = &ept_format,
    .nested_flush = vmx_nested_flush,
};
