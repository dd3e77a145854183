/* The instruction decoder: prefixes, one row of a table, ModRM and SIB, displacement, immediate. */
#include "core/alu.h"
#include "core/decode_table.h"
#include "core/vcpu.h"

enum prefix_byte {
    PREFIX_ES = 0x26,
    PREFIX_CS = 0x2e,
    PREFIX_SS = 0x36,
    PREFIX_DS = 0x3e,
    PREFIX_FS = 0x64,
    PREFIX_GS = 0x65,
    PREFIX_OPERAND_SIZE = 0x66,
    PREFIX_ADDRESS_SIZE = 0x67,
    PREFIX_LOCK = 0xf0,
    PREFIX_REPNE = 0xf2,
    PREFIX_REP = 0xf3,
};
enum { REX_MARK = 0x40, REX_MASK = 0xf0, REX_W = 8, REX_R = 4, REX_X = 2, REX_B = 1 };
enum { ESCAPE = 0x0f, NO_SEGMENT = 0xff };

/* An instruction that is being read. The first failure sticks; what is read after it is 0. */
struct decoder {
    enum decode_mode mode;
    enum decode_result result;
    const uint8_t *bytes;
    size_t available;
    bool operand_size, address_size; /* the prefixes */
    uint8_t segment;                 /* enum decode_segment or NO_SEGMENT */
    uint8_t rex;                     /* 0: none */
    uint8_t mod, reg, rm;            /* ModRM as it stands, without the REX bits */
    uint16_t opcode;
    const struct row *row;
    struct decoded d; /* `length` is how far the bytes have been read */
};

static uint8_t take_byte(struct decoder *c)
{
    if (c->result != DECODE_OK)
        return 0;
    if (c->d.length >= DECODE_MAX_LENGTH)
        c->result = DECODE_TOO_LONG;
    else if (c->d.length >= c->available)
        c->result = DECODE_TRUNCATED;
    else
        return c->bytes[c->d.length++];
    return 0;
}

/* Reads a little-endian number of 1, 2, 4 or 8 bytes and sign-extends it. */
static uint64_t take_signed(struct decoder *c, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)take_byte(c) << (8 * i);
    return sign_extend(value, size);
}

/* Notes one legacy prefix; false when the byte is none. */
static bool prefix_add(struct decoder *c, uint8_t byte)
{
    switch (byte) {
    case PREFIX_ES:
    case PREFIX_CS:
    case PREFIX_SS:
    case PREFIX_DS:
        /* In 64-bit mode the four old overrides do nothing, not even undo an earlier FS or GS. */
        if (c->mode != DECODE_64)
            c->segment = (uint8_t)(SEGMENT_ES + (byte - PREFIX_ES) / (PREFIX_CS - PREFIX_ES));
        return true;
    case PREFIX_FS:
    case PREFIX_GS:
        c->segment = (uint8_t)(SEGMENT_FS + byte - PREFIX_FS);
        return true;
    case PREFIX_OPERAND_SIZE:
        c->operand_size = true;
        return true;
    case PREFIX_ADDRESS_SIZE:
        c->address_size = true;
        return true;
    case PREFIX_LOCK:
        c->d.lock = true;
        return true;
    case PREFIX_REPNE:
    case PREFIX_REP:
        c->d.repeat = true;
        return true;
    default:
        return false;
    }
}

/* Reads all prefixes and the opcode. */
static void take_opcode(struct decoder *c)
{
    uint8_t byte = take_byte(c);
    while (c->result == DECODE_OK) {
        if (c->mode == DECODE_64 && (byte & REX_MASK) == REX_MARK)
            c->rex = byte;
        else if (prefix_add(c, byte))
            c->rex = 0; /* A REX prefix counts only directly before the opcode. */
        else
            break;
        byte = take_byte(c);
    }
    c->opcode = byte == ESCAPE ? (uint16_t)(ESCAPE << 8 | take_byte(c)) : byte;
}

static bool has_modrm(const struct row *row) { return row->form != DECODE_STRING && (row->flags & ROW_OFFSET) == 0; }

/* Picks the row, with ModRM where the opcode has one; NULL when there is none. */
static void take_modrm(struct decoder *c)
{
    c->row = decode_find_row(c->mode, c->opcode, ANY);
    if (c->row == NULL || !has_modrm(c->row))
        return;
    uint8_t byte = take_byte(c);
    c->mod = byte >> 6;
    c->reg = (byte >> 3) & 7;
    c->rm = byte & 7;
    c->row = c->result != DECODE_OK || c->mod == 3 ? NULL : decode_find_row(c->mode, c->opcode, c->reg);
}

/* Widths in bytes, as mode and prefixes say. */
static uint8_t operand_size(const struct decoder *c)
{
    if (c->rex & REX_W)
        return 8;
    return c->operand_size == (c->mode == DECODE_16) ? 4 : 2;
}

static uint8_t address_size(const struct decoder *c)
{
    if (c->mode == DECODE_64)
        return c->address_size ? 4 : 8;
    return c->address_size == (c->mode == DECODE_16) ? 4 : 2;
}

static void set_register(struct decoder *c)
{
    struct decoded *d = &c->d;
    d->reg = GPR_RAX; /* of the forms without ModRM */
    if (!has_modrm(c->row))
        return;
    d->reg = (uint8_t)(c->reg | (c->rex & REX_R ? 8 : 0));
    if (d->register_size == 1 && c->rex == 0 && d->reg >= GPR_RSP) {
        d->reg = (uint8_t)(d->reg - GPR_RSP);
        d->high_byte = true;
    }
}

