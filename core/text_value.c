/*
 * Typed values: numbers, sizes and words of a list. Nothing wraps: a number that does not fit is
 * an error of its own, told apart from one that is no number.
 */
#include "core/text_value.h"

#include "core/text_nearest.h"

enum digits { DIGITS_GOOD, DIGITS_BAD, DIGITS_TOO_LARGE };

/* The value of a digit, or 16 and more when it is none. */
/*@ assigns \nothing;
    ensures \result <= 16; */
static uint32_t digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (uint32_t)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (uint32_t)(c - 'A') + 10;
    return 16;
}

/*@ requires slice_readable(s) && \valid(out);
    assigns *out;
    ensures \result == DIGITS_GOOD || \result == DIGITS_BAD || \result == DIGITS_TOO_LARGE; */
static enum digits parse_digits(struct slice s, uint64_t *out)
{
    uint32_t base = 10;
    uint64_t value = 0;
    bool too_large = false;

    if (s.length > 2 && s.at[0] == '0' && (s.at[1] == 'x' || s.at[1] == 'X')) {
        base = 16;
        s = (struct slice){s.at + 2, s.length - 2};
    }
    if (s.length == 0)
        return DIGITS_BAD;
    /*@ loop invariant 0 <= i <= s.length;
        loop assigns i, value, too_large;
        loop variant s.length - i; */
    for (size_t i = 0; i < s.length; i++) {
        uint32_t digit = digit_value(s.at[i]);
        if (digit >= base)
            return DIGITS_BAD;
        too_large = too_large || value > (UINT64_MAX - digit) / base;
        value = too_large ? 0 : value * base + digit;
    }
    *out = value;
    return too_large ? DIGITS_TOO_LARGE : DIGITS_GOOD;
}

bool text_value_number(struct text_report *report, struct config_text text, const char *noun, uint64_t min,
                       uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    enum digits digits = parse_digits(text.text, &value);

    if (digits == DIGITS_BAD) {
        text_error(report, text, "not a number", "expected %s, decimal or 0x hexadecimal", noun);
        return false;
    }
    if (digits == DIGITS_TOO_LARGE || value < min || value > max) {
        text_error(report, text, "number out of range", "expected %s from %lu to %lu", noun, min, max);
        return false;
    }
    *out = value;
    return true;
}

bool text_value_range(struct text_report *report, struct config_text text, const char *noun, uint32_t max,
                      struct config_range *out)
{
    size_t dash = slice_find(text.text, 0, '-');
    uint64_t first = 0;

    if (!text_value_number(report, text_part(text, 0, dash), noun, 0, max, &first))
        return false;
    uint64_t last = first;
    if (dash < text.text.length) {
        struct config_text upper = text_part(text, dash + 1, text.text.length - dash - 1);
        if (!text_value_number(report, upper, noun, 0, max, &last))
            return false;
    }
    *out = (struct config_range){(uint32_t)first, (uint32_t)last};
    return true;
}

/* How far the unit at the end of a size shifts its number to the left; 0: there is no unit. */
/*@ requires slice_readable(s);
    assigns \nothing;
    ensures \result <= 40 && (\result != 0 ==> s.length != 0); */
static uint32_t unit_shift(struct slice s)
{
    static const char units[] = "KMGTkmgt";

    /*@ loop invariant 0 <= i <= sizeof(units) - 1;
        loop assigns i;
        loop variant sizeof(units) - 1 - i; */
    for (uint32_t i = 0; s.length != 0 && i < sizeof units - 1; i++)
        if (s.at[s.length - 1] == units[i])
            return (i % 4 + 1) * 10;
    return 0;
}

bool text_value_size(struct text_report *report, struct config_text text, const char *noun, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    uint32_t shift = unit_shift(text.text);
    struct slice number = {text.text.at, text.text.length - (shift != 0 ? 1 : 0)};
    enum digits digits = parse_digits(number, &value);

    if (digits == DIGITS_BAD) {
        text_error(report, text, "not a size", "expected %s in bytes, or with K, M, G or T, such as 256M", noun);
        return false;
    }
    if (digits == DIGITS_TOO_LARGE || value > max >> shift) {
        text_error(report, text, "size out of range", "expected %s of at most %s", noun, size_text(max).text);
        return false;
    }
    *out = value << shift;
    return true;
}

/*@ requires \valid_read(choices + (0 .. count - 1)) && \valid(report) && slice_readable(text.text);
    assigns report->count; */
static void report_choice(struct text_report *report, struct config_text text, const struct text_choice *choices,
                          size_t count)
{
    struct text_nearest nearest;
    struct sink *out = text_error_open(report, text, "unknown value");

    text_nearest_init(&nearest, text.text);
    sink_print(out, "expected ");
    /*@ loop invariant 0 <= i <= count;
        loop assigns i, nearest.name, nearest.distance;
        loop variant count - i; */
    for (size_t i = 0; i < count; i++) {
        const char *before = i == 0 ? "" : i + 1 == count ? " or " : ", ";
        sink_print(out, "%s%s", before, choices[i].name);
        text_nearest_consider(&nearest, choices[i].name);
    }
    if (nearest.name != NULL && count > 1)
        sink_print(out, "; did you mean '%s'?", nearest.name);
    text_error_close(report);
}

bool text_value_choice(struct text_report *report, struct config_text text, const struct text_choice *choices,
                       size_t count, int *out)
{
    /*@ loop invariant 0 <= i <= count;
        loop assigns i;
        loop variant count - i; */
    for (size_t i = 0; i < count; i++) {
        if (slice_equals(text.text, choices[i].name)) {
            *out = choices[i].value;
            return true;
        }
    }
    report_choice(report, text, choices, count);
    return false;
}

const char *text_choice_name(const struct text_choice *choices, size_t count, int value)
{
    /*@ loop invariant 0 <= i <= count;
        loop assigns i;
        loop variant count - i; */
    for (size_t i = 0; i < count; i++)
        if (choices[i].value == value)
            return choices[i].name;
    return "?";
}
