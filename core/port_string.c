/*
 * INS and OUTS. Neither vendor's exit record holds all that is needed on all of its CPUs, so the instruction is read
 * from the guest's memory: only prefixes and one opcode byte matter.
 */
#include "core/port_string.h"

#include "core/bytes.h"
#include "core/range.h"

#define FLAG_DF  ((uint64_t)1 << 10)
#define EFER_LMA ((uint64_t)1 << 10)

enum { OPCODE_INSB = 0x6c, OPCODE_OUTSD = 0x6f, OPCODE_IS_OUTS = 0x02 };

struct string_port {
    struct vcpu *vcpu;
    const struct vcpu_state_view *view;
    const struct exit *exit;
    const struct guest_memory *memory;
    mmio_access *access;
    void *context;
    struct mmio_outcome *out;
    bool long_mode; /* 64-bit code */
    bool repeat;
    uint8_t address_size;        /* 2, 4 or 8 bytes */
    enum decode_segment segment; /* of OUTS; INS always stores through ES */
};

/* Where an element lies in RAM: one part, or two when it crosses a page. */
struct element {
    uint64_t at[2];
    uint8_t size[2];
};

/* Results inside this file: MMIO_DONE means "go on". */

static enum mmio_result unknown(struct string_port *s, const char *reason)
{
    s->out->reason = reason;
    return MMIO_UNKNOWN;
}

static enum mmio_result exception(struct string_port *s, uint8_t vector, uint32_t error_code, uint64_t cr2)
{
    s->out->vector = vector;
    s->out->error_code = error_code;
    s->out->cr2 = cr2;
    return MMIO_EXCEPTION;
}

static uint64_t size_mask(unsigned size) { return UINT64_MAX >> (64 - 8 * size); }

static enum mmio_result translate(struct string_port *s, uint64_t linear, unsigned access, bool stack, uint64_t *out)
{
    struct walk_outcome walk;
    if (!s->long_mode)
        linear &= UINT32_MAX;
    switch (guest_walk(s->view, s->memory, linear, access, &walk)) {
    case WALK_OK:
        *out = walk.address.raw;
        return MMIO_DONE;
    case WALK_FAULT:
        return exception(s, VECTOR_PF, walk.error_code, linear);
    case WALK_NOT_CANONICAL:
        return exception(s, stack ? VECTOR_SS : VECTOR_GP, 0, 0);
    case WALK_NOT_RAM:
        return unknown(s, "a page table of the guest lies outside its RAM");
    }
    return unknown(s, "the page-table walk gave no answer");
}

/* The instruction */

static enum mmio_result fetch_byte(struct string_port *s, uint8_t *out)
{
    uint64_t at;
    uint64_t linear = s->view->rip + s->out->byte_count + (s->long_mode ? 0 : s->view->cs_base);
    if (s->out->byte_count == DECODE_MAX_LENGTH)
        return exception(s, VECTOR_GP, 0, 0);
    enum mmio_result result = translate(s, linear, WALK_FETCH, false, &at);
    if (result != MMIO_DONE)
        return result;
    if (!s->memory->read(s->memory->context, gpa(at), out, 1))
        return unknown(s, "the instruction lies outside the guest's RAM");
    s->out->bytes[s->out->byte_count++] = *out;
    return MMIO_DONE;
}

/* Takes note of a prefix; false: the byte is none. REX changes nothing here. */
static bool prefix_take(struct string_port *s, uint8_t byte)
{
    static const struct {
        uint8_t byte;
        enum decode_segment segment;
    } overrides[] = {{0x26, SEGMENT_ES}, {0x2e, SEGMENT_CS}, {0x36, SEGMENT_SS},
                     {0x3e, SEGMENT_DS}, {0x64, SEGMENT_FS}, {0x65, SEGMENT_GS}};
    for (size_t i = 0; i < array_size(overrides); i++)
        if (overrides[i].byte == byte) {
            s->segment = overrides[i].segment;
            return true;
        }
    if (byte == 0xf2 || byte == 0xf3)
        s->repeat = true;
    else if (byte == 0x67)
        s->address_size = s->long_mode || s->view->cs_default32 == false ? 4 : 2;
    else
        return byte == 0x66 || (s->long_mode && (byte & 0xf0) == 0x40);
    return true;
}

static enum mmio_result decode(struct string_port *s)
{
    uint8_t byte = 0;
    enum mmio_result result;
    do {
        result = fetch_byte(s, &byte);
    } while (result == MMIO_DONE && prefix_take(s, byte));
    if (result != MMIO_DONE)
        return result;
    if (byte < OPCODE_INSB || byte > OPCODE_OUTSD || ((byte & OPCODE_IS_OUTS) != 0) != s->exit->write)
        return unknown(s, "the instruction is no longer the one that exited");
    s->out->length = s->out->byte_count;
    return MMIO_DONE;
}

/* Elements */

