/*
 * Instructions that are carried out for the guest: what of the guest they reach, and what follows from how they ended.
 */
#include "core/bytes.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    return partition_read(context, from, to, size);
}
static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    return partition_write(context, to, from, size);
}

struct guest_memory exit_guest_memory(const struct vcpu *vcpu)
{
    return (struct guest_memory){.read = ram_read,
                                 .write = ram_write,
                                 .context = vcpu->partition,
                                 .physical_bits = vcpu->partition->machine->caps.physical_bits};
}

static void end_unknown_instruction(struct vcpu *vcpu, const struct exit *exit, const struct mmio_outcome *outcome,
                                    uint64_t rip)
{
    bool port = exit->kind == EXIT_PORT;
    char bytes[3 * DECODE_MAX_LENGTH + 1] = "";
    for (size_t i = 0; i < outcome->byte_count; i++)
        text_print(bytes + 3 * i, sizeof bytes - 3 * i, " %02x", outcome->bytes[i]);
    lifecycle_fault(vcpu->partition, FAULT_UNKNOWN, "vCPU %u: %s %lx%s at rip %lx%s %s:%s", vcpu->index,
                    !port         ? "access to guest-physical"
                    : exit->write ? "write of port"
                                  : "read of port",
                    exit->address, port ? " by a string instruction" : "", rip, port ? "," : "",
                    outcome->reason != NULL ? outcome->reason : "which could not be carried out", bytes);
}

void exit_emulated(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit, enum mmio_result result,
                   const struct mmio_outcome *outcome, uint64_t rip)
{
    struct exit done = *exit;
    switch (result) {
    case MMIO_DONE:
        done.length = outcome->length;
        backend->write_back(vcpu, outcome->rflags);
        backend->advance(vcpu, &done);
        return;
    case MMIO_AGAIN:
        backend->write_back(vcpu, outcome->rflags);
        return;
    case MMIO_EXCEPTION:
        if (outcome->vector == VECTOR_PF)
            backend->set_cr2(vcpu, outcome->cr2);
        backend->inject_exception(vcpu, outcome->vector, outcome->error_code);
        return;
    case MMIO_REFUSED: /* not always the access that exited: a string instruction has two */
        done.address = outcome->refused.address;
        done.write = outcome->refused.write;
        exit_refuse_memory(vcpu, backend, &done);
        return;
    case MMIO_UNKNOWN:
        end_unknown_instruction(vcpu, exit, outcome, rip);
        return;
    }
}
