/*
 * 128 bits divided by 64, as one divides on paper, in base 2^32: two digits of quotient, each guessed from the leading
 * digits and corrected (Knuth, "The Art of Computer Programming", vol. 2, 4.3.1, algorithm D).
 */
#include "core/ratio.h"

enum { DIGIT_BITS = 32 };
#define DIGIT_MASK 0xffffffffull

struct quotient {
    uint64_t value;
    uint64_t remainder;
};

/*
 * One digit: (rest * 2^32 + next) / divisor, where rest < divisor and the divisor's top bit is set. The guess is at
 * most two too large; what does not fit 64 bits in between wraps and comes back, as the true remainder fits.
 */
static uint64_t digit(uint64_t *rest, uint64_t next, uint64_t divisor)
{
    uint64_t leading = divisor >> DIGIT_BITS;
    uint64_t guess = *rest / leading;
    uint64_t left = *rest % leading;

    while (guess > DIGIT_MASK || guess * (divisor & DIGIT_MASK) > (left << DIGIT_BITS | next)) {
        guess--;
        left += leading;
        if (left > DIGIT_MASK)
            break;
    }
    *rest = (*rest << DIGIT_BITS | next) - guess * divisor;
    return guess;
}

/* high:low / divisor, where high < divisor, so that the quotient fits 64 bits. */
static struct quotient divide(uint64_t high, uint64_t low, uint64_t divisor)
{
    uint32_t shift = (uint32_t)__builtin_clzll(divisor);
    uint64_t rest = shift == 0 ? high : high << shift | low >> (64 - shift);

    divisor <<= shift;
    low <<= shift;
    uint64_t first = digit(&rest, low >> DIGIT_BITS, divisor);
    uint64_t second = digit(&rest, low & DIGIT_MASK, divisor);
    return (struct quotient){.value = first << DIGIT_BITS | second, .remainder = rest >> shift};
}

static struct quotient scale(uint64_t value, uint64_t numerator, uint64_t denominator)
{
    unsigned __int128 product = (unsigned __int128)value * numerator;
    uint64_t high = (uint64_t)(product >> 64);

    if (high >= denominator) /* a denominator of 0 too */
        return (struct quotient){.value = UINT64_MAX, .remainder = 0};
    return divide(high, (uint64_t)product, denominator);
}

uint64_t ratio_floor(uint64_t value, uint64_t numerator, uint64_t denominator)
{
    return scale(value, numerator, denominator).value;
}

uint64_t ratio_ceil(uint64_t value, uint64_t numerator, uint64_t denominator)
{
    struct quotient result = scale(value, numerator, denominator);

    return result.remainder == 0 || result.value == UINT64_MAX ? result.value : result.value + 1;
}
