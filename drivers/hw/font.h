/*
 * The screen's font: printable ASCII, 8 x 16, the leftmost pixel in the highest bit. Generated at build time from a
 * Debian package's font (tools/font.c).
 */
#pragma once

#include "core/types.h"

enum { FONT_FIRST = 0x20, FONT_CHARACTERS = 95, FONT_WIDTH = 8, FONT_HEIGHT = 16 };

extern const uint8_t font_cells[FONT_CHARACTERS][FONT_HEIGHT];
