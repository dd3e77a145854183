/*
 * Makes C of a font in GRUB's PFF2 format: font FONT.pf2 > font.c. The glyphs of printable ASCII become cells of
 * 8 x 16 bits, a byte a row, the leftmost pixel in the highest bit.
 *
 * The format (GRUB manual, "GRUB font format"): sections of a four-letter name, a big-endian length and data. CHIX lists
 * characters: code point, flags, file offset. A glyph: width, height, x and y offset, advance (16 bits each), then its
 * bits, row after row without padding.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 0x20, LAST = 0x7e, WIDTH = 8, HEIGHT = 16, INDEX_ENTRY = 9, GLYPH_HEADER = 10 };

static uint8_t file[1 << 20];
static size_t file_size;

static uint32_t big(size_t at, unsigned bytes)
{
    uint32_t value = 0;
    if (at > file_size || bytes > file_size - at) {
        fprintf(stderr, "font: the file ends inside a number at offset %zu\n", at);
        exit(1);
    }
    while (bytes-- > 0)
        value = value << 8 | file[at++];
    return value;
}

/* Offset of a section's data, its length in *length. */
static size_t section(const char *name, uint32_t *length)
{
    for (size_t at = 0; at + 8 <= file_size; at += 8 + *length) {
        *length = big(at + 4, 4);
        if (memcmp(file + at, name, 4) == 0)
            return at + 8;
        if (*length > file_size - at - 8)
            break;
    }
    fprintf(stderr, "font: there is no section %s\n", name);
    exit(1);
}

static void draw(size_t glyph, int ascent, uint8_t rows[HEIGHT])
{
    uint32_t width = big(glyph, 2), height = big(glyph + 2, 2);
    int left = (int16_t)big(glyph + 4, 2), bottom = (int16_t)big(glyph + 6, 2);
    for (uint32_t bit = 0; bit < width * height; bit++) {
        int x = left + (int)(bit % width), y = ascent - bottom - (int)height + (int)(bit / width);
        if (x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT &&
            (big(glyph + GLYPH_HEADER + bit / 8, 1) >> (7 - bit % 8) & 1) != 0)
            rows[y] |= (uint8_t)(0x80 >> x);
    }
}

int main(int argc, char **argv)
{
    FILE *in = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (in == NULL) {
        fprintf(stderr, "usage: font FONT.pf2 > font.c\n");
        return 2;
    }
    file_size = fread(file, 1, sizeof file, in);
    fclose(in);

    uint32_t length;
    int ascent = (int)big(section("ASCE", &length), 2);
    size_t index = section("CHIX", &length);
    static uint8_t cells[LAST - FIRST + 1][HEIGHT];
    unsigned found = 0;
    for (uint32_t at = 0; at + INDEX_ENTRY <= length; at += INDEX_ENTRY) {
        uint32_t code = big(index + at, 4);
        if (code < FIRST || code > LAST)
            continue;
        draw(big(index + at + 5, 4), ascent, cells[code - FIRST]);
        found++;
    }
    if (found != LAST - FIRST + 1) {
        fprintf(stderr, "font: %u of %d characters found\n", found, LAST - FIRST + 1);
        return 1;
    }
    printf("#include \"drivers/hw/font.h\"\n\nconst uint8_t font_cells[FONT_CHARACTERS][FONT_HEIGHT] = {\n");
    for (int c = 0; c <= LAST - FIRST; c++) {
        printf("    {");
        for (int row = 0; row < HEIGHT; row++)
            printf("0x%02x%s", cells[c][row], row == HEIGHT - 1 ? "},\n" : ", ");
    }
    printf("};\n");
    return 0;
}
