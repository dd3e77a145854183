/*
 * ELF files as tests write and read them: the structs of both classes (System V ABI, "ELF Header", "Program Header"),
 * against which the loader's table of offsets is held.
 */
#pragma once

#include "core/elf.h"

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
