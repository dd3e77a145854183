/* The instructions that are known, a row for those that a few bits of the opcode tell apart. SDM vol. 2, "Opcode Map".
 */
#include "core/decode_table.h"

static const struct row rows[] = {
    /* what device drivers are made of comes first */
    {0x88, MASK_WIDTH, 0, 7, DECODE_MOV, DECODE_TO_MEMORY, WIDTH_PREFIX, 0},
    {0x8a, MASK_WIDTH, 0, 7, DECODE_MOV, DECODE_TO_REGISTER, WIDTH_PREFIX, 0},
    {0xc6, MASK_WIDTH, 0, 0, DECODE_MOV, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, 0},
    {0xa0, MASK_WIDTH, 0, 7, DECODE_MOV, DECODE_TO_REGISTER, WIDTH_PREFIX, ROW_OFFSET},
    {0xa2, MASK_WIDTH, 0, 7, DECODE_MOV, DECODE_TO_MEMORY, WIDTH_PREFIX, ROW_OFFSET},
    {0x0fb6, MASK_NONE, 0, 7, DECODE_MOVZX, DECODE_TO_REGISTER, 1, ROW_WIDEN},
    {0x0fb7, MASK_NONE, 0, 7, DECODE_MOVZX, DECODE_TO_REGISTER, 2, ROW_WIDEN},
    {0x0fbe, MASK_NONE, 0, 7, DECODE_MOVSX, DECODE_TO_REGISTER, 1, ROW_WIDEN},
    {0x0fbf, MASK_NONE, 0, 7, DECODE_MOVSX, DECODE_TO_REGISTER, 2, ROW_WIDEN},
    {0x63, MASK_NONE, 0, 7, DECODE_MOVSX, DECODE_TO_REGISTER, 4, ROW_WIDEN | ROW_ONLY_64},

    {0x00, MASK_FAMILY | MASK_WIDTH, 0, 7, DECODE_ADD, DECODE_TO_MEMORY, WIDTH_PREFIX, 0},
    {0x02, MASK_FAMILY | MASK_WIDTH, 0, 7, DECODE_ADD, DECODE_TO_REGISTER, WIDTH_PREFIX, 0},
    {0x80, MASK_WIDTH, 0, 7, DECODE_ADD, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, 0},
    {0x82, MASK_NONE, 0, 7, DECODE_ADD, DECODE_FROM_IMMEDIATE, 1, ROW_NOT_64},
    {0x83, MASK_NONE, 0, 7, DECODE_ADD, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, ROW_BYTE},
    {0x84, MASK_WIDTH, 0, 7, DECODE_TEST, DECODE_TO_MEMORY, WIDTH_PREFIX, 0},
    {0xf6, MASK_WIDTH, 0, 0, DECODE_TEST, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, 0},
    {0xf6, MASK_WIDTH, 1, 1, DECODE_TEST, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, 0}, /* the same again, on every CPU */
    {0x86, MASK_WIDTH, 0, 7, DECODE_XCHG, DECODE_TO_MEMORY, WIDTH_PREFIX, 0},
    {0x0fa3, MASK_BITS, 0, 7, DECODE_BT, DECODE_TO_MEMORY, WIDTH_PREFIX, 0},
    {0x0fba, MASK_NONE, 4, 7, DECODE_BT, DECODE_FROM_IMMEDIATE, WIDTH_PREFIX, ROW_BYTE},

    {0xaa, MASK_WIDTH, 0, 7, DECODE_STOS, DECODE_STRING, WIDTH_PREFIX, 0},
    {0xa4, MASK_WIDTH, 0, 7, DECODE_MOVS, DECODE_STRING, WIDTH_PREFIX, 0},
    {0xac, MASK_WIDTH, 0, 7, DECODE_LODS, DECODE_STRING, WIDTH_PREFIX, 0},
    {0x6c, MASK_WIDTH, 0, 7, DECODE_INS, DECODE_STRING, WIDTH_PREFIX, ROW_PORT},
    {0x6e, MASK_WIDTH, 0, 7, DECODE_OUTS, DECODE_STRING, WIDTH_PREFIX, ROW_PORT},
};

const struct row *decode_find_row(enum decode_mode mode, uint16_t opcode, int reg)
{
    unsigned wrong_mode = mode == DECODE_64 ? ROW_NOT_64 : ROW_ONLY_64;
    for (size_t i = 0; i < array_size(rows); i++)
        if ((opcode & ~(unsigned)rows[i].mask) == rows[i].opcode && (rows[i].flags & wrong_mode) == 0 &&
            (reg == ANY || (reg >= rows[i].first && reg <= rows[i].last)))
            return &rows[i];
    return NULL;
}
