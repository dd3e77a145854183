/* Device-memory emulation: translate, access, and only then change registers and flags. */
#include "core/mmio.h"

#include "core/alu.h"
#include "core/mmio_operand.h"
#include "core/range.h"

static enum mmio_result emulate_to_memory(struct emulation *e, const struct operand *o)
{
    bool immediate = e->d.form == DECODE_FROM_IMMEDIATE;
    uint64_t source = immediate ? e->d.immediate : mmio_register(e);
    uint64_t old = 0;
    enum mmio_result result = MMIO_DONE;

    if (e->d.operation != DECODE_MOV)
        result = mmio_operand_read(e, o, &old);
    if (result != MMIO_DONE)
        return result;
    uint64_t rflags = e->view->rflags;
    uint64_t value = alu_compute(e->d.operation, old, source, e->d.size, &rflags);
    if (alu_writes(e->d.operation))
        result = mmio_operand_write(e, o, value);
    if (result != MMIO_DONE)
        return result;
    if (e->d.operation == DECODE_XCHG)
        mmio_register_write(e, old);
    e->out->rflags = rflags;
    return MMIO_DONE;
}

static enum mmio_result emulate_to_register(struct emulation *e, const struct operand *o)
{
    uint64_t source;
    enum mmio_result result = mmio_operand_read(e, o, &source);
    if (result != MMIO_DONE)
        return result;
    if (e->d.operation == DECODE_MOVSX)
        source = sign_extend(source, e->d.size);
    uint64_t value = alu_compute(e->d.operation, mmio_register(e), source, e->d.register_size, &e->out->rflags);
    if (alu_writes(e->d.operation))
        mmio_register_write(e, value);
    return MMIO_DONE;
}

static enum mmio_result emulate_plain(struct emulation *e)
{
    struct operand o;
    bool write = e->d.form != DECODE_TO_REGISTER && alu_writes(e->d.operation);
    uint64_t offset = mmio_effective_offset(e) + mmio_bit_offset(e);
    enum mmio_result result = mmio_locate(e, e->d.segment, offset, write, &o);
    if (result != MMIO_DONE)
        return result;
    if (!mmio_on_fault_page(e, &o))
        return mmio_unknown(e, mmio_elsewhere);
    return e->d.form == DECODE_TO_REGISTER ? emulate_to_register(e, &o) : emulate_to_memory(e, &o);
}

/* One element. MMIO_AGAIN: it no longer touches the page that was refused, so the CPU can do it itself. */
static enum mmio_result string_element(struct emulation *e)
{
    bool loads = e->d.operation != DECODE_STOS;
    bool stores = e->d.operation != DECODE_LODS;
    struct operand from = {0}, to = {0};
    uint64_t value = mmio_gpr(e, GPR_RAX, e->d.size);
    enum mmio_result result = MMIO_DONE;

    if (loads)
        result = mmio_locate(e, e->d.segment, e->vcpu->gpr[GPR_RSI], false, &from);
    if (result == MMIO_DONE && stores)
        result = mmio_locate(e, SEGMENT_ES, e->vcpu->gpr[GPR_RDI], true, &to);
    if (result != MMIO_DONE)
        return result;
    if (!mmio_on_fault_page(e, &from) && !mmio_on_fault_page(e, &to))
        return MMIO_AGAIN;
    if (loads)
        result = mmio_operand_read(e, &from, &value);
    if (result == MMIO_DONE && stores)
        result = mmio_operand_write(e, &to, value);
    if (result != MMIO_DONE)
        return result;
    if (loads)
        mmio_step(e, GPR_RSI);
    if (stores)
        mmio_step(e, GPR_RDI);
    else
        mmio_gpr_write(e, GPR_RAX, e->d.size, value);
    return MMIO_DONE;
}

enum mmio_result mmio_emulate(struct vcpu *vcpu, const struct vcpu_state_view *view, gpa_t fault_address,
                              const struct guest_memory *memory, mmio_access *access, void *context,
                              struct mmio_outcome *outcome)
{
    struct emulation e = {.vcpu = vcpu,
                          .view = view,
                          .memory = memory,
                          .access = access,
                          .context = context,
                          .out = outcome,
                          .fault_page = align_down(fault_address.raw, PAGE_SIZE)};
    enum mmio_result result = mmio_fetch(&e);
    if (result != MMIO_DONE)
        return result;
    if (e.d.operation == DECODE_INS || e.d.operation == DECODE_OUTS)
        return mmio_unknown(&e, "a port's string instruction reaches no device's memory");
    return e.d.form == DECODE_STRING ? mmio_repeat(&e, string_element) : emulate_plain(&e);
}