static uint64_t segment_base(const struct string_port *s)
{
    const struct vcpu_state_view *v = s->view;
    enum decode_segment segment = s->exit->write ? s->segment : SEGMENT_ES;
    if (s->long_mode && segment != SEGMENT_FS && segment != SEGMENT_GS)
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

static enum gpr index_register(const struct string_port *s) { return s->exit->write ? GPR_RSI : GPR_RDI; }

static uint64_t register_read(const struct string_port *s, enum gpr reg)
{
    return s->vcpu->gpr[reg] & size_mask(s->address_size);
}

/* A 32-bit result clears the upper half; a 16-bit one leaves it alone. */
static void register_add(struct string_port *s, enum gpr reg, uint64_t delta)
{
    uint64_t *slot = &s->vcpu->gpr[reg];
    uint64_t mask = s->address_size >= 4 ? UINT64_MAX : size_mask(s->address_size);
    *slot = (*slot & ~mask) | ((*slot + delta) & size_mask(s->address_size));
}

/* Both parts are translated, and seen to be RAM, before the port is touched: reading a port cannot be undone. */
static enum mmio_result locate(struct string_port *s, struct element *e)
{
    uint8_t size = s->exit->size, probe[4];
    uint64_t linear = segment_base(s) + register_read(s, index_register(s));
    uint64_t room = PAGE_SIZE - linear % PAGE_SIZE;
    unsigned access = s->exit->write ? 0 : WALK_WRITE;
    bool stack = s->exit->write && s->segment == SEGMENT_SS;

    e->size[0] = room < size ? (uint8_t)room : size;
    e->size[1] = (uint8_t)(size - e->size[0]);
    for (unsigned i = 0; i < 2 && e->size[i] != 0; i++) {
        enum mmio_result result = translate(s, linear + (i == 0 ? 0 : room), access, stack, &e->at[i]);
        if (result != MMIO_DONE)
            return result;
        if (!s->memory->read(s->memory->context, gpa(e->at[i]), probe, e->size[i]))
            return unknown(s, "its memory operand is not the guest's RAM");
    }
    return MMIO_DONE;
}

static bool element_load(const struct string_port *s, const struct element *e, uint64_t *value)
{
    uint8_t bytes[8] = {0};
    for (unsigned i = 0, done = 0; i < 2 && e->size[i] != 0; done += e->size[i++])
        if (!s->memory->read(s->memory->context, gpa(e->at[i]), bytes + done, e->size[i]))
            return false;
    *value = load64(bytes);
    return true;
}

static bool element_store(const struct string_port *s, const struct element *e, uint64_t value)
{
    uint8_t bytes[8];
    memcpy(bytes, &value, sizeof bytes);
    for (unsigned i = 0, done = 0; i < 2 && e->size[i] != 0; done += e->size[i++])
        if (!s->memory->write(s->memory->context, gpa(e->at[i]), bytes + done, e->size[i]))
            return false;
    return true;
}

static enum mmio_result element_move(struct string_port *s)
{
    struct element e = {0};
    struct bus_access a = {.address = s->exit->address, .size = s->exit->size, .write = s->exit->write};
    enum mmio_result result = locate(s, &e);
    if (result != MMIO_DONE)
        return result;
    if (a.write && !element_load(s, &e, &a.value))
        return unknown(s, "its memory operand is not the guest's RAM");
    if (!s->access(s->context, &a))
        return unknown(s, "the port does not answer");
    if (!a.write && !element_store(s, &e, a.value & size_mask(a.size)))
        return unknown(s, "its memory operand is not the guest's RAM");
    uint64_t step = s->view->rflags & FLAG_DF ? -(uint64_t)a.size : a.size;
    register_add(s, index_register(s), step);
    return MMIO_DONE;
}

static enum mmio_result elements_move(struct string_port *s)
{
    if (!s->repeat)
        return element_move(s);
    for (unsigned done = 0; done < PORT_STRING_MAX_ELEMENTS; done++) {
        if (register_read(s, GPR_RCX) == 0)
            return MMIO_DONE;
        enum mmio_result result = element_move(s);
        if (result != MMIO_DONE)
            return result;
        register_add(s, GPR_RCX, UINT64_MAX);
    }
    return register_read(s, GPR_RCX) == 0 ? MMIO_DONE : MMIO_AGAIN;
}

enum mmio_result port_string_emulate(struct vcpu *vcpu, const struct vcpu_state_view *view, const struct exit *exit,
                                     const struct guest_memory *memory, mmio_access *access, void *context,
                                     struct mmio_outcome *outcome)
{
    bool long_mode = (view->efer & EFER_LMA) && view->cs_long;
    struct string_port s = {.vcpu = vcpu,
                            .view = view,
                            .exit = exit,
                            .memory = memory,
                            .access = access,
                            .context = context,
                            .out = outcome,
                            .long_mode = long_mode,
                            .address_size = long_mode            ? 8
                                            : view->cs_default32 ? 4
                                                                 : 2,
                            .segment = SEGMENT_DS};
    *outcome = (struct mmio_outcome){.rflags = view->rflags};
    if (exit->size != 1 && exit->size != 2 && exit->size != 4)
        return unknown(&s, "its operand is not 1, 2 or 4 bytes");
    enum mmio_result result = decode(&s);
    return result == MMIO_DONE ? elements_move(&s) : result;
}
