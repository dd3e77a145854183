#include "drivers/hw/screen.h"

#include "core/bytes.h"
#include "core/phys.h"
#include "drivers/hw/font.h"

enum {
    MAX_COLUMNS = 160,
    MAX_ROWS = 64,
    MAX_SCALE = 4,
    MAX_PIXEL_BYTES = 4,
    TEXT_ATTRIBUTE = 0x07, /* grey on black */
};

static struct {
    struct screen_info info;
    uint32_t columns, rows, scale;
    uint32_t column, row; /* where the next character goes */
    uint32_t next_cell;   /* where screen_draw goes on, */
    uint32_t unseen;      /* and how many cells from there may have changed: mostly none, and the look costs nothing */
    uint32_t ink;         /* a pixel's value */
    char wanted[MAX_ROWS * MAX_COLUMNS];
    char drawn[MAX_ROWS * MAX_COLUMNS];
} screen;

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t cells_all(void) { return screen.rows * screen.columns; }

static uint32_t pixel_bytes(void) { return ((uint32_t)screen.info.bits_per_pixel + 7) / 8; }

static uint32_t field(uint8_t position, uint8_t size)
{
    return size == 0 || size > 8 || position > 31 ? 0 : ((1u << size) - 1) << position;
}

static bool pixels_fit(const struct screen_info *i)
{
    return (i->bits_per_pixel == 15 || i->bits_per_pixel == 16 || i->bits_per_pixel == 24 || i->bits_per_pixel == 32) &&
           i->width >= FONT_WIDTH * 40 && i->height >= FONT_HEIGHT * 10 && i->width <= 16384 && i->height <= 16384 &&
           i->pitch >= i->width * (((uint32_t)i->bits_per_pixel + 7) / 8);
}

static bool text_fits(const struct screen_info *i)
{
    return i->width >= 40 && i->height >= 10 && i->width <= MAX_COLUMNS && i->height <= MAX_ROWS &&
           i->pitch >= 2 * i->width;
}

/* Characters large enough to read: about a hundred columns, whatever the screen's resolution. */
static uint32_t scale_for(const struct screen_info *i)
{
    uint32_t scale = i->width / (FONT_WIDTH * 100);
    return scale == 0 ? 1 : smaller(scale, MAX_SCALE);
}

/* One line of a character's pixels, to each of the lines that it takes up. */
static void line_draw(uint64_t at, uint8_t bits)
{
    uint8_t line[FONT_WIDTH * MAX_SCALE * MAX_PIXEL_BYTES];
    uint32_t bytes = pixel_bytes(), used = 0;
    for (uint32_t x = 0; x < FONT_WIDTH * screen.scale; x++, used += bytes) {
        uint32_t pixel = (bits << (x / screen.scale)) & 0x80 ? screen.ink : 0;
        memcpy(line + used, &pixel, bytes);
    }
    for (uint32_t y = 0; y < screen.scale; y++)
        phys_write(hpa(at + (uint64_t)y * screen.info.pitch), line, used);
}

static void cell_draw(uint32_t cell)
{
    char c = screen.wanted[cell];
    uint64_t row = cell / screen.columns, column = cell % screen.columns;
    screen.drawn[cell] = c;
    if (screen.info.kind == SCREEN_TEXT) {
        uint8_t pair[2] = {(uint8_t)c, TEXT_ATTRIBUTE};
        phys_write(hpa(screen.info.address.raw + row * screen.info.pitch + 2 * column), pair, sizeof pair);
        return;
    }
    uint64_t at = screen.info.address.raw + row * FONT_HEIGHT * screen.scale * screen.info.pitch +
                  column * FONT_WIDTH * screen.scale * pixel_bytes();
    const uint8_t *rows = font_cells[c - FONT_FIRST];
    for (uint32_t y = 0; y < FONT_HEIGHT; y++)
        line_draw(at + (uint64_t)y * screen.scale * screen.info.pitch, rows[y]);
}

bool screen_init(const struct screen_info *info)
{
    screen.info.kind = SCREEN_NONE;
    if (!(info->kind == SCREEN_PIXELS && pixels_fit(info)) && !(info->kind == SCREEN_TEXT && text_fits(info)))
        return false;
    screen.info = *info;
    screen.scale = info->kind == SCREEN_PIXELS ? scale_for(info) : 1;
    screen.columns = info->kind == SCREEN_PIXELS ? smaller(info->width / (FONT_WIDTH * screen.scale), MAX_COLUMNS)
                                                 : info->width;
    screen.rows = info->kind == SCREEN_PIXELS ? smaller(info->height / (FONT_HEIGHT * screen.scale), MAX_ROWS)
                                              : info->height;
    screen.ink = field(info->red_position, info->red_size) | field(info->green_position, info->green_size) |
                 field(info->blue_position, info->blue_size);
    screen.column = screen.row = screen.next_cell = 0;
    screen.unseen = cells_all();
    memset(screen.wanted, ' ', sizeof screen.wanted);
    memset(screen.drawn, 0, sizeof screen.drawn); /* differs everywhere: all of it is drawn once */
    screen_draw(UINT32_MAX);
    return true;
}

static void cell_put(uint32_t cell, char c)
{
    screen.wanted[cell] = c;
    if (screen.unseen == 0)
        screen.next_cell = cell;
    uint32_t ahead = (cell + cells_all() - screen.next_cell) % cells_all() + 1;
    screen.unseen = ahead > screen.unseen ? ahead : screen.unseen;
}

static void line_feed(void)
{
    screen.column = 0;
    if (screen.row + 1 < screen.rows) {
        screen.row++;
        return;
    }
    uint32_t kept = (screen.rows - 1) * screen.columns;
    memmove(screen.wanted, screen.wanted + screen.columns, kept);
    memset(screen.wanted + kept, ' ', screen.columns);
    screen.unseen = cells_all();
}

static void character_put(char c)
{
    if (c == '\n') {
        line_feed();
    } else if (c == '\r') {
        screen.column = 0;
    } else if (c == '\b') {
        screen.column -= screen.column > 0;
    } else if (c >= ' ' && c <= '~') {
        if (screen.column == screen.columns)
            line_feed();
        cell_put(screen.row * screen.columns + screen.column++, c);
    }
}

void screen_put(const char *text, size_t length)
{
    for (size_t i = 0; screen.info.kind != SCREEN_NONE && i < length; i++)
        character_put(text[i]);
}

void screen_draw(uint32_t cells)
{
    if (screen.info.kind == SCREEN_NONE)
        return;
    for (; screen.unseen > 0 && cells > 0; screen.unseen--) {
        uint32_t cell = screen.next_cell;
        screen.next_cell = cell + 1 == cells_all() ? 0 : cell + 1;
        if (screen.wanted[cell] != screen.drawn[cell]) {
            cell_draw(cell);
            cells--;
        }
    }
}

static void sink_put(struct sink *self, const char *text, size_t length)
{
    (void)self;
    screen_put(text, length);
    screen_draw(UINT32_MAX);
}

struct sink *screen_sink(void)
{
    static struct sink sink = {sink_put};
    return &sink;
}
