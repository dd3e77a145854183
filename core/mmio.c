/* Device-memory emulation: fetch, decode, translate, access, and only then change registers and flags. */
#include "core/mmio.h"

#include "core/bytes.h"
#include "core/range.h"

#define FLAG_CF     ((uint64_t)1 << 0)
#define FLAG_PF     ((uint64_t)1 << 2)
#define FLAG_AF     ((uint64_t)1 << 4)
#define FLAG_ZF     ((uint64_t)1 << 6)
#define FLAG_SF     ((uint64_t)1 << 7)
#define FLAG_DF     ((uint64_t)1 << 10)
#define FLAG_OF     ((uint64_t)1 << 11)
#define FLAGS_ARITH (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)
#define EFER_LMA    ((uint64_t)1 << 10)

struct emulation {
    struct vcpu *vcpu;
    const struct vcpu_state_view *view;
    const struct guest_memory *memory;
    mmio_access *access;
    void *context;
    struct mmio_outcome *out;
    uint64_t fault_page;
    enum decode_mode mode;
    struct decoded d;
};

/* Where a memory operand lies: one part, or two when it crosses a page. */
struct operand {
    unsigned parts;
    uint64_t at[2];
    uint8_t size[2];
};

/* Results inside this file: MMIO_DONE means "go on". */

static enum mmio_result unknown(struct emulation *e, const char *reason)
{
    e->out->reason = reason;
    return MMIO_UNKNOWN;
}

static enum mmio_result exception(struct emulation *e, uint8_t vector, uint32_t error_code, uint64_t cr2)
{
    e->out->vector = vector;
    e->out->error_code = error_code;
    e->out->cr2 = cr2;
    return MMIO_EXCEPTION;
}

/* Registers */

static uint64_t size_mask(unsigned size) { return UINT64_MAX >> (64 - 8 * size); }

static uint64_t sign_bit(unsigned size) { return (uint64_t)1 << (8 * size - 1); }

static uint64_t sign_extend(uint64_t value, unsigned size)
{
    return ((value & size_mask(size)) ^ sign_bit(size)) - sign_bit(size);
}

static uint64_t gpr_read(const struct emulation *e, uint8_t reg, unsigned size)
{
    return e->vcpu->gpr[reg] & size_mask(size);
}

/* A 32-bit result clears the upper half; narrower ones leave the rest of the register alone. */
static void gpr_write(struct emulation *e, uint8_t reg, unsigned size, uint64_t value)
{
    uint64_t mask = size >= 4 ? UINT64_MAX : size_mask(size);
    uint64_t *slot = &e->vcpu->gpr[reg];
    *slot = (*slot & ~mask) | (value & size_mask(size));
}

static uint64_t operand_register(const struct emulation *e)
{
    unsigned shift = e->d.high_byte ? 8 : 0;
    return (e->vcpu->gpr[e->d.reg] >> shift) & size_mask(e->d.register_size);
}

