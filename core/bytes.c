#include "core/bytes.h"

struct slice slice_of(const char *text) { return (struct slice){text, strlen(text)}; }

bool slice_equals(struct slice s, const char *text)
{
    return strlen(text) == s.length && memcmp(s.at, text, s.length) == 0;
}

size_t slice_find(struct slice s, size_t from, char byte)
{
    size_t i = from;
    /*@ loop invariant from <= i <= s.length;
        loop assigns i;
        loop variant s.length - i; */
    while (i < s.length && s.at[i] != byte)
        i++;
    return i;
}

bool slice_copy(struct slice s, char *to, size_t size)
{
    if (size == 0)
        return false;
    size_t length = s.length < size ? s.length : size - 1;
    memcpy(to, s.at, length);
    to[length] = '\0';
    return length == s.length;
}
