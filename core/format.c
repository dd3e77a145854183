/* printf into a sink: one conversion at a time is parsed into a spec, then its text is put out in pieces. */
#include "core/sink.h"

#include "core/bytes.h"

enum { FORMAT_DIGITS = 21 }; /* of -2^64 in decimal, the longest */

/* long, long long, size_t and pointers are all 8 bytes on x86_64, so one length stands for l, ll and z. */
_Static_assert(sizeof(long) == 8 && sizeof(long long) == 8 && sizeof(size_t) == 8, "LP64 is assumed");

struct spec {
    bool left;
    bool zero;
    bool is_long;
    char conversion;
    uint32_t width;
    uint32_t precision; /* UINT32_MAX: none */
};

/* A va_list is an array type on x86_64: only inside a struct can it be passed on and advance in the caller as well. */
struct arguments {
    va_list list;
};

void sink_repeat(struct sink *sink, char c, size_t count)
{
    char run[32];
    memset(run, c, sizeof run);
    while (count != 0) {
        size_t part = count < sizeof run ? count : sizeof run;
        sink->put(sink, run, part);
        count -= part;
    }
}

/* Puts text into a field of spec->width. */
static void put_field(struct sink *sink, const struct spec *spec, const char *text, size_t length)
{
    size_t padding = spec->width > length ? spec->width - length : 0;
    if (!spec->left)
        sink_repeat(sink, ' ', padding);
    if (length != 0)
        sink->put(sink, text, length);
    if (spec->left)
        sink_repeat(sink, ' ', padding);
}

static void put_string(struct sink *sink, const struct spec *spec, const char *text)
{
    if (text == NULL)
        text = "(null)";
    /* With a precision the text need not be terminated: look at no more of it than may be printed. */
    size_t length = 0;
    while (length < spec->precision && text[length] != '\0')
        length++;
    put_field(sink, spec, text, length);
}

static void put_number(struct sink *sink, struct spec *spec, uint64_t value, bool negative)
{
    uint64_t base = spec->conversion == 'x' ? 16 : 10;
    bool zeros = spec->zero && !spec->left; /* as in C, the flag '0' yields to '-' */
    char digits[FORMAT_DIGITS];
    size_t first = sizeof digits;
    do {
        digits[--first] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (zeros && spec->width > sizeof digits - first + negative) {
        size_t count = spec->width - (sizeof digits - first) - negative;
        sink->put(sink, "-", negative);
        sink_repeat(sink, '0', count);
        spec->width = 0;
        negative = false;
    }
    if (negative)
        digits[--first] = '-';
    put_field(sink, spec, digits + first, sizeof digits - first);
}

static void put_integer(struct sink *sink, struct spec *spec, struct arguments *arguments)
{
    uint64_t value = spec->is_long ? va_arg(arguments->list, uint64_t) : va_arg(arguments->list, uint32_t);
    bool negative = false;
    if (spec->conversion == 'd') {
        int64_t number = spec->is_long ? (int64_t)value : (int32_t)value;
        negative = number < 0;
        value = negative ? 0 - (uint64_t)number : (uint64_t)number;
    }
    put_number(sink, spec, value, negative);
}

static uint32_t parse_number(const char **at)
{
    uint32_t value = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        value = value * 10 + (uint32_t)(**at - '0');
    return value;
}

/* Reads what follows a '%' up to and with the conversion character, which may be the terminating 0. */
static struct spec parse_spec(const char **at, struct arguments *arguments)
{
    struct spec spec = {.precision = UINT32_MAX};
    for (; **at == '-' || **at == '0'; (*at)++) {
        spec.left = spec.left || **at == '-';
        spec.zero = spec.zero || **at == '0';
    }
    spec.width = parse_number(at);
    if (**at == '.' && (*at)[1] == '*') {
        *at += 2;
        spec.precision = va_arg(arguments->list, uint32_t); /* a negative one counts as none */
    } else if (**at == '.') {
        (*at)++;
        spec.precision = parse_number(at);
    }
    for (; **at == 'l' || **at == 'z'; (*at)++)
        spec.is_long = true;
    spec.conversion = **at;
    if (spec.conversion != '\0')
        (*at)++;
    return spec;
}

/* `at` is behind a '%'; returns where the format goes on. */
static const char *put_conversion(struct sink *sink, const char *at, struct arguments *arguments)
{
    const char *percent = at - 1;
    struct spec spec = parse_spec(&at, arguments);
    char c;
    switch (spec.conversion) {
    case '%':
        sink->put(sink, "%", 1);
        break;
    case 'c':
        c = (char)va_arg(arguments->list, int);
        put_field(sink, &spec, &c, 1);
        break;
    case 's':
        put_string(sink, &spec, va_arg(arguments->list, const char *));
        break;
    case 'd':
    case 'u':
    case 'x':
        put_integer(sink, &spec, arguments);
        break;
    default:
        sink->put(sink, percent, (size_t)(at - percent));
        break;
    }
    return at;
}

void sink_vprint(struct sink *sink, const char *format, va_list arguments)
{
    struct arguments copy;
    va_copy(copy.list, arguments);
    while (*format != '\0') {
        size_t plain = 0;
        while (format[plain] != '\0' && format[plain] != '%')
            plain++;
        if (plain != 0)
            sink->put(sink, format, plain);
        format += plain;
        if (*format == '%')
            format = put_conversion(sink, format + 1, &copy);
    }
    va_end(copy.list);
}

void sink_print(struct sink *sink, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sink_vprint(sink, format, arguments);
    va_end(arguments);
}

static void text_put(struct sink *self, const char *text, size_t length)
{
    struct text_sink *to = (struct text_sink *)self;
    /* One byte is kept for the terminator. */
    if (to->size != 0 && to->length < to->size - 1) {
        size_t room = to->size - 1 - to->length;
        size_t part = length < room ? length : room;
        memcpy(to->buffer + to->length, text, part);
        to->buffer[to->length + part] = '\0';
    }
    to->length += length;
}

void text_sink_init(struct text_sink *to, char *buffer, size_t size)
{
    *to = (struct text_sink){.sink = {.put = text_put}, .buffer = buffer, .size = size};
    if (size != 0)
        buffer[0] = '\0';
}

size_t text_vprint(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct text_sink to;
    text_sink_init(&to, buffer, size);
    sink_vprint(&to.sink, format, arguments);
    return to.length;
}

size_t text_print(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    size_t length = text_vprint(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

void text_make_printable(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            text[i] = '?';
}

struct size_text size_text(uint64_t bytes)
{
    static const char units[][6] = {"bytes", "KiB", "MiB", "GiB"};
    struct size_text size;
    uint32_t unit = 0;
    for (; bytes != 0 && bytes % KIB == 0 && unit < array_size(units) - 1; unit++)
        bytes /= KIB;
    (void)text_print(size.text, sizeof size.text, "%lu %s", bytes, bytes == 1 && unit == 0 ? "byte" : units[unit]);
    return size;
}
