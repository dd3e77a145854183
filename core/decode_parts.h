/*
 * The parts that the decoder's files hand to one another. Private to core/decode*.c.
 */
#pragma once

#include "core/decode.h"

enum { REX_MARK = 0x40, REX_MASK = 0xf0, REX_W = 8, REX_R = 4, REX_X = 2, REX_B = 1 };
enum { NO_SEGMENT = 0xff };

/* How wide the memory operand is: a number of bytes, or what the prefixes and the mode say. */
enum { WIDTH_PREFIX = 0 };
enum immediate_kind { IMMEDIATE_NONE, IMMEDIATE_BYTE, IMMEDIATE_FULL };
enum row_flag {
    ROW_LOCK = 1 << 0,    /* LOCK is legal */
    ROW_OFFSET = 1 << 1,  /* the address follows the opcode, there is no ModRM, the register is the accumulator */
    ROW_ONLY_64 = 1 << 2, /* another instruction outside 64-bit mode */
    ROW_NOT_64 = 1 << 3,  /* undefined in 64-bit mode */
    ROW_WIDEN = 1 << 4,   /* the register's width comes from the prefixes, the memory operand's from the row */
    ROW_PORT = 1 << 5,    /* at most 4 bytes wide */
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

/* The next byte; 0 once the bytes have run out. */
uint8_t decode_take_byte(struct cursor *c);

/* Reads a little-endian number of 1, 2, 4 or 8 bytes and sign-extends it. */
uint64_t decode_take_signed(struct cursor *c, unsigned size);

/* The row of an opcode, with `extension` in ModRM.reg or ANY; NULL when there is none in that mode. */
const struct row *decode_find_row(enum decode_mode mode, uint16_t opcode, int extension);
static inline bool decode_has_modrm(const struct row *row)
{
    return row->form != DECODE_STRING && (row->flags & ROW_OFFSET) == 0;
}

/* Widths in bytes, as mode and prefixes say. */
uint8_t decode_operand_size(enum decode_mode mode, const struct prefixes *p);
uint8_t decode_address_size(enum decode_mode mode, const struct prefixes *p);

/* Widths, and the register operand. */
void decode_set_operands(enum decode_mode mode, const struct prefixes *p, const struct row *row, struct modrm m,
                         struct decoded *out);
void decode_take_address(struct cursor *c, enum decode_mode mode, const struct prefixes *p, const struct row *row,
                         struct modrm m, struct decoded *out);
void decode_take_immediate(struct cursor *c, const struct row *row, struct decoded *out);
