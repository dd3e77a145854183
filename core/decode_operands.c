/* Where an instruction's operands are and how wide: ModRM, SIB, displacement, immediate. */
#include "core/decode_parts.h"

#include "core/vcpu.h"

uint8_t decode_operand_size(enum decode_mode mode, const struct prefixes *p)
{
    if (p->rex & REX_W)
        return 8;
    return p->operand_size == (mode == DECODE_16) ? 4 : 2;
}

uint8_t decode_address_size(enum decode_mode mode, const struct prefixes *p)
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
        out->displacement = decode_take_signed(c, 2);
    else if (m.mod == 1)
        out->displacement = decode_take_signed(c, 1);
}

/* SDM vol. 2, "32-Bit Addressing Forms with the SIB Byte". Returns the base's low three bits. */
static uint8_t take_sib(struct cursor *c, uint8_t rex, struct decoded *out)
{
    uint8_t sib = decode_take_byte(c);
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
        out->displacement = decode_take_signed(c, 4);
    else if (m.mod == 1)
        out->displacement = decode_take_signed(c, 1);
}

void decode_take_address(struct cursor *c, enum decode_mode mode, const struct prefixes *p, const struct row *row,
                         struct modrm m, struct decoded *out)
{
    if (row->flags & ROW_OFFSET)
        out->displacement = decode_take_signed(c, out->address_size);
    else if (decode_has_modrm(row) && out->address_size == 2)
        take_address16(c, m, out);
    else if (decode_has_modrm(row))
        take_address32(c, mode, p->rex, m, out);

    bool stack = out->base == GPR_RSP || out->base == GPR_RBP;
    if (p->segment != NO_SEGMENT)
        out->segment = p->segment;
    else
        out->segment = stack ? SEGMENT_SS : SEGMENT_DS;
}

void decode_set_operands(enum decode_mode mode, const struct prefixes *p, const struct row *row, struct modrm m,
                         struct decoded *out)
{
    uint8_t full = decode_operand_size(mode, p);
    if ((row->flags & ROW_PORT) && full == 8)
        full = 4;
    out->size = row->width == WIDTH_PREFIX ? full : row->width;
    out->register_size = row->flags & ROW_WIDEN ? full : out->size;

    if (row->form == DECODE_FROM_IMMEDIATE)
        return;
    out->reg = GPR_RAX; /* of the forms without ModRM */
    if (!decode_has_modrm(row))
        return;
    out->reg = (uint8_t)(m.reg | (p->rex & REX_R ? 8 : 0));
    if (out->register_size == 1 && p->rex == 0 && out->reg >= GPR_RSP) {
        out->reg = (uint8_t)(out->reg - GPR_RSP);
        out->high_byte = true;
    }
}

void decode_take_immediate(struct cursor *c, const struct row *row, struct decoded *out)
{
    if (row->immediate == IMMEDIATE_BYTE)
        out->immediate = decode_take_signed(c, 1);
    else if (row->immediate == IMMEDIATE_FULL)
        out->immediate = decode_take_signed(c, out->size == 2 ? 2 : 4);
}
