/* The AML writer. Lengths are filled in when an object is closed; all take the two-byte form. */
#include "core/aml.h"

#include "core/bytes.h"

/* Opcodes (ACPI, "AML Byte Stream Byte Values"). */
enum {
    AML_ZERO_OP = 0x00,
    AML_ONE_OP = 0x01,
    AML_NAME_OP = 0x08,
    AML_BYTE_PREFIX = 0x0a,
    AML_WORD_PREFIX = 0x0b,
    AML_DWORD_PREFIX = 0x0c,
    AML_SCOPE_OP = 0x10,
    AML_BUFFER_OP = 0x11,
    AML_PACKAGE_OP = 0x12,
    AML_EXT_OP_PREFIX = 0x5b,
    AML_DEVICE_OP = 0x82, /* after the prefix */
};

/* Small resource items (ACPI, "Small Resource Data Type"): the tag's low bits are the length. */
enum {
    RESOURCE_IRQ = 0x22, /* without flags: edge-triggered, active high, exclusive */
    RESOURCE_IO = 0x47,
    RESOURCE_IO_DECODE_16 = 1,
    RESOURCE_END = 0x79,
};

enum {
    PKG_LENGTH_BYTES = 2,
    PKG_LENGTH_MAX = 0xfff,
    BUFFER_SIZE_BYTES = 3, /* a word with its prefix */
};

static void put(struct aml *aml, uint8_t byte)
{
    if (aml->full || aml->used >= aml->size) {
        aml->full = true;
        return;
    }
    aml->at[aml->used++] = byte;
}

static void put16(struct aml *aml, uint16_t value)
{
    put(aml, (uint8_t)value);
    put(aml, (uint8_t)(value >> 8));
}

static void put_text(struct aml *aml, const char *text)
{
    for (; *text != '\0'; text++)
        put(aml, (uint8_t)*text);
}

/* Leaves room for the length; the length counts from there. */
static size_t begin(struct aml *aml)
{
    size_t object = aml->used;
    for (int i = 0; i < PKG_LENGTH_BYTES; i++)
        put(aml, 0);
    return object;
}

void aml_end(struct aml *aml, size_t object)
{
    size_t length = aml->used - object;
    if (length > PKG_LENGTH_MAX)
        aml->full = true;
    if (aml->full)
        return;
    /* "Package Length Encoding": bits 7:6 count the bytes that follow, bits 3:0 are the low bits of the length. */
    aml->at[object] = (uint8_t)((PKG_LENGTH_BYTES - 1) << 6 | (length & 0xf));
    aml->at[object + 1] = (uint8_t)(length >> 4);
}

size_t aml_scope(struct aml *aml, const char *name)
{
    put(aml, AML_SCOPE_OP);
    size_t object = begin(aml);
    put_text(aml, name);
    return object;
}

size_t aml_device(struct aml *aml, const char *name)
{
    put(aml, AML_EXT_OP_PREFIX);
    put(aml, AML_DEVICE_OP);
    size_t object = begin(aml);
    put_text(aml, name);
    return object;
}

size_t aml_package(struct aml *aml, uint8_t elements)
{
    put(aml, AML_PACKAGE_OP);
    size_t object = begin(aml);
    put(aml, elements);
    return object;
}

void aml_name(struct aml *aml, const char *name)
{
    put(aml, AML_NAME_OP);
    put_text(aml, name);
}

void aml_integer(struct aml *aml, uint32_t value)
{
    if (value <= 1) {
        put(aml, value == 0 ? AML_ZERO_OP : AML_ONE_OP);
    } else if (value <= UINT8_MAX) {
        put(aml, AML_BYTE_PREFIX);
        put(aml, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        put(aml, AML_WORD_PREFIX);
        put16(aml, (uint16_t)value);
    } else {
        put(aml, AML_DWORD_PREFIX);
        put16(aml, (uint16_t)value);
        put16(aml, (uint16_t)(value >> 16));
    }
}

/* -1 when it is none. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Three letters of five bits and four hexadecimal digits, most significant byte first (ACPI, "_HID", EISA id). */
void aml_eisa_id(struct aml *aml, const char *id)
{
    uint32_t value = 0;
    bool valid = strlen(id) == 7;
    for (int i = 0; valid && i < 7; i++) {
        int digit = i < 3 ? (id[i] >= 'A' && id[i] <= 'Z' ? id[i] - 'A' + 1 : -1) : hex_digit(id[i]);
        valid = digit >= 0;
        value = value << (i < 3 ? 5 : 4) | ((uint32_t)digit & 0x1f);
    }
    if (!valid)
        aml->full = true;
    aml_integer(aml, __builtin_bswap32(value));
}

size_t aml_resources(struct aml *aml)
{
    put(aml, AML_BUFFER_OP);
    size_t object = begin(aml);
    put(aml, AML_WORD_PREFIX); /* the buffer's size, filled in at the end */
    put16(aml, 0);
    return object;
}

void aml_io(struct aml *aml, uint16_t port, uint8_t count)
{
    put(aml, RESOURCE_IO);
    put(aml, RESOURCE_IO_DECODE_16);
    put16(aml, port); /* lowest and highest base: it cannot be moved */
    put16(aml, port);
    put(aml, 1);
    put(aml, count);
}

void aml_irq(struct aml *aml, uint8_t irq)
{
    if (irq > 15)
        aml->full = true;
    put(aml, RESOURCE_IRQ);
    put16(aml, (uint16_t)(1u << (irq & 15)));
}

void aml_resources_end(struct aml *aml, size_t object)
{
    put(aml, RESOURCE_END);
    put(aml, 0); /* a checksum of 0 means: take it as correct */
    if (!aml->full) {
        size_t size = aml->used - object - PKG_LENGTH_BYTES - BUFFER_SIZE_BYTES;
        aml->at[object + PKG_LENGTH_BYTES + 1] = (uint8_t)size;
        aml->at[object + PKG_LENGTH_BYTES + 2] = (uint8_t)(size >> 8);
    }
    aml_end(aml, object);
}
