/*
 * An access that the nested tables refuse: a device's registers, or an address that is not the partition's.
 */
#include "core/bytes.h"
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/fast_memory.h"
#include "core/lifecycle.h"
#include "core/mmio.h"
#include "core/virtual_interrupts.h"

#define EFER_LMA ((uint64_t)1 << 10)

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    return partition_read(context, from, to, size);
}
static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    return partition_write(context, to, from, size);
}

/* Who makes the accesses of one instruction. */
struct accessor {
    struct vcpu *vcpu;
    uint64_t rip;
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
    exit_memory_told(vcpu, access->address, access->write, by->rip);
    if (!access->write)
        access->value = bus_all_ones(access->size);
    return true;
}

static void end_unknown_instruction(struct vcpu *vcpu, const struct exit *exit, const struct mmio_outcome *outcome,
                                    uint64_t rip)
{
    char bytes[3 * DECODE_MAX_LENGTH + 1] = "";
    for (size_t i = 0; i < outcome->byte_count; i++)
        text_print(bytes + 3 * i, sizeof bytes - 3 * i, " %02x", outcome->bytes[i]);
    lifecycle_fault(vcpu->partition, FAULT_UNKNOWN, "vCPU %u: access to guest-physical %lx at rip %lx %s:%s",
                    vcpu->index, exit->address, rip, outcome->reason, bytes);
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
    struct accessor by = {vcpu, view->rip};
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
        exit_refuse_memory(vcpu, backend, exit, view.rip);
        return;
    }
    if (known_access(vcpu, &view, backend, exit))
        return;
    struct guest_memory memory = {.read = ram_read,
                                  .write = ram_write,
                                  .context = vcpu->partition,
                                  .physical_bits = vcpu->partition->machine->caps.physical_bits};
    struct accessor by = {vcpu, view.rip};
    struct mmio_outcome outcome;
    struct exit done = *exit;
    switch (mmio_emulate(vcpu, &view, gpa(exit->address), &memory, device_access, &by, &outcome)) {
    case MMIO_DONE:
        done.length = outcome.length;
        backend->write_back(vcpu, outcome.rflags);
        backend->advance(vcpu, &done);
        fast_memory_learn(vcpu, &view, &outcome);
        return;
    case MMIO_AGAIN:
        backend->write_back(vcpu, outcome.rflags);
        return;
    case MMIO_EXCEPTION:
        if (outcome.vector == VECTOR_PF)
            backend->set_cr2(vcpu, outcome.cr2);
        backend->inject_exception(vcpu, outcome.vector, outcome.error_code);
        return;
    case MMIO_REFUSED: /* not always the access that exited: a string instruction has two */
        done.address = outcome.refused.address;
        done.write = outcome.refused.write;
        exit_refuse_memory(vcpu, backend, &done, view.rip);
        return;
    case MMIO_UNKNOWN:
        end_unknown_instruction(vcpu, exit, &outcome, view.rip);
        return;
    }
}
