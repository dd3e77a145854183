/*
 * What every fuzz target needs: numbers out of the input, properties that stop the fuzzer, and a sink that holds error
 * messages to the house rules.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sink.h"

/* libFuzzer calls it with each input; 0 says that the input may join the corpus. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property: it must hold for every input. */
#define require(condition) ((condition) ? (void)0 : require_failed(#condition, __FILE__, __LINE__))

static inline void __attribute__((noreturn)) require_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: property broken: %s\n", file, line, condition);
    abort();
}

struct input {
    const uint8_t *at;
    size_t left;
};

/* The next `size` bytes (up to 8) as a little-endian number; zeros follow the end of the input. */
static inline uint64_t input_take(struct input *in, size_t size)
{
    uint64_t value = 0;
    size_t count = size < in->left ? size : in->left;
    if (count != 0)
        memcpy(&value, in->at, count);
    in->at += count;
    in->left -= count;
    return value;
}

static inline uint8_t input_8(struct input *in) { return (uint8_t)input_take(in, 1); }
static inline uint16_t input_16(struct input *in) { return (uint16_t)input_take(in, 2); }
static inline uint32_t input_32(struct input *in) { return (uint32_t)input_take(in, 4); }
static inline uint64_t input_64(struct input *in) { return input_take(in, 8); }

/* Up to `size` bytes into `to`, which must be zeroed where it matters; returns how many. */
static inline size_t input_bytes(struct input *in, void *to, size_t size)
{
    size_t count = size < in->left ? size : in->left;
    if (count != 0)
        memcpy(to, in->at, count);
    in->at += count;
    in->left -= count;
    return count;
}

/* The same, as a heap block of exactly the size that was left, so that reading one byte too many is seen. */
static inline uint8_t *input_block(struct input *in, size_t size, size_t *length)
{
    *length = size < in->left ? size : in->left;
    uint8_t *block = malloc(*length);
    require(block != NULL || *length == 0);
    input_bytes(in, block, *length);
    return block;
}

/* Error messages: whole lines of printable ASCII, whatever the foreign bytes were. */
struct line_sink {
    struct sink sink; /* first */
    unsigned lines;
    bool open; /* a line has begun */
};

static inline void line_sink_put(struct sink *self, const char *text, size_t length)
{
    struct line_sink *to = (struct line_sink *)self;
    for (size_t i = 0; i < length; i++) {
        require(text[i] == '\n' || (text[i] >= ' ' && text[i] <= '~'));
        require(text[i] != '\n' || to->open); /* an empty line says nothing */
        to->lines += text[i] == '\n';
        to->open = text[i] != '\n';
    }
}

static inline struct line_sink line_sink_new(void) { return (struct line_sink){.sink = {line_sink_put}}; }

/* How many lines there were; the last one must have ended. */
static inline unsigned line_sink_count(const struct line_sink *to)
{
    require(!to->open);
    return to->lines;
}
