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

struct elf32_header {
    struct elf_ident ident;
    uint32_t entry;
    uint32_t phoff;
    uint32_t shoff;
    uint32_t flags;
    uint16_t ehsize;
    uint16_t phentsize;
    uint16_t phnum;
    uint16_t shentsize;
    uint16_t shnum;
    uint16_t shstrndx;
} __attribute__((packed));
static_assert(offsetof(struct elf32_header, phnum) == 44 && sizeof(struct elf32_header) == 52, "ELF32 header");

struct elf64_header {
    struct elf_ident ident;
    uint64_t entry;
    uint64_t phoff;
    uint64_t shoff;
    uint32_t flags;
    uint16_t ehsize;
    uint16_t phentsize;
    uint16_t phnum;
    uint16_t shentsize;
    uint16_t shnum;
    uint16_t shstrndx;
} __attribute__((packed));
static_assert(offsetof(struct elf64_header, phnum) == 56 && sizeof(struct elf64_header) == 64, "ELF64 header");

struct elf32_segment {
    uint32_t type;
    uint32_t offset;
    uint32_t vaddr;
    uint32_t paddr;
    uint32_t filesz;
    uint32_t memsz;
    uint32_t flags;
    uint32_t align;
} __attribute__((packed));
static_assert(offsetof(struct elf32_segment, memsz) == 20 && sizeof(struct elf32_segment) == 32, "ELF32 segment");

struct elf64_segment {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t vaddr;
    uint64_t paddr;
    uint64_t filesz;
    uint64_t memsz;
    uint64_t align;
} __attribute__((packed));
static_assert(offsetof(struct elf64_segment, memsz) == 40 && sizeof(struct elf64_segment) == 56, "ELF64 segment");

/* "Note Section": the name and then the descriptor follow, each padded to the segment's alignment. */
struct elf_note {
    uint32_t name_size; /* bytes, with the terminator */
    uint32_t desc_size; /* bytes */
    uint32_t type;      /* whoever owns the name says what it means */
} __attribute__((packed));
static_assert(sizeof(struct elf_note) == 12, "ELF note");
