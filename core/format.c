/* printf into a sink: one conversion at a time is parsed into a spec, then its text is put out in pieces. */
#include "core/sink.h"

#include "core/bytes.h"

enum {
    FORMAT_MAX_WIDTH = 4096, /* a larger width or precision counts as this one */
    FORMAT_DIGITS = 20,      /* of 2^64 - 1 in decimal, the longest */
    FORMAT_NO_PRECISION = -1,
};

enum length { LENGTH_CHAR, LENGTH_SHORT, LENGTH_INT, LENGTH_LONG };

/* long, long long, size_t and pointers are all 8 bytes on x86_64, so one length stands for l, ll and z. */
_Static_assert(sizeof(long) == 8 && sizeof(long long) == 8 && sizeof(size_t) == 8 && sizeof(void *) == 8,
               "LP64 is assumed");

struct spec {
    bool left;
    bool zero;
    int width;
    int precision;
    enum length length;
    char conversion;
};

/* A va_list is an array type on x86_64: only inside a struct can it be passed on and advance in the caller as well. */
struct arguments {
    va_list list;
};

static void put_repeated(struct sink *sink, char c, size_t count)
{
    char run[32];
    memset(run, c, sizeof run);
    while (count != 0) {
        size_t part = count < sizeof run ? count : sizeof run;
        sink->put(sink, run, part);
        count -= part;
    }
}

/* Puts `prefix`, zeros and `body` into a field of spec->width. */
static void put_field(struct sink *sink, const struct spec *spec, struct slice prefix, size_t zeros, struct slice body)
{
    size_t used = prefix.length + zeros + body.length;
    size_t width = (size_t)spec->width;
    size_t padding = width > used ? width - used : 0;
    if (!spec->left)
        put_repeated(sink, ' ', padding);
    if (prefix.length != 0)
        sink->put(sink, prefix.at, prefix.length);
    put_repeated(sink, '0', zeros);
    if (body.length != 0)
        sink->put(sink, body.at, body.length);
    if (spec->left)
        put_repeated(sink, ' ', padding);
}

static void put_string(struct sink *sink, const struct spec *spec, const char *text)
{
    if (text == NULL)
        text = "(null)";
    /* With a precision the text need not be terminated: look at no more of it than may be printed. */
    size_t length = 0;
    while ((spec->precision == FORMAT_NO_PRECISION || length < (size_t)spec->precision) && text[length] != '\0')
        length++;
    put_field(sink, spec, (struct slice){"", 0}, 0, (struct slice){text, length});
}

static void put_number(struct sink *sink, const struct spec *spec, uint64_t value, struct slice prefix)
{
    bool hexadecimal = spec->conversion == 'x' || spec->conversion == 'X' || spec->conversion == 'p';
    uint64_t base = hexadecimal ? 16 : 10;
    const char *set = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    char digits[FORMAT_DIGITS];
    size_t first = sizeof digits;
    for (; value != 0; value /= base)
        digits[--first] = set[value % base];

    size_t count = sizeof digits - first;
    size_t least = spec->precision == FORMAT_NO_PRECISION ? 1 : (size_t)spec->precision;
    /* As in C, the flag '0' yields to '-' and to a precision. */
    if (spec->zero && !spec->left && spec->precision == FORMAT_NO_PRECISION && (size_t)spec->width > prefix.length) {
        size_t room = (size_t)spec->width - prefix.length;
        least = room > least ? room : least;
    }
    put_field(sink, spec, prefix, least > count ? least - count : 0, (struct slice){digits + first, count});
}

static void put_signed(struct sink *sink, const struct spec *spec, struct arguments *arguments)
{
    int64_t value = spec->length == LENGTH_LONG ? va_arg(arguments->list, long) : va_arg(arguments->list, int);
    if (spec->length == LENGTH_CHAR)
        value = (signed char)value;
    else if (spec->length == LENGTH_SHORT)
        value = (short)value;
    if (value < 0)
        put_number(sink, spec, 0 - (uint64_t)value, (struct slice){"-", 1});
    else
        put_number(sink, spec, (uint64_t)value, (struct slice){"", 0});
}

