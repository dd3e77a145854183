/*
 * What of a guest's images goes where, and where it starts: decided by each boot protocol without writing anything,
 * then checked and copied in one place. Private to the loaders.
 */
#pragma once

#include "core/e820.h"
#include "core/linux_boot.h"
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

/* One segment more. There must be room. */
static inline void loader_program_add(struct loader_program *program, struct range file, struct range memory)
{
    program->segments[program->count++] = (struct loader_segment){file, memory};
}

struct loader_layout {
    const struct machine *machine;
    struct loader_image kernel; /* with the plan, and where errors go */
    struct loader_program program;
    struct linux_setup_header header; /* boot = linux: as in the image, zero after its end */
    uint32_t module_count;            /* of those that go into RAM; for Linux its initrd alone */
    struct loader_module {
        struct loader_image image;
        uint64_t at; /* guest-physical */
    } modules[CONFIG_MAX_MODULES];
};

/* The range an image may be loaded to: RAM above the first MiB (which holds what the loaders write), below 4 GiB. */
static inline struct range loader_image_area(const struct plan_partition *plan)
{
    uint64_t end = e820_low_ram_end(plan->config->memory);
    return (struct range){1 * MIB, end > 1 * MIB ? end - 1 * MIB : 0};
}

/*
 * Adds the segments of an ELF32 (i386) or ELF64 (x86-64) executable ("Tool Interface Standard: Executable and Linking
 * Format"). They go to their physical addresses; an entry point inside a segment's virtual addresses is turned into a
 * physical one. False with a line on the image's errors. Nothing is checked against memory: that is
 * loader_layout_finish.
 */
bool must_check loader_elf_decode(const struct loader_image *image, struct loader_program *out);

/*
 * The number (32 or 64 bits) in the first note of this owner and type, from the executable's note segments. False,
 * nothing said, when there is none: notes are optional, so damaged ones count as missing. The image must have passed
 * loader_elf_decode.
 */
bool must_check loader_elf_note_find(const struct loader_image *image, const char *owner, uint32_t type, uint64_t *out);

/* Opens module `index` of the partition. False with a line on the layout's errors. */
bool must_check loader_module_open(struct loader_layout *l, uint32_t index);

/*
 * Checks the program: its segments' bytes are in the image, their memory is in loader_image_area or in `low` (may be
 * empty, and lies below), no two overlap, and it starts inside one. Then decides where the modules go: in the order
 * given, each on a page of its own behind it. False with a line on the errors of what is wrong or has no room.
 */
bool must_check loader_layout_finish(struct loader_layout *l, struct range low);

/* Copies program and modules into RAM, which is zero. */
bool must_check loader_layout_copy(const struct loader_layout *l);