static void operand_register_write(struct emulation *e, uint64_t value)
{
    if (!e->d.high_byte) {
        gpr_write(e, e->d.reg, e->d.register_size, value);
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

static uint64_t effective_offset(const struct emulation *e)
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
static uint64_t bit_offset(const struct emulation *e)
{
    bool bit_test = e->d.operation >= DECODE_BT && e->d.operation <= DECODE_BTC;
    if (!bit_test || e->d.form != DECODE_TO_MEMORY)
        return 0;
    uint64_t number = sign_extend(operand_register(e), e->d.size);
    uint64_t width = 8u * e->d.size;
    return ((number & ~(width - 1)) ^ sign_bit(8)) / 8 - sign_bit(8) / 8;
}

/* Turns what the walk found into a result; `stack`: the access goes through SS. */
static enum mmio_result translate(struct emulation *e, uint64_t linear, unsigned access, bool stack, uint64_t *out)
{
    struct walk_outcome walk;
    switch (guest_walk(e->view, e->memory, linear, access, &walk)) {
    case WALK_OK:
        *out = walk.address.raw;
        return MMIO_DONE;
    case WALK_FAULT:
        return exception(e, VECTOR_PF, walk.error_code, linear);
    case WALK_NOT_CANONICAL:
        return exception(e, stack ? VECTOR_SS : VECTOR_GP, 0, 0);
    case WALK_NOT_RAM:
        return unknown(e, "a page table of the guest lies outside its RAM");
    }
    return unknown(e, "the page-table walk gave no answer");
}

static enum mmio_result locate(struct emulation *e, enum decode_segment segment, uint64_t offset, bool write,
                               struct operand *o)
{
    unsigned access = write ? WALK_WRITE : 0;
    bool stack = segment == SEGMENT_SS;
    uint64_t linear = linear_address(e, segment, offset);
    uint64_t room = PAGE_SIZE - linear % PAGE_SIZE;

    o->parts = room < e->d.size ? 2 : 1;
    o->size[0] = o->parts == 2 ? (uint8_t)room : e->d.size;
    o->size[1] = (uint8_t)(e->d.size - o->size[0]);
    enum mmio_result result = translate(e, linear, access, stack, &o->at[0]);
    if (result != MMIO_DONE || o->parts == 1)
        return result;
    uint64_t next = e->mode == DECODE_64 ? linear + room : (linear + room) & UINT32_MAX;
    return translate(e, next, access, stack, &o->at[1]);
}

static bool on_fault_page(const struct emulation *e, const struct operand *o)
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
        return unknown(e, "a device access crosses a page boundary");
    struct bus_access a = {.address = o->at[0], .size = o->size[0], .write = write, .value = write ? *value : 0};
    if (!e->access(e->context, &a)) {
        e->out->refused = a;
        return MMIO_REFUSED;
    }
    if (!write)
        *value = a.value & size_mask(o->size[0]);
    return MMIO_DONE;
}

/* True when all of the operand was in RAM. */
static bool ram_read(const struct emulation *e, const struct operand *o, uint64_t *value)
{
    uint8_t bytes[8] = {0};
    if (!e->memory->read(e->memory->context, gpa(o->at[0]), bytes, o->size[0]))
        return false;
    if (o->parts == 2 && !e->memory->read(e->memory->context, gpa(o->at[1]), bytes + o->size[0], o->size[1]))
        return false;
    *value = load64(bytes);
    return true;
}

/* Likewise; both parts are tried by reading first, so that nothing is half written. */
static bool ram_write(const struct emulation *e, const struct operand *o, uint64_t value)
{
    uint64_t old;
    uint8_t bytes[8];
    memcpy(bytes, &value, sizeof bytes);
    if (o->parts == 2 && !ram_read(e, o, &old))
        return false;
    if (!e->memory->write(e->memory->context, gpa(o->at[0]), bytes, o->size[0]))
        return false;
    return o->parts == 1 || e->memory->write(e->memory->context, gpa(o->at[1]), bytes + o->size[0], o->size[1]);
}

static enum mmio_result operand_read(struct emulation *e, const struct operand *o, uint64_t *value)
{
    if (!on_fault_page(e, o) && ram_read(e, o, value))
        return MMIO_DONE;
    return device_access(e, o, false, value);
}

static enum mmio_result operand_write(struct emulation *e, const struct operand *o, uint64_t value)
{
    value &= size_mask(e->d.size);
    if (!on_fault_page(e, o) && ram_write(e, o, value))
        return MMIO_DONE;
    return device_access(e, o, true, &value);
}

/* Arithmetic */

static uint64_t parity_flag(uint64_t value)
{
    uint64_t folded = (value ^ value >> 4) & 0xf;
    /* Bit n of the constant says whether n has an even number of ones. */
    return (0x9669u >> folded) & 1 ? FLAG_PF : 0;
}

static uint64_t result_flags(uint64_t result, unsigned size)
{
    return parity_flag(result) | (result == 0 ? FLAG_ZF : 0) | (result & sign_bit(size) ? FLAG_SF : 0);
}

static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, unsigned size, uint64_t *flags)
{
    uint64_t result = (a + b + carry) & size_mask(size);
    uint64_t carries = (a & b) | ((a | b) & ~result);
    uint64_t overflow = (a ^ result) & (b ^ result);
    *flags = result_flags(result, size) | (carries & sign_bit(size) ? FLAG_CF : 0) |
             (overflow & sign_bit(size) ? FLAG_OF : 0) | ((a ^ b ^ result) & FLAG_AF);
    return result;
}

