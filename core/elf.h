/*
 * The parts of an ELF executable that a loader reads ("Tool Interface Standard: Executable and Linking Format", "ELF
 * Header", "Program Header"; the 64-bit forms from the System V ABI).
 */
#pragma once

#include <assert.h>

#include "core/types.h"

#define ELF_MAGIC 0x464c457fu /* 7Fh 'E' 'L' 'F' */

enum {
    ELF_CLASS_32 = 1,
    ELF_CLASS_64 = 2,
    ELF_DATA_LITTLE = 1,
    ELF_TYPE_EXECUTABLE = 2,
    ELF_MACHINE_386 = 3,
    ELF_MACHINE_X86_64 = 62,
    ELF_SEGMENT_LOAD = 1,
    ELF_SEGMENT_NOTE = 4,
    ELF_MAX_HEADERS = 64, /* ours: more is not a kernel */
};

struct elf_ident {
    uint32_t magic;
    uint8_t class;
    uint8_t data;
    uint8_t version;
    uint8_t padding[9];
    uint16_t type; /* from here on the ELF header, as far as both classes agree */
    uint16_t machine;
    uint32_t file_version;
} __attribute__((packed));
static_assert(sizeof(struct elf_ident) == 24, "ELF identification");

/*
 * What comes after differs by class: addresses, offsets and sizes are words of 4 or 8 bytes. The header's follow the
 * identification, a program header's its type.
 */
enum { ELF_ENTRY, ELF_PHOFF, ELF_HEADER_WORDS };
enum { ELF_OFFSET, ELF_VADDR, ELF_PADDR, ELF_FILESZ, ELF_MEMSZ, ELF_SEGMENT_WORDS };

struct elf_class {
    uint8_t word; /* bytes; also where a program header's words begin, behind its type */
    uint8_t header_size;
    uint8_t phentsize_at; /* 16 bits, and so the next */
    uint8_t phnum_at;
    uint8_t segment_size;
    uint8_t align_at; /* a word of a program header */
    uint8_t machine;  /* which CPU we take files of this class for */
};

/* "Note Section": the name and then the descriptor follow, each padded to the segment's alignment. */
struct elf_note {
    uint32_t name_size; /* bytes, with the terminator */
    uint32_t desc_size; /* bytes */
    uint32_t type;      /* whoever owns the name says what it means */
} __attribute__((packed));
static_assert(sizeof(struct elf_note) == 12, "ELF note");
