/* The instruction decoder: prefixes, one row of a table, ModRM and SIB, displacement, immediate. */
#include "core/decode_parts.h"

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
enum { ESCAPE = 0x0f };

uint8_t decode_take_byte(struct cursor *c)
{
    if (c->result != DECODE_OK)
        return 0;
    if (c->position >= DECODE_MAX_LENGTH)
        c->result = DECODE_TOO_LONG;
    else if (c->position >= c->available)
        c->result = DECODE_TRUNCATED;
    else
        return c->bytes[c->position++];
    return 0;
}

uint64_t decode_take_signed(struct cursor *c, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)decode_take_byte(c) << (8 * i);
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
    uint8_t byte = decode_take_byte(c);
    while (c->result == DECODE_OK) {
        if (mode == DECODE_64 && (byte & REX_MASK) == REX_MARK)
            p->rex = byte;
        else if (prefix_add(mode, p, byte))
            p->rex = 0; /* A REX prefix counts only directly before the opcode. */
        else
            break;
        byte = decode_take_byte(c);
    }
    return byte;
}

/* Reads ModRM where the opcode has one and picks the row that it selects; NULL when there is none. */
static const struct row *take_modrm(struct cursor *c, enum decode_mode mode, uint16_t opcode, struct modrm *m)
{
    const struct row *row = decode_find_row(mode, opcode, ANY);
    if (row == NULL || !decode_has_modrm(row))
        return row;
    uint8_t byte = decode_take_byte(c);
    if (c->result != DECODE_OK)
        return NULL;
    *m = (struct modrm){.mod = byte >> 6, .reg = (byte >> 3) & 7, .rm = byte & 7};
    return m->mod == 3 ? NULL : decode_find_row(mode, opcode, m->reg);
}

enum decode_result decode_instruction(enum decode_mode mode, const uint8_t *bytes, size_t available,
                                      struct decoded *out)
{
    struct cursor c = {.bytes = bytes, .available = available, .result = DECODE_OK};
    struct prefixes p;
    uint16_t opcode = take_prefixes(&c, mode, &p);
    if (opcode == ESCAPE)
        opcode = (uint16_t)(ESCAPE << 8 | decode_take_byte(&c));
    if (c.result != DECODE_OK)
        return c.result;

    struct modrm m = {0};
    const struct row *row = take_modrm(&c, mode, opcode, &m);
    /* MOVSXD to a 16-bit register reads two bytes on Intel CPUs and four on AMD's: nobody uses it, it is refused. */
    bool ambiguous = row != NULL && (row->flags & ROW_WIDEN) && row->width > decode_operand_size(mode, &p);
    if (row == NULL || ambiguous)
        return c.result != DECODE_OK ? c.result : DECODE_UNKNOWN;

    struct decoded d = {.operation = row->operation, .form = row->form, .scale = 1, .lock = p.lock};
    d.base = d.index = d.reg = DECODE_NO_REGISTER;
    d.repeat = p.repeat && row->form == DECODE_STRING;
    d.address_size = decode_address_size(mode, &p);
    decode_set_operands(mode, &p, row, m, &d);
    decode_take_address(&c, mode, &p, row, m, &d);
    decode_take_immediate(&c, row, &d);
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
        [DECODE_INS] = "ins",   [DECODE_OUTS] = "outs",
    };
    return (size_t)operation < array_size(names) ? names[operation] : "unknown";
}
