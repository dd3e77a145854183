/*
 * IN and OUT: to the platform's models. What follows when no model owns the port is the partition's policy; by default
 * it reads all-ones and swallows writes, as on a PC.
 */
#include "core/cpu.h"
#include "core/exit_handle.h"

static uint64_t size_mask(uint8_t size) { return size == 4 ? 0xffffffffull : (1ull << 8 * size) - 1; }

void exit_port(struct vcpu *vcpu, const struct backend *backend, const struct exit *exit)
{
    struct partition *p = vcpu->partition;
    if (exit->string) {
        exit_port_string(vcpu, backend, exit);
        return;
    }
    struct bus_access access = {
        .address = exit->address,
        .size = exit->size,
        .write = exit->write,
        .value = exit->value & size_mask(exit->size),
    };
    struct platform_outcome outcome;
    bool owned = platform_port(p->platform, &access, cpu_clock(), &outcome);
    if (!owned && !exit_refuse_port(vcpu, backend, exit))
        return;
    if (!exit->write) {
        uint64_t value = owned ? access.value & size_mask(exit->size) : size_mask(exit->size);
        uint64_t rax = vcpu->gpr[GPR_RAX];
        vcpu->gpr[GPR_RAX] = exit->size == 4 ? value : (rax & ~size_mask(exit->size)) | value;
    }
    backend->advance(vcpu, exit);
    if (owned)
        partition_deliver(p, &outcome);
}
