/*
 * A program: which bytes of an image go where, and where it starts. Filled from ELF program headers or from the address
 * fields of a multiboot1 header; checked and loaded in one place. Private to the loaders.
 */
#pragma once

#include "core/loader_image.h"

enum { LOADER_MAX_SEGMENTS = 16 };

struct loader_segment {
    struct range file;   /* offset and size in the image; at most as long as `memory` */
    struct range memory; /* guest-physical; what is not in the file is zero */
};

struct loader_program {
    uint32_t count;
    struct loader_segment segments[LOADER_MAX_SEGMENTS];
    uint64_t entry; /* guest-physical */
};

/*
 * Reads ELF32 (i386) or ELF64 (x86-64) executables ("Tool Interface Standard: Executable and Linking Format"). Segments
 * go to their physical addresses; an entry point inside a segment's virtual addresses is turned into a physical one.
 * False with a line on the image's errors. Nothing is checked against memory: that is loader_program_check.
 */
bool must_check loader_elf_decode(const struct loader_image *image, struct loader_program *out);

/*
 * The number (32 or 64 bits) in the first note of this owner and type, from the executable's note segments. False,
 * nothing said, when there is none: notes are optional, so damaged ones count as missing. The image must have passed
 * loader_elf_decode.
 */
bool must_check loader_elf_note_find(const struct loader_image *image, const char *owner, uint32_t type, uint64_t *out);

/*
 * Whether every segment's bytes are in the image, its memory is in `area` or in `low` (may be empty, and lies below),
 * no two overlap, and it starts inside one. False with a line on the image's errors. Sets *end to the first address
 * after what is in `area`.
 */
bool must_check loader_program_check(const struct loader_image *image, const struct loader_program *program,
                                     struct range low, struct range area, uint64_t *end);

/* Copies a checked program into RAM, which is zero. */
bool must_check loader_program_copy(const struct loader_image *image, const struct loader_program *program);
