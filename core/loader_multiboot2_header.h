/*
 * The header of a multiboot2 kernel, decoded. Private to the loaders.
 */
#pragma once

#include "core/loader_program.h"

/*
 * Finds the header, refuses what it requires and a partition does not offer, and decodes the program: from the address
 * and entry tags if they are there, else from ELF. False with a line on the image's errors. Nothing is checked against
 * memory: that is loader_program_check.
 */
bool must_check loader_multiboot2_decode(const struct loader_image *kernel, struct loader_program *out);