/* What is done, how wide, and with which register. */
static void set_operation(struct decoder *c)
{
    const struct row *row = c->row;
    struct decoded *d = &c->d;
    unsigned member = row->form == DECODE_FROM_IMMEDIATE ? c->reg - row->first : (c->opcode & row->mask) >> 3;
    bool one_byte = (row->mask & MASK_WIDTH) != 0 && (c->opcode & MASK_WIDTH) == 0;
    uint8_t full = operand_size(c);
    if ((row->flags & ROW_PORT) && full == 8)
        full = 4;
    d->operation = (enum decode_operation)(row->operation + member);
    d->form = row->form;
    d->repeat = d->repeat && row->form == DECODE_STRING;
    d->address_size = address_size(c);
    d->size = one_byte ? 1 : row->width == WIDTH_PREFIX ? full : row->width;
    d->register_size = row->flags & ROW_WIDEN ? full : d->size;
    if (row->form != DECODE_FROM_IMMEDIATE)
        set_register(c);
}

/* SDM vol. 2, "16-Bit Addressing Forms with the ModR/M Byte". */
static void take_address16(struct decoder *c)
{
    static const uint8_t bases[] = {GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX};
    static const uint8_t indices[] = {GPR_RSI, GPR_RDI, GPR_RSI, GPR_RDI};

    bool absolute = c->mod == 0 && c->rm == 6;
    if (!absolute) {
        c->d.base = bases[c->rm];
        c->d.index = c->rm < array_size(indices) ? indices[c->rm] : DECODE_NO_REGISTER;
    }
    if (absolute || c->mod == 2)
        c->d.displacement = take_signed(c, 2);
    else if (c->mod == 1)
        c->d.displacement = take_signed(c, 1);
}

/* SDM vol. 2, "32-Bit Addressing Forms with the SIB Byte". Returns the base's low three bits. */
static uint8_t take_sib(struct decoder *c)
{
    uint8_t sib = take_byte(c);
    uint8_t index = (uint8_t)(((sib >> 3) & 7) | (c->rex & REX_X ? 8 : 0));
    if (index != GPR_RSP) {
        c->d.index = index;
        c->d.scale = (uint8_t)(1 << (sib >> 6));
    }
    return sib & 7;
}

/* SDM vol. 2, "32-Bit Addressing Forms with the ModR/M Byte". */
static void take_address32(struct decoder *c)
{
    bool sib = c->rm == 4;
    uint8_t base = sib ? take_sib(c) : c->rm;
    bool no_base = c->mod == 0 && base == 5;

    c->d.rip_relative = no_base && !sib && c->mode == DECODE_64;
    if (!no_base)
        c->d.base = (uint8_t)(base | (c->rex & REX_B ? 8 : 0));
    if (no_base || c->mod == 2)
        c->d.displacement = take_signed(c, 4);
    else if (c->mod == 1)
        c->d.displacement = take_signed(c, 1);
}

static void take_address(struct decoder *c)
{
    struct decoded *d = &c->d;
    if (c->row->flags & ROW_OFFSET)
        d->displacement = take_signed(c, d->address_size);
    else if (has_modrm(c->row) && d->address_size == 2)
        take_address16(c);
    else if (has_modrm(c->row))
        take_address32(c);

    bool stack = d->base == GPR_RSP || d->base == GPR_RBP;
    if (c->segment != NO_SEGMENT)
        d->segment = c->segment;
    else
        d->segment = stack ? SEGMENT_SS : SEGMENT_DS;
}

static void take_immediate(struct decoder *c)
{
    if (c->row->form == DECODE_FROM_IMMEDIATE)
        c->d.immediate = take_signed(c, c->row->flags & ROW_BYTE ? 1 : c->d.size == 8 ? 4 : c->d.size);
}

/* LOCK is for what reads memory and writes it. */
static bool is_lockable(const struct decoded *d)
{
    return (d->form == DECODE_TO_MEMORY || d->form == DECODE_FROM_IMMEDIATE) && d->operation != DECODE_MOV &&
           alu_writes(d->operation);
}

enum decode_result decode_instruction(enum decode_mode mode, const uint8_t *bytes, size_t available,
                                      struct decoded *out)
{
    struct decoder c = {.mode = mode, .bytes = bytes, .available = available, .segment = NO_SEGMENT};
    c.d = (struct decoded){
        .scale = 1, .base = DECODE_NO_REGISTER, .index = DECODE_NO_REGISTER, .reg = DECODE_NO_REGISTER};
    take_opcode(&c);
    if (c.result == DECODE_OK)
        take_modrm(&c);
    if (c.result != DECODE_OK)
        return c.result;
    /* MOVSXD to a 16-bit register reads two bytes on Intel CPUs and four on AMD's: nobody uses it, it is refused. */
    if (c.row == NULL || ((c.row->flags & ROW_WIDEN) && c.row->width > operand_size(&c)))
        return DECODE_UNKNOWN;
    set_operation(&c);
    take_address(&c);
    take_immediate(&c);
    if (c.result != DECODE_OK)
        return c.result;
    if (c.d.lock && !is_lockable(&c.d))
        return DECODE_UNDEFINED;
    *out = c.d;
    return DECODE_OK;
}
