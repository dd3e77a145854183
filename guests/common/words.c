/*
 * The command line as words, and numbers in them.
 */
#include "guests/common/guest.h"

bool text_equals(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool word_next(const char **at, char *word, size_t size)
{
    size_t length = 0;
    while (**at == ' ')
        (*at)++;
    if (**at == '\0')
        return false;
    for (; **at != '\0' && **at != ' '; (*at)++)
        if (length + 1 < size)
            word[length++] = **at;
    word[length] = '\0';
    return true;
}

/* The value of a digit in any base up to 16; 16 when it is none. */
static uint64_t digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (uint64_t)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (uint64_t)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (uint64_t)(c - 'A') + 10;
    return 16;
}

bool number_parse(const char *text, uint64_t *out)
{
    uint64_t base = 10, value = 0;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit = digit_value(*text);
        if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

const char *word_value(const char *word, const char *key)
{
    while (*key != '\0' && *word == *key) {
        word++;
        key++;
    }
    return *key == '\0' && *word == '=' ? word + 1 : NULL;
}

uint64_t guest_option(const char *key, uint64_t otherwise)
{
    char word[64];
    const char *at = guest_command_line;
    while (word_next(&at, word, sizeof word)) {
        const char *value = word_value(word, key);
        uint64_t number;
        if (value != NULL && number_parse(value, &number))
            return number;
    }
    return otherwise;
}

bool guest_has_word(const char *wanted)
{
    char word[64];
    const char *at = guest_command_line;
    while (word_next(&at, word, sizeof word))
        if (text_equals(word, wanted))
            return true;
    return false;
}
