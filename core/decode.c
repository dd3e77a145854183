/* The instruction decoder: prefixes, one row of a table, ModRM and SIB, displacement, immediate. */
#include "core/decode.h"

#include "core/bytes.h"
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

/* How wide the memory operand is: a number of bytes, or what the prefixes and the mode say. */
enum { WIDTH_PREFIX = 0 };
enum immediate_kind { IMMEDIATE_NONE, IMMEDIATE_BYTE, IMMEDIATE_FULL };
enum row_flag {
    ROW_LOCK = 1 << 0,    /* LOCK is legal */
    ROW_OFFSET = 1 << 1,  /* the address follows the opcode, there is no ModRM, the register is the accumulator */
    ROW_ONLY_64 = 1 << 2, /* another instruction outside 64-bit mode */
    ROW_NOT_64 = 1 << 3,  /* undefined in 64-bit mode */
    ROW_WIDEN = 1 << 4,   /* the register's width comes from the prefixes, the memory operand's from the row */
};
enum { ANY = -1 };

struct row {
    uint16_t opcode;   /* 0x0fxx: the second opcode map */
    int8_t extension;  /* value that ModRM.reg must have, or ANY */
    uint8_t operation; /* enum decode_operation */
    uint8_t form;      /* enum decode_form */
    uint8_t width;     /* bytes, or WIDTH_PREFIX */
    uint8_t immediate; /* enum immediate_kind */
    uint8_t flags;     /* enum row_flag */
};

/* An arithmetic operation occupies four opcodes with ModRM and one extension of the immediate groups. */
#define ROWS_ARITHMETIC(op, lock)                                                                                      \
    {(op)*8 + 0, ANY, op, DECODE_TO_MEMORY, 1, IMMEDIATE_NONE, lock},                                                  \
        {(op)*8 + 1, ANY, op, DECODE_TO_MEMORY, WIDTH_PREFIX, IMMEDIATE_NONE, lock},                                   \
        {(op)*8 + 2, ANY, op, DECODE_TO_REGISTER, 1, IMMEDIATE_NONE, 0},                                               \
        {(op)*8 + 3, ANY, op, DECODE_TO_REGISTER, WIDTH_PREFIX, IMMEDIATE_NONE, 0},                                    \
        {0x80, op, op, DECODE_FROM_IMMEDIATE, 1, IMMEDIATE_BYTE, lock},                                                \
        {0x81, op, op, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, IMMEDIATE_FULL, lock},                                     \
        {0x82, op, op, DECODE_FROM_IMMEDIATE, 1, IMMEDIATE_BYTE, (lock) | ROW_NOT_64},                                 \
    {                                                                                                                  \
        0x83, op, op, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, IMMEDIATE_BYTE, lock                                        \
    }

#define ROWS_BIT(op, opcode, number, lock)                                                                             \
    {opcode, ANY, op, DECODE_TO_MEMORY, WIDTH_PREFIX, IMMEDIATE_NONE, lock},                                           \
    {                                                                                                                  \
        0x0fba, number, op, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, IMMEDIATE_BYTE, lock                                  \
    }

