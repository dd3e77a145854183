/*
 * The box's screen, as GRUB left it: a framebuffer or text mode. Output only. For a box without a serial port, and a
 * second view for one with it.
 *
 * A grid of characters is kept in memory and compared with what was drawn, so that scrolling never reads the screen and
 * writes only what changed. Pixels are written through core/phys.h: nothing needs to be mapped. Pure.
 */
#pragma once

#include "core/sink.h"

enum screen_kind { SCREEN_NONE, SCREEN_PIXELS, SCREEN_TEXT };

/* Multiboot2 specification, "Framebuffer info". */
struct screen_info {
    enum screen_kind kind;
    hpa_t address;
    uint32_t pitch;         /* bytes a line */
    uint32_t width, height; /* pixels, or characters in text mode */
    uint8_t bits_per_pixel;
    uint8_t red_position, green_position, blue_position;
    uint8_t red_size, green_size, blue_size;
};

/*
 * Takes the screen and clears it. False: it is of a kind that cannot be drawn on; the functions below then do nothing.
 */
bool screen_init(const struct screen_info *info);

/*
 * Puts text into the grid and draws it at once. LF begins a line; other control characters but BS and CR are dropped.
 */
struct sink *screen_sink(void);

/* Puts text into the grid; screen_draw(cells) draws at most that many changed characters. For the console. */
void screen_put(const char *text, size_t length);
void screen_draw(uint32_t cells);
