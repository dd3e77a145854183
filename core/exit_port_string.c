/*
 * INS and OUTS: ports as for IN and OUT, memory through the guest's own page tables.
 */
#include "core/bytes.h"
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"
#include "core/port_string.h"

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    return partition_read(context, from, to, size);
}
static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    return partition_write(context, to, from, size);
}

/* A port that no model owns reads all-ones; the policy for it was asked before. */
static bool port_access(void *context, struct bus_access *access)
{
    struct vcpu *vcpu = context;
    struct platform_outcome outcome;
    if (platform_port(vcpu->partition->platform, access, cpu_clock(), &outcome))
        partition_deliver(vcpu->partition, &outcome);
    else if (!access->write)
        access->value = bus_all_ones(access->size);
    return true;
}

static void end(struct vcpu *vcpu, const struct exit *exit, const struct mmio_outcome *outcome, uint64_t rip)
{
    char bytes[3 * DECODE_MAX_LENGTH + 1] = "";
    for (size_t i = 0; i < outcome->byte_count; i++)
        text_print(bytes + 3 * i, sizeof bytes - 3 * i, " %02x", outcome->bytes[i]);
    lifecycle_fault(vcpu->partition, FAULT_UNKNOWN, "vCPU %u: %s of port %lx by a string instruction at rip %lx, %s:%s",
                    vcpu->index, exit->write ? "write" : "read", exit->address, rip,
                    outcome->reason != NULL ? outcome->reason : "which could not be carried out", bytes);
}

void exit_port_string(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct vcpu_state_view view;
    if (!platform_owns_port(vcpu->partition->platform, exit->address) && !exit_refuse_port(vcpu, backend, exit))
        return;
    backend->view(vcpu, &view);
    struct guest_memory memory = {.read = ram_read,
                                  .write = ram_write,
                                  .context = vcpu->partition,
                                  .physical_bits = vcpu->partition->machine->caps.physical_bits};
    struct mmio_outcome outcome;
    struct exit done = *exit;
    switch (port_string_emulate(vcpu, &view, exit, &memory, port_access, vcpu, &outcome)) {
    case MMIO_DONE:
        done.length = outcome.length;
        backend->advance(vcpu, &done);
        return;
    case MMIO_AGAIN:
        return;
    case MMIO_EXCEPTION:
        if (outcome.vector == VECTOR_PF)
            backend->set_cr2(vcpu, outcome.cr2);
        backend->inject_exception(vcpu, outcome.vector, outcome.error_code);
        return;
    case MMIO_REFUSED:
    case MMIO_UNKNOWN:
        end(vcpu, exit, &outcome, view.rip);
        return;
    }
}
