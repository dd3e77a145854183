/*
 * The C library's memory functions, with the CPU's own string instructions: fast where ERMS is, small everywhere. The
 * tail is copied by bytes, so that any size is right.
 */
#include "core/bytes.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *at = to;
    size_t words = size / 8;
    size_t rest = size % 8;
    __asm__ volatile("rep movsq\n\t"
                     "mov %3, %%rcx\n\t"
                     "rep movsb"
                     : "+D"(at), "+S"(from), "+c"(words)
                     : "r"(rest)
                     : "memory");
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *at = to;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;
    size_t words = size / 8;
    size_t rest = size % 8;
    __asm__ volatile("rep stosq\n\t"
                     "mov %2, %%rcx\n\t"
                     "rep stosb"
                     : "+D"(at), "+c"(words)
                     : "r"(rest), "a"(pattern)
                     : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    char *t = to;
    const char *f = from;
    while (size-- > 0)
        t[size] = f[size];
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *s)
{
    size_t length = 0;
    while (s[length] != '\0')
        length++;
    return length;
}

int strncmp(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i])
            return (uint8_t)a[i] < (uint8_t)b[i] ? -1 : 1;
        if (a[i] == '\0')
            return 0;
    }
    return 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, SIZE_MAX); }