static const struct row rows[] = {
    /* what device drivers are made of comes first */
    {0x89, ANY, DECODE_MOV, DECODE_TO_MEMORY, WIDTH_PREFIX, IMMEDIATE_NONE, 0},
    {0x8b, ANY, DECODE_MOV, DECODE_TO_REGISTER, WIDTH_PREFIX, IMMEDIATE_NONE, 0},
    {0x88, ANY, DECODE_MOV, DECODE_TO_MEMORY, 1, IMMEDIATE_NONE, 0},
    {0x8a, ANY, DECODE_MOV, DECODE_TO_REGISTER, 1, IMMEDIATE_NONE, 0},
    {0xc6, 0, DECODE_MOV, DECODE_FROM_IMMEDIATE, 1, IMMEDIATE_BYTE, 0},
    {0xc7, 0, DECODE_MOV, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, IMMEDIATE_FULL, 0},
    {0xa0, ANY, DECODE_MOV, DECODE_TO_REGISTER, 1, IMMEDIATE_NONE, ROW_OFFSET},
    {0xa1, ANY, DECODE_MOV, DECODE_TO_REGISTER, WIDTH_PREFIX, IMMEDIATE_NONE, ROW_OFFSET},
    {0xa2, ANY, DECODE_MOV, DECODE_TO_MEMORY, 1, IMMEDIATE_NONE, ROW_OFFSET},
    {0xa3, ANY, DECODE_MOV, DECODE_TO_MEMORY, WIDTH_PREFIX, IMMEDIATE_NONE, ROW_OFFSET},
    {0x0fb6, ANY, DECODE_MOVZX, DECODE_TO_REGISTER, 1, IMMEDIATE_NONE, ROW_WIDEN},
    {0x0fb7, ANY, DECODE_MOVZX, DECODE_TO_REGISTER, 2, IMMEDIATE_NONE, ROW_WIDEN},
    {0x0fbe, ANY, DECODE_MOVSX, DECODE_TO_REGISTER, 1, IMMEDIATE_NONE, ROW_WIDEN},
    {0x0fbf, ANY, DECODE_MOVSX, DECODE_TO_REGISTER, 2, IMMEDIATE_NONE, ROW_WIDEN},
    {0x63, ANY, DECODE_MOVSX, DECODE_TO_REGISTER, 4, IMMEDIATE_NONE, ROW_WIDEN | ROW_ONLY_64},

    ROWS_ARITHMETIC(DECODE_ADD, ROW_LOCK),
    ROWS_ARITHMETIC(DECODE_OR, ROW_LOCK),
    ROWS_ARITHMETIC(DECODE_ADC, ROW_LOCK),
    ROWS_ARITHMETIC(DECODE_SBB, ROW_LOCK),
    ROWS_ARITHMETIC(DECODE_AND, ROW_LOCK),
    ROWS_ARITHMETIC(DECODE_SUB, ROW_LOCK),
    ROWS_ARITHMETIC(DECODE_XOR, ROW_LOCK),
    ROWS_ARITHMETIC(DECODE_CMP, 0),
    {0x84, ANY, DECODE_TEST, DECODE_TO_MEMORY, 1, IMMEDIATE_NONE, 0},
    {0x85, ANY, DECODE_TEST, DECODE_TO_MEMORY, WIDTH_PREFIX, IMMEDIATE_NONE, 0},
    {0xf6, 0, DECODE_TEST, DECODE_FROM_IMMEDIATE, 1, IMMEDIATE_BYTE, 0},
    {0xf6, 1, DECODE_TEST, DECODE_FROM_IMMEDIATE, 1, IMMEDIATE_BYTE, 0}, /* the same again, on every CPU */
    {0xf7, 0, DECODE_TEST, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, IMMEDIATE_FULL, 0},
    {0xf7, 1, DECODE_TEST, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, IMMEDIATE_FULL, 0},
    {0x86, ANY, DECODE_XCHG, DECODE_TO_MEMORY, 1, IMMEDIATE_NONE, ROW_LOCK},
    {0x87, ANY, DECODE_XCHG, DECODE_TO_MEMORY, WIDTH_PREFIX, IMMEDIATE_NONE, ROW_LOCK},
    ROWS_BIT(DECODE_BT, 0x0fa3, 4, 0),
    ROWS_BIT(DECODE_BTS, 0x0fab, 5, ROW_LOCK),
    ROWS_BIT(DECODE_BTR, 0x0fb3, 6, ROW_LOCK),
    ROWS_BIT(DECODE_BTC, 0x0fbb, 7, ROW_LOCK),

    {0xaa, ANY, DECODE_STOS, DECODE_STRING, 1, IMMEDIATE_NONE, 0},
    {0xab, ANY, DECODE_STOS, DECODE_STRING, WIDTH_PREFIX, IMMEDIATE_NONE, 0},
    {0xa4, ANY, DECODE_MOVS, DECODE_STRING, 1, IMMEDIATE_NONE, 0},
    {0xa5, ANY, DECODE_MOVS, DECODE_STRING, WIDTH_PREFIX, IMMEDIATE_NONE, 0},
    {0xac, ANY, DECODE_LODS, DECODE_STRING, 1, IMMEDIATE_NONE, 0},
    {0xad, ANY, DECODE_LODS, DECODE_STRING, WIDTH_PREFIX, IMMEDIATE_NONE, 0},
};

