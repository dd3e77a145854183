/*
 * An access that the nested tables refuse: a device's registers, or an address that is not the partition's.
 */
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/fast_memory.h"
#include "core/register_bits.h"
#include "core/virtual_interrupts.h"

/* Who makes the accesses of one instruction. */
struct accessor {
    struct vcpu *vcpu;
    const struct backend *backend;
};

static bool device_access(void *context, struct bus_access *access)
{
    const struct accessor *by = context;
    struct vcpu *vcpu = by->vcpu;
    struct partition *p = vcpu->partition;
    struct platform_outcome outcome;
    if (virtual_interrupts_memory(vcpu, access))
        return true;
    if (platform_memory(p->platform, access, cpu_clock(), &outcome)) {
        partition_deliver(p, &outcome);
        return true;
    }
    if (!exit_memory_is_lenient(vcpu))
        return false;
    /* Registers change only after the access (core/mmio.c): the backend may look at them anew for the words about it.
     */
    struct exit nobody = {.kind = EXIT_MEMORY, .address = access->address, .write = access->write};
    if (!access->write)
        access->value = bus_all_ones(access->size);
    return exit_refuse(vcpu, by->backend, &nobody);
}

void exit_refuse_memory(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    /* Only a fetch is let through here: all ones are no instruction. */
    if (exit_refuse(vcpu, backend, exit))
        backend->inject_exception(vcpu, VECTOR_UD, 0);
}

/* With an instruction that is known; the operand has 32 bits. False, with nothing done: it is not, or nobody answers.
 */
static bool known_access(struct vcpu *vcpu, const struct vcpu_state_view *view, const struct backend *backend,
                         const struct exit *exit)
{
    struct fast_access place = {
        .rip = view->rip, .cr3 = view->cr3, .cr4 = view->cr4, .address = exit->address, .write = exit->write};
    bool long_mode = (view->efer & EFER_LMA) != 0 && view->cs_long;
    const struct fast_code *code = exit->own && long_mode ? fast_memory_find(vcpu, &place) : NULL;
    if (code == NULL)
        return false;
    struct bus_access access = {.address = exit->address, .size = FAST_CODE_OPERAND, .write = code->write};
    access.value = code->write ? fast_memory_value(vcpu, code) : 0;
    struct accessor by = {vcpu, backend};
    if (!device_access(&by, &access))
        return false;
    if (!code->write)
        fast_memory_set(vcpu, code, (uint32_t)access.value);
    struct exit done = *exit;
    done.length = code->length;
    backend->advance(vcpu, &done);
    return true;
}

void exit_memory(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct vcpu_state_view view;
    backend->view(vcpu, &view);
    bool device = virtual_interrupts_owns_memory(vcpu, exit->address) ||
                  platform_owns_memory(vcpu->partition->platform, exit->address);
    if (exit->fetch || (!device && !exit_memory_is_lenient(vcpu))) {
        exit_refuse_memory(vcpu, backend, exit);
        return;
    }
    if (known_access(vcpu, &view, backend, exit))
        return;
    struct guest_memory memory = exit_guest_memory(vcpu);
    struct accessor by = {vcpu, backend};
    struct mmio_outcome outcome;
    enum mmio_result result = mmio_emulate(vcpu, &view, gpa(exit->address), &memory, device_access, &by, &outcome);
    exit_emulated(vcpu, backend, exit, result, &outcome, view.rip);
    if (result == MMIO_DONE)
        fast_memory_learn(vcpu, &view, &outcome);
}
