/*
 * The header of a multiboot kernel, decoded. Private to the loaders.
 */
#pragma once

#include "core/loader_protocol.h"

#define LOADER_NAME "Ringfence" /* what both versions' information calls us */

/*
 * Finds the header, refuses what it requires and a partition does not offer, and decodes the program: from the address
 * fields or tags if they are there, else from ELF. False with a line on the image's errors. Nothing is checked against
 * memory: that is loader_layout_finish.
 */
bool must_check loader_multiboot1_decode(const struct loader_image *kernel, struct loader_program *out);
bool must_check loader_multiboot2_decode(const struct loader_image *kernel, struct loader_program *out);
