/*
 * Decodes the instructions with which guests touch device registers, and the string instructions of ports. Pure: bytes
 * in, one struct out.
 *
 * Only what compilers and kernels use on such memory is known (see decode_table.c); every other instruction, and
 * every form without a memory operand, is refused. SDM vol. 2, "Instruction Format" and "Opcode Map".
 */
#pragma once

#include "core/types.h"

enum { DECODE_MAX_LENGTH = 15 }; /* bytes; a longer instruction is #GP */

/* How the code segment makes the CPU read instructions. */
enum decode_mode { DECODE_16, DECODE_32, DECODE_64 };

enum decode_operation {
    DECODE_ADD, /* the first eight in the order of their opcodes */
    DECODE_OR,
    DECODE_ADC,
    DECODE_SBB,
    DECODE_AND,
    DECODE_SUB,
    DECODE_XOR,
    DECODE_CMP,
    DECODE_TEST,
    DECODE_BT, /* these four too */
    DECODE_BTS,
    DECODE_BTR,
    DECODE_BTC,
    DECODE_MOV,
    DECODE_MOVZX,
    DECODE_MOVSX, /* MOVSXD too */
    DECODE_XCHG,
    DECODE_STOS,
    DECODE_MOVS,
    DECODE_LODS,
    DECODE_INS, /* the port is in DX; REX.W changes nothing */
    DECODE_OUTS,
};

enum decode_form {
    DECODE_TO_MEMORY,      /* memory operand first, register second */
    DECODE_TO_REGISTER,    /* register operand first, memory second */
    DECODE_FROM_IMMEDIATE, /* memory operand first, immediate second */
    DECODE_STRING,         /* ES:rDI and segment:rSI, as the operation says */
};

enum decode_segment { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS };

enum { DECODE_NO_REGISTER = 0xff };

/* One instruction. Registers are numbered as in enum gpr. */
struct decoded {
    enum decode_operation operation;
    enum decode_form form;
    uint8_t length;        /* bytes, 1 to 15 */
    uint8_t size;          /* of the memory operand: 1, 2, 4 or 8 bytes */
    uint8_t register_size; /* of the register operand: the same, or wider for MOVZX and MOVSX */
    uint8_t address_size;  /* 2, 4 or 8 bytes */
    uint8_t reg;           /* the register operand; DECODE_NO_REGISTER when there is none */
    bool high_byte;        /* it is bits 15:8 of `reg` (AH, CH, DH, BH) */
    bool lock;
    bool repeat;                 /* a string instruction with REP (or REPNE, which is the same for these) */
    enum decode_segment segment; /* of the memory operand, or of a string's source */
    uint8_t base;                /* or DECODE_NO_REGISTER */
    uint8_t index;               /* or DECODE_NO_REGISTER */
    uint8_t scale;               /* 1, 2, 4 or 8 */
    bool rip_relative;           /* the displacement counts from the next instruction */
    uint64_t displacement;       /* sign-extended */
    uint64_t immediate;          /* sign-extended */
};

enum decode_result {
    DECODE_OK,
    DECODE_TRUNCATED, /* more bytes are needed: fewer than 15 were given */
    DECODE_TOO_LONG,  /* more than 15 bytes: the CPU raises #GP(0) */
    DECODE_UNDEFINED, /* a prefix that the operation does not allow: the CPU raises #UD */
    DECODE_UNKNOWN,   /* not in the table */
};

/* Decodes the instruction at `bytes`, of which `available` may be read. *out is filled only for DECODE_OK. */
enum decode_result must_check decode_instruction(enum decode_mode mode, const uint8_t *bytes, size_t available,
                                                 struct decoded *out);