/* The bytes, and how far they have been read. The first failure sticks; what is read after it is 0. */
struct cursor {
    const uint8_t *bytes;
    size_t available;
    uint8_t position;
    enum decode_result result;
};

struct prefixes {
    bool operand_size, address_size, lock, repeat;
    uint8_t segment; /* enum decode_segment or NO_SEGMENT */
    uint8_t rex;     /* 0: none */
};

struct modrm {
    uint8_t mod, reg, rm; /* as they stand, without the REX bits */
};

static uint8_t take_byte(struct cursor *c)
{
    if (c->result != DECODE_OK)
        return 0;
    if (c->position == DECODE_MAX_LENGTH)
        c->result = DECODE_TOO_LONG;
    else if (c->position == c->available)
        c->result = DECODE_TRUNCATED;
    else
        return c->bytes[c->position++];
    return 0;
}

/* Reads a little-endian number of 1, 2, 4 or 8 bytes and sign-extends it. */
static uint64_t take_signed(struct cursor *c, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)take_byte(c) << (8 * i);
    uint64_t sign = (uint64_t)1 << (8 * size - 1);
    return (value ^ sign) - sign;
}

static uint8_t segment_of_prefix(uint8_t byte)
{
    switch (byte) {
    case PREFIX_ES:
        return SEGMENT_ES;
    case PREFIX_CS:
        return SEGMENT_CS;
    case PREFIX_SS:
        return SEGMENT_SS;
    case PREFIX_DS:
        return SEGMENT_DS;
    case PREFIX_FS:
        return SEGMENT_FS;
    case PREFIX_GS:
        return SEGMENT_GS;
    default:
        return NO_SEGMENT;
    }
}

/* Notes one legacy prefix; false when the byte is none. */
static bool prefix_add(enum decode_mode mode, struct prefixes *p, uint8_t byte)
{
    uint8_t segment = segment_of_prefix(byte);
    if (segment != NO_SEGMENT) {
        /* In 64-bit mode the four old overrides do nothing, not even undo an earlier FS or GS. */
        if (mode != DECODE_64 || segment >= SEGMENT_FS)
            p->segment = segment;
        return true;
    }
    p->operand_size |= byte == PREFIX_OPERAND_SIZE;
    p->address_size |= byte == PREFIX_ADDRESS_SIZE;
    p->lock |= byte == PREFIX_LOCK;
    p->repeat |= byte == PREFIX_REP || byte == PREFIX_REPNE;
    return byte == PREFIX_OPERAND_SIZE || byte == PREFIX_ADDRESS_SIZE || byte == PREFIX_LOCK || byte == PREFIX_REP ||
           byte == PREFIX_REPNE;
}

/* Reads all prefixes and returns the first opcode byte. */
static uint8_t take_prefixes(struct cursor *c, enum decode_mode mode, struct prefixes *p)
{
    *p = (struct prefixes){.segment = NO_SEGMENT};
    uint8_t byte = take_byte(c);
    while (c->result == DECODE_OK) {
        if (mode == DECODE_64 && (byte & REX_MASK) == REX_MARK)
            p->rex = byte;
        else if (prefix_add(mode, p, byte))
            p->rex = 0; /* A REX prefix counts only directly before the opcode. */
        else
            break;
        byte = take_byte(c);
    }
    return byte;
}

static const struct row *find_row(enum decode_mode mode, uint16_t opcode, int extension)
{
    unsigned wrong_mode = mode == DECODE_64 ? ROW_NOT_64 : ROW_ONLY_64;
    for (size_t i = 0; i < array_size(rows); i++)
        if (rows[i].opcode == opcode && (rows[i].flags & wrong_mode) == 0 &&
            (extension == ANY || rows[i].extension == ANY || rows[i].extension == extension))
            return &rows[i];
    return NULL;
}

