/*
 * Operands of an emulated instruction: registers, where a memory operand lies, and getting at it in RAM or a device.
 */
#include "core/mmio_operand.h"

#include "core/alu.h"
#include "core/bytes.h"
#include "core/range.h"

#define FLAG_DF ((uint64_t)1 << 10)

enum mmio_result mmio_unknown(struct emulation *e, const char *reason)
{
    e->out->reason = reason;
    return MMIO_UNKNOWN;
}

enum mmio_result mmio_exception(struct emulation *e, uint8_t vector, uint32_t error_code, uint64_t cr2)
{
    e->out->vector = vector;
    e->out->error_code = error_code;
    e->out->cr2 = cr2;
    return MMIO_EXCEPTION;
}

const char mmio_elsewhere[] = "the instruction does not touch the address that was refused";

/* Registers */

uint64_t mmio_gpr(const struct emulation *e, uint8_t reg, unsigned size) { return e->vcpu->gpr[reg] & size_mask(size); }

/* A 32-bit result clears the upper half; narrower ones leave the rest of the register alone. */
void mmio_gpr_write(struct emulation *e, uint8_t reg, unsigned size, uint64_t value)
{
    uint64_t mask = size >= 4 ? UINT64_MAX : size_mask(size);
    uint64_t *slot = &e->vcpu->gpr[reg];
    *slot = (*slot & ~mask) | (value & size_mask(size));
}

void mmio_step(struct emulation *e, uint8_t reg)
{
    uint64_t delta = e->view->rflags & FLAG_DF ? -(uint64_t)e->d.size : e->d.size;
    mmio_gpr_write(e, reg, e->d.address_size, e->vcpu->gpr[reg] + delta);
}

uint64_t mmio_register(const struct emulation *e)
{
    unsigned shift = e->d.high_byte ? 8 : 0;
    return (e->vcpu->gpr[e->d.reg] >> shift) & size_mask(e->d.register_size);
}

void mmio_register_write(struct emulation *e, uint64_t value)
{
    if (!e->d.high_byte) {
        mmio_gpr_write(e, e->d.reg, e->d.register_size, value);
        return;
    }
    uint64_t *slot = &e->vcpu->gpr[e->d.reg];
    *slot = (*slot & ~(uint64_t)0xff00) | (value & 0xff) << 8;
}

/* Addresses */

static uint64_t segment_base(const struct emulation *e, enum decode_segment segment)
{
    const struct vcpu_state_view *v = e->view;
    if (e->mode == DECODE_64 && segment != SEGMENT_FS && segment != SEGMENT_GS)
        return 0;
    switch (segment) {
    case SEGMENT_ES:
        return v->es_base;
    case SEGMENT_CS:
        return v->cs_base;
    case SEGMENT_SS:
        return v->ss_base;
    case SEGMENT_DS:
        return v->ds_base;
    case SEGMENT_FS:
        return v->fs_base;
    case SEGMENT_GS:
        return v->gs_base;
    }
    return 0;
}

/* Address arithmetic wraps at the mode's width, as the architecture says. */
static uint64_t linear_address(const struct emulation *e, enum decode_segment segment, uint64_t offset)
{
    uint64_t linear = segment_base(e, segment) + (offset & size_mask(e->d.address_size));
    return e->mode == DECODE_64 ? linear : linear & UINT32_MAX;
}

uint64_t mmio_effective_offset(const struct emulation *e)
{
    const struct decoded *d = &e->d;
    uint64_t offset = d->displacement;
    if (d->base != DECODE_NO_REGISTER)
        offset += e->vcpu->gpr[d->base];
    if (d->index != DECODE_NO_REGISTER)
        offset += e->vcpu->gpr[d->index] * d->scale;
    if (d->rip_relative)
        offset += e->view->rip + d->length;
    return offset;
}

/* A bit number in a register reaches beyond the operand: whole operands are added to the address, signed. */
uint64_t mmio_bit_offset(const struct emulation *e)
{
    bool bit_test = e->d.operation >= DECODE_BT && e->d.operation <= DECODE_BTC;
    if (!bit_test || e->d.form != DECODE_TO_MEMORY)
        return 0;
    uint64_t number = sign_extend(mmio_register(e), e->d.size);
    uint64_t width = 8u * e->d.size;
    return ((number & ~(width - 1)) ^ sign_bit(8)) / 8 - sign_bit(8) / 8;
}

