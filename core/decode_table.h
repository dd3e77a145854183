/*
 * The instructions that the decoder knows. Private to core/decode*.c.
 */
#pragma once

#include "core/decode.h"

/* Bits of an opcode that do not choose its row: bit 0 is the width, and the operations of a family stand in bits 5:3.
 */
enum { MASK_NONE = 0, MASK_WIDTH = 1, MASK_FAMILY = 7 << 3, MASK_BITS = 3 << 3 };

/* How wide the memory operand is: a number of bytes, or one if the opcode says so, else what prefixes and mode say. */
enum { WIDTH_PREFIX = 0 };
enum row_flag {
    ROW_OFFSET = 1 << 0,  /* the address follows the opcode, there is no ModRM, the register is the accumulator */
    ROW_ONLY_64 = 1 << 1, /* another instruction outside 64-bit mode */
    ROW_NOT_64 = 1 << 2,  /* undefined in 64-bit mode */
    ROW_WIDEN = 1 << 3,   /* the register's width comes from the prefixes, the memory operand's from the row */
    ROW_PORT = 1 << 4,    /* at most 4 bytes wide */
    ROW_BYTE = 1 << 5,    /* the immediate is one byte, whatever the operand's width */
};
enum { ANY = -1 };

struct row {
    uint16_t opcode;     /* 0x0fxx: the second opcode map */
    uint8_t mask;        /* bits of it that are to be ignored */
    uint8_t first, last; /* ModRM.reg; with an immediate it counts the operations of a family */
    uint8_t operation;   /* enum decode_operation, the first of a family */
    uint8_t form;        /* enum decode_form */
    uint8_t width;       /* bytes, or WIDTH_PREFIX */
    uint8_t flags;       /* enum row_flag */
};

/* The row of an opcode, with `reg` in ModRM.reg or ANY; NULL when there is none in that mode. */
const struct row *decode_find_row(enum decode_mode mode, uint16_t opcode, int reg);