static bool has_modrm(const struct row *row) { return row->form != DECODE_STRING && (row->flags & ROW_OFFSET) == 0; }

static uint8_t operand_size(enum decode_mode mode, const struct prefixes *p)
{
    if (p->rex & REX_W)
        return 8;
    return p->operand_size == (mode == DECODE_16) ? 4 : 2;
}

static uint8_t address_size(enum decode_mode mode, const struct prefixes *p)
{
    if (mode == DECODE_64)
        return p->address_size ? 4 : 8;
    return p->address_size == (mode == DECODE_16) ? 4 : 2;
}

/* SDM vol. 2, "16-Bit Addressing Forms with the ModR/M Byte". */
static void take_address16(struct cursor *c, struct modrm m, struct decoded *out)
{
    static const uint8_t bases[] = {GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX};
    static const uint8_t indices[] = {GPR_RSI, GPR_RDI, GPR_RSI, GPR_RDI};

    bool absolute = m.mod == 0 && m.rm == 6;
    if (!absolute) {
        out->base = bases[m.rm];
        out->index = m.rm < array_size(indices) ? indices[m.rm] : DECODE_NO_REGISTER;
    }
    if (absolute || m.mod == 2)
        out->displacement = take_signed(c, 2);
    else if (m.mod == 1)
        out->displacement = take_signed(c, 1);
}

/* SDM vol. 2, "32-Bit Addressing Forms with the SIB Byte". Returns the base's low three bits. */
static uint8_t take_sib(struct cursor *c, uint8_t rex, struct decoded *out)
{
    uint8_t sib = take_byte(c);
    uint8_t index = (uint8_t)(((sib >> 3) & 7) | (rex & REX_X ? 8 : 0));
    if (index != GPR_RSP) {
        out->index = index;
        out->scale = (uint8_t)(1 << (sib >> 6));
    }
    return sib & 7;
}

/* SDM vol. 2, "32-Bit Addressing Forms with the ModR/M Byte". */
static void take_address32(struct cursor *c, enum decode_mode mode, uint8_t rex, struct modrm m, struct decoded *out)
{
    bool sib = m.rm == 4;
    uint8_t base = sib ? take_sib(c, rex, out) : m.rm;
    bool no_base = m.mod == 0 && base == 5;

    out->rip_relative = no_base && !sib && mode == DECODE_64;
    if (!no_base)
        out->base = (uint8_t)(base | (rex & REX_B ? 8 : 0));
    if (no_base || m.mod == 2)
        out->displacement = take_signed(c, 4);
    else if (m.mod == 1)
        out->displacement = take_signed(c, 1);
}

static void take_address(struct cursor *c, enum decode_mode mode, const struct prefixes *p, const struct row *row,
                         struct modrm m, struct decoded *out)
{
    if (row->flags & ROW_OFFSET)
        out->displacement = take_signed(c, out->address_size);
    else if (has_modrm(row) && out->address_size == 2)
        take_address16(c, m, out);
    else if (has_modrm(row))
        take_address32(c, mode, p->rex, m, out);

    bool stack = out->base == GPR_RSP || out->base == GPR_RBP;
    if (p->segment != NO_SEGMENT)
        out->segment = p->segment;
    else
        out->segment = stack ? SEGMENT_SS : SEGMENT_DS;
}

/* Widths, and the register operand. */
static void set_operands(enum decode_mode mode, const struct prefixes *p, const struct row *row, struct modrm m,
                         struct decoded *out)
{
    uint8_t full = operand_size(mode, p);
    out->size = row->width == WIDTH_PREFIX ? full : row->width;
    out->register_size = row->flags & ROW_WIDEN ? full : out->size;

