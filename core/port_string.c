/*
 * INS and OUTS. Neither vendor's exit record holds all that is needed on all of its CPUs, so the instruction is read
 * from the guest's memory.
 */
#include "core/port_string.h"

#include "core/mmio_operand.h"

static const char not_ram[] = "its memory operand is not the guest's RAM";

/* Memory is translated, and seen to be RAM, before the port is touched: reading a port cannot be undone. */
static enum mmio_result element_move(struct emulation *e)
{
    struct operand memory;
    struct bus_access a = {.address = e->port, .size = e->d.size, .write = e->d.operation == DECODE_OUTS};
    uint8_t index = a.write ? GPR_RSI : GPR_RDI;
    enum decode_segment segment = a.write ? e->d.segment : SEGMENT_ES;
    uint64_t present;
    enum mmio_result result = mmio_locate(e, segment, e->vcpu->gpr[index], !a.write, &memory);
    if (result != MMIO_DONE)
        return result;
    if (!mmio_ram_read(e, &memory, &present))
        return mmio_unknown(e, not_ram);
    a.value = a.write ? present : 0;
    if (!e->access(e->context, &a))
        return mmio_unknown(e, "the port does not answer");
    if (!a.write && !mmio_ram_write(e, &memory, a.value))
        return mmio_unknown(e, not_ram);
    mmio_step(e, index);
    return MMIO_DONE;
}

enum mmio_result port_string_emulate(struct vcpu *vcpu, const struct vcpu_state_view *view, const struct exit *exit,
                                     const struct guest_memory *memory, mmio_access *access, void *context,
                                     struct mmio_outcome *outcome)
{
    struct emulation e = {.vcpu = vcpu,
                          .view = view,
                          .memory = memory,
                          .access = access,
                          .context = context,
                          .out = outcome,
                          .fault_page = MMIO_NO_PAGE,
                          .port = exit->address};
    enum mmio_result result = mmio_fetch(&e);
    if (result != MMIO_DONE)
        return result;
    if (e.d.operation != (exit->write ? DECODE_OUTS : DECODE_INS) || e.d.size != exit->size)
        return mmio_unknown(&e, "the instruction is no longer the one that exited");
    return mmio_repeat(&e, element_move);
}
