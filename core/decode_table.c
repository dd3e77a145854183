/* The instructions that are known, a row each. SDM vol. 2, "Opcode Map". */
#include "core/decode_parts.h"

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
    {0x6c, ANY, DECODE_INS, DECODE_STRING, 1, IMMEDIATE_NONE, 0},
    {0x6d, ANY, DECODE_INS, DECODE_STRING, WIDTH_PREFIX, IMMEDIATE_NONE, ROW_PORT},
    {0x6e, ANY, DECODE_OUTS, DECODE_STRING, 1, IMMEDIATE_NONE, 0},
    {0x6f, ANY, DECODE_OUTS, DECODE_STRING, WIDTH_PREFIX, IMMEDIATE_NONE, ROW_PORT},
};

const struct row *decode_find_row(enum decode_mode mode, uint16_t opcode, int extension)
{
    unsigned wrong_mode = mode == DECODE_64 ? ROW_NOT_64 : ROW_ONLY_64;
    for (size_t i = 0; i < array_size(rows); i++)
        if (rows[i].opcode == opcode && (rows[i].flags & wrong_mode) == 0 &&
            (extension == ANY || rows[i].extension == ANY || rows[i].extension == extension))
            return &rows[i];
    return NULL;
}