/* Turns what the walk found into a result; `stack`: the access goes through SS. */
enum mmio_result mmio_translate(struct emulation *e, uint64_t linear, unsigned access, bool stack, uint64_t *out)
{
    struct walk_outcome walk;
    switch (guest_walk(e->view, e->memory, linear, access, &walk)) {
    case WALK_OK:
        *out = walk.address.raw;
        return MMIO_DONE;
    case WALK_FAULT:
        return mmio_exception(e, VECTOR_PF, walk.error_code, linear);
    case WALK_NOT_CANONICAL:
        return mmio_exception(e, stack ? VECTOR_SS : VECTOR_GP, 0, 0);
    case WALK_NOT_RAM:
        return mmio_unknown(e, "a page table of the guest lies outside its RAM");
    }
    return mmio_unknown(e, "the page-table walk gave no answer");
}

enum mmio_result mmio_locate(struct emulation *e, enum decode_segment segment, uint64_t offset, bool write,
                             struct operand *o)
{
    unsigned access = write ? WALK_WRITE : 0;
    bool stack = segment == SEGMENT_SS;
    uint64_t linear = linear_address(e, segment, offset);
    uint64_t room = PAGE_SIZE - linear % PAGE_SIZE;

    o->parts = room < e->d.size ? 2 : 1;
    o->size[0] = o->parts == 2 ? (uint8_t)room : e->d.size;
    o->size[1] = (uint8_t)(e->d.size - o->size[0]);
    enum mmio_result result = mmio_translate(e, linear, access, stack, &o->at[0]);
    if (result != MMIO_DONE || o->parts == 1)
        return result;
    uint64_t next = e->mode == DECODE_64 ? linear + room : (linear + room) & UINT32_MAX;
    return mmio_translate(e, next, access, stack, &o->at[1]);
}

bool mmio_on_fault_page(const struct emulation *e, const struct operand *o)
{
    for (unsigned i = 0; i < o->parts; i++)
        if (align_down(o->at[i], PAGE_SIZE) == e->fault_page)
            return true;
    return false;
}

/* Memory and devices */

static enum mmio_result device_access(struct emulation *e, const struct operand *o, bool write, uint64_t *value)
{
    if (o->parts == 2)
        return mmio_unknown(e, "a device access crosses a page boundary");
    struct bus_access a = {.address = o->at[0], .size = o->size[0], .write = write, .value = write ? *value : 0};
    if (!e->access(e->context, &a)) {
        e->out->refused = a;
        return MMIO_REFUSED;
    }
    if (!write)
        *value = a.value & size_mask(o->size[0]);
    return MMIO_DONE;
}

bool mmio_ram_read(const struct emulation *e, const struct operand *o, uint64_t *value)
{
    uint8_t bytes[8] = {0};
    if (!e->memory->read(e->memory->context, gpa(o->at[0]), bytes, o->size[0]))
        return false;
    if (o->parts == 2 && !e->memory->read(e->memory->context, gpa(o->at[1]), bytes + o->size[0], o->size[1]))
        return false;
    *value = load64(bytes);
    return true;
}

/* Both parts are tried by reading first, so that nothing is half written. */
bool mmio_ram_write(const struct emulation *e, const struct operand *o, uint64_t value)
{
    uint64_t old;
    uint8_t bytes[8];
    memcpy(bytes, &value, sizeof bytes);
    if (o->parts == 2 && !mmio_ram_read(e, o, &old))
        return false;
    if (!e->memory->write(e->memory->context, gpa(o->at[0]), bytes, o->size[0]))
        return false;
    return o->parts == 1 || e->memory->write(e->memory->context, gpa(o->at[1]), bytes + o->size[0], o->size[1]);
}

enum mmio_result mmio_operand_read(struct emulation *e, const struct operand *o, uint64_t *value)
{
    if (!mmio_on_fault_page(e, o) && mmio_ram_read(e, o, value))
        return MMIO_DONE;
    return device_access(e, o, false, value);
}

enum mmio_result mmio_operand_write(struct emulation *e, const struct operand *o, uint64_t value)
{
    value &= size_mask(e->d.size);
    if (!mmio_on_fault_page(e, o) && mmio_ram_write(e, o, value))
        return MMIO_DONE;
    return device_access(e, o, true, &value);
}

/* Strings */

enum mmio_result mmio_repeat(struct emulation *e, mmio_element *element)
{
    unsigned width = e->d.address_size;
    for (unsigned done = 0; done < MMIO_MAX_ELEMENTS; done++) {
        if (e->d.repeat && mmio_gpr(e, GPR_RCX, width) == 0)
            return MMIO_DONE;
        enum mmio_result result = element(e);
        if (result == MMIO_AGAIN && done == 0)
            return mmio_unknown(e, mmio_elsewhere);
        if (result != MMIO_DONE || !e->d.repeat)
            return result;
        mmio_gpr_write(e, GPR_RCX, width, e->vcpu->gpr[GPR_RCX] - 1);
    }
    return mmio_gpr(e, GPR_RCX, width) == 0 ? MMIO_DONE : MMIO_AGAIN;
}
