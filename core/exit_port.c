/*
 * IN and OUT: to the platform's models. What follows when no model owns the port is the partition's policy; by default
 * it reads all-ones and swallows writes, as on a PC. INS and OUTS reach memory through the guest's own page tables.
 */
#include "core/cpu.h"
#include "core/exit_handle.h"
#include "core/port_string.h"

/* A port that no model owns reads all-ones; the policy for it was asked before. */
static bool string_access(void *context, struct bus_access *access)
{
    struct vcpu *vcpu = context;
    struct platform_outcome outcome;
    if (platform_port(vcpu->partition->platform, access, cpu_clock(), &outcome))
        partition_deliver(vcpu->partition, &outcome);
    else if (!access->write)
        access->value = bus_all_ones(access->size);
    return true;
}

static void exit_port_string(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct vcpu_state_view view;
    if (!platform_owns_port(vcpu->partition->platform, exit->address) && !exit_refuse(vcpu, backend, exit))
        return;
    backend->view(vcpu, &view);
    struct guest_memory memory = exit_guest_memory(vcpu);
    struct mmio_outcome outcome;
    enum mmio_result result = port_string_emulate(vcpu, &view, exit, &memory, string_access, vcpu, &outcome);
    exit_emulated(vcpu, backend, exit, result, &outcome, view.rip);
}

void exit_port(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct partition *p = vcpu->partition;
    uint64_t mask = bus_all_ones(exit->size);
    if (exit->string) {
        exit_port_string(vcpu, backend, exit);
        return;
    }
    struct bus_access access = {
        .address = exit->address,
        .size = exit->size,
        .write = exit->write,
        .value = exit->value & mask,
    };
    struct platform_outcome outcome;
    bool owned = platform_port(p->platform, &access, cpu_clock(), &outcome);
    if (!owned && !exit_refuse(vcpu, backend, exit))
        return;
    if (!exit->write) {
        uint64_t value = owned ? access.value & mask : mask;
        uint64_t rax = vcpu->gpr[GPR_RAX];
        vcpu->gpr[GPR_RAX] = exit->size == 4 ? value : (rax & ~mask) | value;
    }
    backend->advance(vcpu, exit);
    if (owned)
        partition_deliver(p, &outcome);
}
