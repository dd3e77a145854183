/* The arithmetic of the emulated instructions. Carries come out of the operands and the result, bit by bit. */
#include "core/alu.h"

#define FLAG_CF     ((uint64_t)1 << 0)
#define FLAG_PF     ((uint64_t)1 << 2)
#define FLAG_AF     ((uint64_t)1 << 4)
#define FLAG_ZF     ((uint64_t)1 << 6)
#define FLAG_SF     ((uint64_t)1 << 7)
#define FLAG_OF     ((uint64_t)1 << 11)
#define FLAGS_ARITH (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static uint64_t parity_flag(uint64_t value)
{
    uint64_t folded = (value ^ value >> 4) & 0xf;
    /* Bit n of the constant says whether n has an even number of ones. */
    return (0x9669u >> folded) & 1 ? FLAG_PF : 0;
}

static uint64_t result_flags(uint64_t result, unsigned size)
{
    return parity_flag(result) | (result == 0 ? FLAG_ZF : 0) | (result & sign_bit(size) ? FLAG_SF : 0);
}

static uint64_t add(uint64_t a, uint64_t b, uint64_t carry, unsigned size, uint64_t *flags)
{
    uint64_t result = (a + b + carry) & size_mask(size);
    uint64_t carries = (a & b) | ((a | b) & ~result);
    uint64_t overflow = (a ^ result) & (b ^ result);
    *flags = result_flags(result, size) | (carries & sign_bit(size) ? FLAG_CF : 0) |
             (overflow & sign_bit(size) ? FLAG_OF : 0) | ((a ^ b ^ result) & FLAG_AF);
    return result;
}

/* a - b - borrow is a + ~b + 1 - borrow; CF and AF are then the opposite of its carries. */
static uint64_t subtract(uint64_t a, uint64_t b, uint64_t borrow, unsigned size, uint64_t *flags)
{
    uint64_t result = add(a, ~b & size_mask(size), 1 - borrow, size, flags);
    *flags ^= FLAG_CF | FLAG_AF;
    return result;
}

static uint64_t logic(uint64_t result, unsigned size, uint64_t *flags)
{
    *flags = result_flags(result, size);
    return result;
}

/* The bit operations change CF alone; the others' flags are left as they were. */
static uint64_t bit_operation(enum decode_operation operation, uint64_t a, uint64_t number, unsigned size,
                              uint64_t old_flags, uint64_t *flags)
{
    uint64_t bit = (uint64_t)1 << (number & (8 * size - 1));
    *flags = (old_flags & FLAGS_ARITH & ~FLAG_CF) | (a & bit ? FLAG_CF : 0);
    if (operation == DECODE_BTS)
        return a | bit;
    if (operation == DECODE_BTR)
        return a & ~bit;
    return operation == DECODE_BTC ? a ^ bit : a;
}

uint64_t alu_compute(enum decode_operation operation, uint64_t a, uint64_t b, unsigned size, uint64_t *rflags)
{
    uint64_t flags = *rflags & FLAGS_ARITH;
    uint64_t result = b;
    b &= size_mask(size);
    switch (operation) {
    case DECODE_ADD:
        result = add(a, b, 0, size, &flags);
        break;
    case DECODE_ADC:
        result = add(a, b, *rflags & FLAG_CF, size, &flags);
        break;
    case DECODE_SUB:
    case DECODE_CMP:
        result = subtract(a, b, 0, size, &flags);
        break;
    case DECODE_SBB:
        result = subtract(a, b, *rflags & FLAG_CF, size, &flags);
        break;
    case DECODE_OR:
        result = logic(a | b, size, &flags);
        break;
    case DECODE_XOR:
        result = logic(a ^ b, size, &flags);
        break;
    case DECODE_AND:
    case DECODE_TEST:
        result = logic(a & b, size, &flags);
        break;
    case DECODE_BT:
    case DECODE_BTS:
    case DECODE_BTR:
    case DECODE_BTC:
        result = bit_operation(operation, a, b, size, *rflags, &flags);
        break;
    case DECODE_MOV:
    case DECODE_MOVZX:
    case DECODE_MOVSX:
    case DECODE_XCHG:
    case DECODE_STOS:
    case DECODE_MOVS:
    case DECODE_LODS:
    case DECODE_INS:
    case DECODE_OUTS:
        break; /* the result is b, and no flag changes */
    }
    *rflags = (*rflags & ~FLAGS_ARITH) | flags;
    return result;
}