    if (row->form == DECODE_FROM_IMMEDIATE)
        return;
    out->reg = GPR_RAX; /* of the forms without ModRM */
    if (!has_modrm(row))
        return;
    out->reg = (uint8_t)(m.reg | (p->rex & REX_R ? 8 : 0));
    if (out->register_size == 1 && p->rex == 0 && out->reg >= GPR_RSP) {
        out->reg = (uint8_t)(out->reg - GPR_RSP);
        out->high_byte = true;
    }
}

static void take_immediate(struct cursor *c, const struct row *row, struct decoded *out)
{
    if (row->immediate == IMMEDIATE_BYTE)
        out->immediate = take_signed(c, 1);
    else if (row->immediate == IMMEDIATE_FULL)
        out->immediate = take_signed(c, out->size == 2 ? 2 : 4);
}

/* Reads ModRM where the opcode has one and picks the row that it selects; NULL when there is none. */
static const struct row *take_modrm(struct cursor *c, enum decode_mode mode, uint16_t opcode, struct modrm *m)
{
    const struct row *row = find_row(mode, opcode, ANY);
    if (row == NULL || !has_modrm(row))
        return row;
    uint8_t byte = take_byte(c);
    if (c->result != DECODE_OK)
        return NULL;
    *m = (struct modrm){.mod = byte >> 6, .reg = (byte >> 3) & 7, .rm = byte & 7};
    return m->mod == 3 ? NULL : find_row(mode, opcode, m->reg);
}

enum decode_result decode_instruction(enum decode_mode mode, const uint8_t *bytes, size_t available,
                                      struct decoded *out)
{
    struct cursor c = {.bytes = bytes, .available = available, .result = DECODE_OK};
    struct prefixes p;
    uint16_t opcode = take_prefixes(&c, mode, &p);
    if (opcode == ESCAPE)
        opcode = (uint16_t)(ESCAPE << 8 | take_byte(&c));
    if (c.result != DECODE_OK)
        return c.result;

    struct modrm m = {0};
    const struct row *row = take_modrm(&c, mode, opcode, &m);
    /* MOVSXD to a 16-bit register reads two bytes on Intel CPUs and four on AMD's: nobody uses it, it is refused. */
    bool ambiguous = row != NULL && (row->flags & ROW_WIDEN) && row->width > operand_size(mode, &p);
    if (row == NULL || ambiguous)
        return c.result != DECODE_OK ? c.result : DECODE_UNKNOWN;

    struct decoded d = {.operation = row->operation, .form = row->form, .scale = 1, .lock = p.lock};
    d.base = d.index = d.reg = DECODE_NO_REGISTER;
    d.repeat = p.repeat && row->form == DECODE_STRING;
    d.address_size = address_size(mode, &p);
    set_operands(mode, &p, row, m, &d);
    take_address(&c, mode, &p, row, m, &d);
    take_immediate(&c, row, &d);
    if (c.result != DECODE_OK)
        return c.result;
    if (p.lock && (row->flags & ROW_LOCK) == 0)
        return DECODE_UNDEFINED;
    d.length = c.position;
    *out = d;
    return DECODE_OK;
}

const char *decode_operation_name(enum decode_operation operation)
{
    static const char *const names[] = {
        [DECODE_ADD] = "add",   [DECODE_OR] = "or",     [DECODE_ADC] = "adc",     [DECODE_SBB] = "sbb",
        [DECODE_AND] = "and",   [DECODE_SUB] = "sub",   [DECODE_XOR] = "xor",     [DECODE_CMP] = "cmp",
        [DECODE_TEST] = "test", [DECODE_BT] = "bt",     [DECODE_BTS] = "bts",     [DECODE_BTR] = "btr",
        [DECODE_BTC] = "btc",   [DECODE_MOV] = "mov",   [DECODE_MOVZX] = "movzx", [DECODE_MOVSX] = "movsx",
        [DECODE_XCHG] = "xchg", [DECODE_STOS] = "stos", [DECODE_MOVS] = "movs",   [DECODE_LODS] = "lods",
    };
    return (size_t)operation < array_size(names) ? names[operation] : "unknown";
}