static void put_unsigned(struct sink *sink, const struct spec *spec, struct arguments *arguments)
{
    uint64_t value =
        spec->length == LENGTH_LONG ? va_arg(arguments->list, unsigned long) : va_arg(arguments->list, unsigned);
    if (spec->length == LENGTH_CHAR)
        value = (unsigned char)value;
    else if (spec->length == LENGTH_SHORT)
        value = (unsigned short)value;
    put_number(sink, spec, value, (struct slice){"", 0});
}

/* A decimal number or '*'; a negative one comes back as it is (only '*' can give it). */
static int parse_number(const char **at, struct arguments *arguments)
{
    int value = 0;
    if (**at == '*') {
        (*at)++;
        value = va_arg(arguments->list, int);
    } else {
        for (; **at >= '0' && **at <= '9'; (*at)++)
            value = value > FORMAT_MAX_WIDTH ? value : value * 10 + (**at - '0');
    }
    if (value > FORMAT_MAX_WIDTH)
        return FORMAT_MAX_WIDTH;
    return value < -FORMAT_MAX_WIDTH ? -FORMAT_MAX_WIDTH : value;
}

static enum length parse_length(const char **at)
{
    if (**at == 'h') {
        (*at)++;
        if (**at != 'h')
            return LENGTH_SHORT;
        (*at)++;
        return LENGTH_CHAR;
    }
    if (**at == 'z') {
        (*at)++;
        return LENGTH_LONG;
    }
    if (**at != 'l')
        return LENGTH_INT;
    (*at)++;
    if (**at == 'l')
        (*at)++;
    return LENGTH_LONG;
}

/* Reads what follows a '%' up to and with the conversion character, which may be the terminating 0. */
static struct spec parse_spec(const char **at, struct arguments *arguments)
{
    struct spec spec = {.precision = FORMAT_NO_PRECISION};
    for (; **at == '-' || **at == '0'; (*at)++) {
        spec.left = spec.left || **at == '-';
        spec.zero = spec.zero || **at == '0';
    }
    spec.width = parse_number(at, arguments);
    if (spec.width < 0) {
        spec.left = true;
        spec.width = -spec.width;
    }
    if (**at == '.') {
        (*at)++;
        spec.precision = parse_number(at, arguments);
        if (spec.precision < 0)
            spec.precision = FORMAT_NO_PRECISION;
    }
    spec.length = parse_length(at);
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
    switch (spec.conversion) {
    case '%':
        sink->put(sink, "%", 1);
        break;
    case 'c': {
        char c = (char)va_arg(arguments->list, int);
        put_field(sink, &spec, (struct slice){"", 0}, 0, (struct slice){&c, 1});
        break;
    }
    case 's':
        put_string(sink, &spec, va_arg(arguments->list, const char *));
        break;
    case 'd':
    case 'i':
        put_signed(sink, &spec, arguments);
        break;
    case 'u':
    case 'x':
    case 'X':
        put_unsigned(sink, &spec, arguments);
        break;
    case 'p':
        put_number(sink, &spec, (uint64_t)(uintptr_t)va_arg(arguments->list, void *), (struct slice){"0x", 2});
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

void sink_print_size(struct sink *sink, uint64_t bytes)
{
    if (bytes != 0 && bytes % GIB == 0)
        sink_print(sink, "%llu GiB", (unsigned long long)(bytes / GIB));
    else if (bytes != 0 && bytes % MIB == 0)
        sink_print(sink, "%llu MiB", (unsigned long long)(bytes / MIB));
    else if (bytes != 0 && bytes % KIB == 0)
        sink_print(sink, "%llu KiB", (unsigned long long)(bytes / KIB));
    else
        sink_print(sink, "%llu %s", (unsigned long long)bytes, bytes == 1 ? "byte" : "bytes");
}