static uint64_t subtract(uint64_t a, uint64_t b, uint64_t borrow, unsigned size, uint64_t *flags)
{
    uint64_t result = (a - b - borrow) & size_mask(size);
    uint64_t borrows = (~a & b) | ((~a | b) & result);
    uint64_t overflow = (a ^ b) & (a ^ result);
    *flags = result_flags(result, size) | (borrows & sign_bit(size) ? FLAG_CF : 0) |
             (overflow & sign_bit(size) ? FLAG_OF : 0) | ((a ^ b ^ result) & FLAG_AF);
    return result;
}

static uint64_t logic(uint64_t result, unsigned size, uint64_t *flags)
{
    *flags = result_flags(result, size);
    return result;
}

/* The bit operations change CF alone; the others' flags are left as they were. */
static uint64_t bit_operation(enum decode_operation operation, uint64_t a, uint64_t number, unsigned size,
                              uint64_t old_flags, uint64_t *flags)
{
    uint64_t bit = (uint64_t)1 << (number & (8 * size - 1));
    *flags = (old_flags & FLAGS_ARITH & ~FLAG_CF) | (a & bit ? FLAG_CF : 0);
    if (operation == DECODE_BTS)
        return a | bit;
    if (operation == DECODE_BTR)
        return a & ~bit;
    return operation == DECODE_BTC ? a ^ bit : a;
}

/* a OPERATION b on operands of `size` bytes; the arithmetic flags in *rflags are replaced. */
static uint64_t compute(enum decode_operation operation, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags)
{
    uint64_t flags = *rflags & FLAGS_ARITH;
    uint64_t result = b;
    b &= size_mask(size);
    switch (operation) {
    case DECODE_ADD:
        result = add(a, b, 0, size, &flags);
        break;
    case DECODE_ADC:
        result = add(a, b, *rflags & FLAG_CF, size, &flags);
        break;
    case DECODE_SUB:
    case DECODE_CMP:
        result = subtract(a, b, 0, size, &flags);
        break;
    case DECODE_SBB:
        result = subtract(a, b, *rflags & FLAG_CF, size, &flags);
        break;
    case DECODE_OR:
        result = logic(a | b, size, &flags);
        break;
    case DECODE_XOR:
        result = logic(a ^ b, size, &flags);
        break;
    case DECODE_AND:
    case DECODE_TEST:
        result = logic(a & b, size, &flags);
        break;
    case DECODE_BT:
    case DECODE_BTS:
    case DECODE_BTR:
    case DECODE_BTC:
        result = bit_operation(operation, a, b, size, *rflags, &flags);
        break;
    case DECODE_MOV:
    case DECODE_MOVZX:
    case DECODE_MOVSX:
    case DECODE_XCHG:
    case DECODE_STOS:
    case DECODE_MOVS:
    case DECODE_LODS:
        break; /* the result is b, and no flag changes */
    }
    *rflags = (*rflags & ~FLAGS_ARITH) | flags;
    return result;
}

static bool writes_destination(enum decode_operation operation)
{
    return operation != DECODE_CMP && operation != DECODE_TEST && operation != DECODE_BT;
}

/* Instructions */

static enum mmio_result emulate_to_memory(struct emulation *e, const struct operand *o)
{
    bool immediate = e->d.form == DECODE_FROM_IMMEDIATE;
    uint64_t source = immediate ? e->d.immediate : operand_register(e);
    uint64_t old = 0;
    enum mmio_result result = MMIO_DONE;

    if (e->d.operation != DECODE_MOV)
        result = operand_read(e, o, &old);
    if (result != MMIO_DONE)
        return result;
    uint64_t rflags = e->view->rflags;
    uint64_t value = compute(e->d.operation, old, source, e->d.size, &rflags);
    if (writes_destination(e->d.operation))
        result = operand_write(e, o, value);
    if (result != MMIO_DONE)
        return result;
    if (e->d.operation == DECODE_XCHG)
        operand_register_write(e, old);
    e->out->rflags = rflags;
    return MMIO_DONE;
}

