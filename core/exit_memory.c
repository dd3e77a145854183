/*
 * An access that the nested tables refuse: a device's registers, or an address that is not the partition's.
 */
#include "core/bytes.h"
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"
#include "core/mmio.h"
#include "core/virtual_interrupts.h"

static bool ram_read(void *context, gpa_t from, void *to, size_t size) { return partition_read(context, from, to, size); }
static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    return partition_write(context, to, from, size);
}

static bool device_access(void *context, struct bus_access *access)
{
    struct vcpu *vcpu = context;
    struct partition *p = vcpu->partition;
    struct platform_outcome outcome;
    if (virtual_interrupts_memory(vcpu, access))
        return true;
    if (!platform_memory(p->platform, access, cpu_clock(), &outcome))
        return false;
    partition_deliver(p, &outcome);
    return true;
}

static void end_refused(struct vcpu *vcpu, const struct exit *exit, uint64_t rip)
{
    lifecycle_end(vcpu->partition, "vCPU %u: %s guest-physical %lx, which is not the partition's (rip %lx)",
                  vcpu->index, exit->fetch ? "executes at" : exit->write ? "writes to" : "reads from", exit->address, rip);
}

static void end_unknown_instruction(struct vcpu *vcpu, const struct exit *exit, const struct mmio_outcome *outcome,
                                    uint64_t rip)
{
    char bytes[3 * DECODE_MAX_LENGTH + 1] = "";
    for (size_t i = 0; i < outcome->byte_count; i++)
        text_print(bytes + 3 * i, sizeof bytes - 3 * i, " %02x", outcome->bytes[i]);
    lifecycle_end(vcpu->partition, "vCPU %u: access to guest-physical %lx at rip %lx %s:%s", vcpu->index, exit->address,
                  rip, outcome->reason, bytes);
}

void exit_memory(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct vcpu_state_view view;
    backend->view(vcpu, &view);
    bool device = virtual_interrupts_owns_memory(vcpu, exit->address) ||
                  platform_owns_memory(vcpu->partition->platform, exit->address);
    if (exit->fetch || !device) {
        end_refused(vcpu, exit, view.rip);
        return;
    }
    struct guest_memory memory = {.read = ram_read,
                                  .write = ram_write,
                                  .context = vcpu->partition,
                                  .physical_bits = vcpu->partition->machine->caps.physical_bits};
    struct mmio_outcome outcome;
    struct exit done = *exit;
    switch (mmio_emulate(vcpu, &view, gpa(exit->address), &memory, device_access, vcpu, &outcome)) {
    case MMIO_DONE:
        done.length = outcome.length;
        backend->write_back(vcpu, outcome.rflags);
        backend->advance(vcpu, &done);
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
        end_refused(vcpu, &done, view.rip);
        return;
    case MMIO_UNKNOWN:
        end_unknown_instruction(vcpu, exit, &outcome, view.rip);
        return;
    }
}
