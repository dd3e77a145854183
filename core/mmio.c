/* Device-memory emulation: fetch, decode, translate, access, and only then change registers and flags. */
#include "core/mmio.h"

#include "core/alu.h"
#include "core/mmio_operand.h"
#include "core/range.h"

#define FLAG_DF  ((uint64_t)1 << 10)
#define EFER_LMA ((uint64_t)1 << 10)

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
        return mmio_unknown(e, "the instruction does not touch the address that was refused");
    return e->d.form == DECODE_TO_REGISTER ? emulate_to_register(e, &o) : emulate_to_memory(e, &o);
}

/* Moves an index register by one element, in the direction that DF says. */
static void step(struct emulation *e, uint8_t reg)
{
    uint64_t delta = e->view->rflags & FLAG_DF ? -(uint64_t)e->d.size : e->d.size;
    mmio_gpr_write(e, reg, e->d.address_size, e->vcpu->gpr[reg] + delta);
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
        step(e, GPR_RSI);
    if (stores)
        step(e, GPR_RDI);
    else
        mmio_gpr_write(e, GPR_RAX, e->d.size, value);
    return MMIO_DONE;
}

static enum mmio_result emulate_string(struct emulation *e)
{
    unsigned width = e->d.address_size;
    for (unsigned done = 0; done < MMIO_MAX_ELEMENTS; done++) {
        if (e->d.repeat && mmio_gpr(e, GPR_RCX, width) == 0)
            return MMIO_DONE;
        enum mmio_result result = string_element(e);
        if (result == MMIO_AGAIN && done == 0)
            return mmio_unknown(e, "the instruction does not touch the address that was refused");
        if (result != MMIO_DONE || !e->d.repeat)
            return result;
        mmio_gpr_write(e, GPR_RCX, width, e->vcpu->gpr[GPR_RCX] - 1);
    }
    return mmio_gpr(e, GPR_RCX, width) == 0 ? MMIO_DONE : MMIO_AGAIN;
}

/* The instruction's bytes */

static enum decode_mode code_mode(const struct vcpu_state_view *view)
{
    if ((view->efer & EFER_LMA) && view->cs_long)
        return DECODE_64;
    return view->cs_default32 ? DECODE_32 : DECODE_16;
}

/* Fetches up to the end of the page, or up to 15 bytes in all. */
static enum mmio_result fetch_part(struct emulation *e)
{
    struct mmio_outcome *out = e->out;
    uint64_t linear = e->view->rip + out->byte_count;
    if (e->mode != DECODE_64)
        linear = (linear + e->view->cs_base) & UINT32_MAX;
    uint64_t room = PAGE_SIZE - linear % PAGE_SIZE;
    uint64_t wanted = (uint64_t)DECODE_MAX_LENGTH - out->byte_count;
    uint64_t size = room < wanted ? room : wanted;

    uint64_t at;
    enum mmio_result result = mmio_translate(e, linear, WALK_FETCH, false, &at);
    if (result != MMIO_DONE)
        return result;
    if (!e->memory->read(e->memory->context, gpa(at), out->bytes + out->byte_count, size))
        return mmio_unknown(e, "the instruction lies outside the guest's RAM");
    out->byte_count = (uint8_t)(out->byte_count + size);
    return MMIO_DONE;
}

/* Fetches and decodes. The next page is looked at only when the instruction really goes on there. */
static enum mmio_result fetch(struct emulation *e)
{
    enum decode_result decoded = DECODE_TRUNCATED;
    while (decoded == DECODE_TRUNCATED) {
        enum mmio_result result = fetch_part(e);
        if (result != MMIO_DONE)
            return result;
        decoded = decode_instruction(e->mode, e->out->bytes, e->out->byte_count, &e->d);
    }
    if (decoded == DECODE_TOO_LONG)
        return mmio_exception(e, VECTOR_GP, 0, 0);
    if (decoded == DECODE_UNDEFINED)
        return mmio_exception(e, VECTOR_UD, 0, 0);
    if (decoded != DECODE_OK)
        return mmio_unknown(e, "the decoder does not know the instruction");
    e->out->length = e->d.length;
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
                          .fault_page = align_down(fault_address.raw, PAGE_SIZE),
                          .mode = code_mode(view)};
    *outcome = (struct mmio_outcome){.rflags = view->rflags};
    enum mmio_result result = fetch(&e);
    if (result != MMIO_DONE)
        return result;
    return e.d.form == DECODE_STRING ? emulate_string(&e) : emulate_plain(&e);
}