static enum mmio_result emulate_to_register(struct emulation *e, const struct operand *o)
{
    uint64_t source;
    enum mmio_result result = operand_read(e, o, &source);
    if (result != MMIO_DONE)
        return result;
    if (e->d.operation == DECODE_MOVSX)
        source = sign_extend(source, e->d.size);
    uint64_t value = compute(e->d.operation, operand_register(e), source, e->d.register_size, &e->out->rflags);
    if (writes_destination(e->d.operation))
        operand_register_write(e, value);
    return MMIO_DONE;
}

static enum mmio_result emulate_plain(struct emulation *e)
{
    struct operand o;
    bool write = e->d.form != DECODE_TO_REGISTER && writes_destination(e->d.operation);
    uint64_t offset = effective_offset(e) + bit_offset(e);
    enum mmio_result result = locate(e, e->d.segment, offset, write, &o);
    if (result != MMIO_DONE)
        return result;
    if (!on_fault_page(e, &o))
        return unknown(e, "the instruction does not touch the address that was refused");
    return e->d.form == DECODE_TO_REGISTER ? emulate_to_register(e, &o) : emulate_to_memory(e, &o);
}

/* Moves an index register by one element, in the direction that DF says. */
static void step(struct emulation *e, uint8_t reg)
{
    uint64_t delta = e->view->rflags & FLAG_DF ? -(uint64_t)e->d.size : e->d.size;
    gpr_write(e, reg, e->d.address_size, e->vcpu->gpr[reg] + delta);
}

/* One element. MMIO_AGAIN: it no longer touches the page that was refused, so the CPU can do it itself. */
static enum mmio_result string_element(struct emulation *e)
{
    bool loads = e->d.operation != DECODE_STOS;
    bool stores = e->d.operation != DECODE_LODS;
    struct operand from = {0}, to = {0};
    uint64_t value = gpr_read(e, GPR_RAX, e->d.size);
    enum mmio_result result = MMIO_DONE;

    if (loads)
        result = locate(e, e->d.segment, e->vcpu->gpr[GPR_RSI], false, &from);
    if (result == MMIO_DONE && stores)
        result = locate(e, SEGMENT_ES, e->vcpu->gpr[GPR_RDI], true, &to);
    if (result != MMIO_DONE)
        return result;
    if (!on_fault_page(e, &from) && !on_fault_page(e, &to))
        return MMIO_AGAIN;
    if (loads)
        result = operand_read(e, &from, &value);
    if (result == MMIO_DONE && stores)
        result = operand_write(e, &to, value);
    if (result != MMIO_DONE)
        return result;
    if (loads)
        step(e, GPR_RSI);
    if (stores)
        step(e, GPR_RDI);
    else
        gpr_write(e, GPR_RAX, e->d.size, value);
    return MMIO_DONE;
}

static enum mmio_result emulate_string(struct emulation *e)
{
    unsigned width = e->d.address_size;
    for (unsigned done = 0; done < MMIO_MAX_ELEMENTS; done++) {
        if (e->d.repeat && gpr_read(e, GPR_RCX, width) == 0)
            return MMIO_DONE;
        enum mmio_result result = string_element(e);
        if (result == MMIO_AGAIN && done == 0)
            return unknown(e, "the instruction does not touch the address that was refused");
        if (result != MMIO_DONE || !e->d.repeat)
            return result;
        gpr_write(e, GPR_RCX, width, e->vcpu->gpr[GPR_RCX] - 1);
    }
    return gpr_read(e, GPR_RCX, width) == 0 ? MMIO_DONE : MMIO_AGAIN;
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
    enum mmio_result result = translate(e, linear, WALK_FETCH, false, &at);
    if (result != MMIO_DONE)
        return result;
    if (!e->memory->read(e->memory->context, gpa(at), out->bytes + out->byte_count, size))
        return unknown(e, "the instruction lies outside the guest's RAM");
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
        return exception(e, VECTOR_GP, 0, 0);
    if (decoded == DECODE_UNDEFINED)
        return exception(e, VECTOR_UD, 0, 0);
    if (decoded != DECODE_OK)
        return unknown(e, "the decoder does not know the instruction");
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
