/* ELF program headers into a program. Both classes are widened first, so that there is one set of rules. */
#include "core/elf.h"
#include "core/loader_layout.h"

enum { ELF_NOTE_OWNER_MAX = 16 }; /* bytes of the longest owner that we look for */

struct elf_summary {
    bool wide; /* ELF64 */
    uint64_t entry;
    uint64_t phoff;
    uint32_t phnum;
    uint32_t phentsize;
};

static bool summary_read(const struct loader_image *image, bool wide, struct elf_summary *out)
{
    if (wide) {
        struct elf64_header h;
        if (!loader_image_read(image, 0, &h, sizeof h))
            return false;
        *out = (struct elf_summary){true, h.entry, h.phoff, h.phnum, h.phentsize};
        return true;
    }
    struct elf32_header h;
    if (!loader_image_read(image, 0, &h, sizeof h))
        return false;
    *out = (struct elf_summary){false, h.entry, h.phoff, h.phnum, h.phentsize};
    return true;
}

static bool header_decode(const struct loader_image *image, struct elf_summary *out)
{
    struct elf_ident ident;
    if (!loader_image_read(image, 0, &ident, sizeof ident) || ident.magic != ELF_MAGIC)
        return loader_image_error(image,
                                  "is not an ELF file (no 7Fh 'ELF' at its start), and its header has no addresses");
    bool wide = ident.class == ELF_CLASS_64;
    if ((!wide && ident.class != ELF_CLASS_32) || ident.data != ELF_DATA_LITTLE)
        return loader_image_error(image, "has ELF class %u, data %u, expected class 1 or 2, data 1",
                                  (unsigned)ident.class, (unsigned)ident.data);
    unsigned machine = wide ? ELF_MACHINE_X86_64 : ELF_MACHINE_386;
    if (ident.machine != machine)
        return loader_image_error(image, "is for ELF machine %u, expected %u", (unsigned)ident.machine, machine);
    if (ident.type != ELF_TYPE_EXECUTABLE)
        return loader_image_error(image, "has ELF type %u, expected %u (executable)", (unsigned)ident.type,
                                  (unsigned)ELF_TYPE_EXECUTABLE);
    if (!summary_read(image, wide, out))
        return loader_image_error(image, "is truncated: %lu bytes do not hold an ELF header", image->range.size);

    unsigned entry_size = wide ? sizeof(struct elf64_segment) : sizeof(struct elf32_segment);
    if (out->phentsize != entry_size)
        return loader_image_error(image, "has program headers of %u bytes, expected %u", out->phentsize, entry_size);
    if (out->phnum > ELF_MAX_HEADERS)
        return loader_image_error(image, "has %u program headers, expected at most %u", out->phnum,
                                  (unsigned)ELF_MAX_HEADERS);
    return true;
}

static bool segment_read(const struct loader_image *image, const struct elf_summary *elf, uint32_t number,
                         struct elf64_segment *out)
{
    uint64_t distance = (uint64_t)number * elf->phentsize;
    if (distance > UINT64_MAX - elf->phoff)
        return false;
    if (elf->wide)
        return loader_image_read(image, elf->phoff + distance, out, sizeof *out);
    struct elf32_segment narrow;
    if (!loader_image_read(image, elf->phoff + distance, &narrow, sizeof narrow))
        return false;
    *out = (struct elf64_segment){.type = narrow.type,
                                  .offset = narrow.offset,
                                  .vaddr = narrow.vaddr,
                                  .paddr = narrow.paddr,
                                  .filesz = narrow.filesz,
                                  .memsz = narrow.memsz,
                                  .align = narrow.align};
    return true;
}

static bool program_add(const struct loader_image *image, struct loader_program *program,
                        const struct elf64_segment *segment)
{
    if (program->count == LOADER_MAX_SEGMENTS)
        return loader_image_error(image, "has more than %d segments to load", (int)LOADER_MAX_SEGMENTS);
    loader_program_add(program, (struct range){segment->offset, segment->filesz},
                       (struct range){segment->paddr, segment->memsz});
    return true;
}

bool loader_elf_decode(const struct loader_image *image, struct loader_program *out)
{
    struct elf_summary elf = {0};
    if (!header_decode(image, &elf))
        return false;
    out->entry = elf.entry; /* already physical, unless a segment says otherwise */
    bool translated = false;
    for (uint32_t i = 0; i < elf.phnum; i++) {
        struct elf64_segment segment;
        if (!segment_read(image, &elf, i, &segment))
            return loader_image_error(image,
                                      "is truncated: program header %u of %u from 0x%lx on, the module has %lu bytes",
                                      i, elf.phnum, elf.phoff, image->range.size);
        if (segment.type != ELF_SEGMENT_LOAD || segment.memsz == 0)
            continue;
        if (!program_add(image, out, &segment))
            return false;
        if (!translated && elf.entry >= segment.vaddr && elf.entry - segment.vaddr < segment.memsz) {
            out->entry =
                segment.paddr + (elf.entry - segment.vaddr); /* modulo 2^64; checked with the segment's memory */
            translated = true;
        }
    }
    return true;
}

/* What is left of a note segment while its notes are read one by one. */
struct note_cursor {
    uint64_t at, left; /* bytes, in the image */
    uint64_t alignment;
};

/* Takes `size` bytes and their padding from the segment; false when it has not as many. */
static bool note_part(struct note_cursor *c, uint64_t size, struct range *out)
{
    uint64_t padded;
    if (!align_up(size, c->alignment, &padded) || size > c->left)
        return false;
    *out = (struct range){c->at, size};
    uint64_t step = padded < c->left ? padded : c->left; /* the last one need not be padded */
    c->at += step;
    c->left -= step;
    return true;
}

static bool owner_matches(const struct loader_image *image, struct range name, const char *owner)
{
    char found[ELF_NOTE_OWNER_MAX];
    return name.size == strlen(owner) + 1 && name.size <= sizeof found &&
           loader_image_read(image, name.base, found, (size_t)name.size) &&
           memcmp(found, owner, (size_t)name.size) == 0;
}

static bool number_read(const struct loader_image *image, struct range desc, uint64_t *out)
{
    uint64_t value = 0; /* little-endian, so that 4 bytes make the low half */
    if ((desc.size != 4 && desc.size != 8) || !loader_image_read(image, desc.base, &value, (size_t)desc.size))
        return false;
    *out = value;
    return true;
}

static bool notes_search(const struct loader_image *image, struct note_cursor *c, const char *owner, uint32_t type,
                         uint64_t *out)
{
    struct range header_at, name, desc;
    struct elf_note header;
    while (note_part(c, sizeof header, &header_at)) {
        if (!loader_image_read(image, header_at.base, &header, sizeof header) ||
            !note_part(c, header.name_size, &name) || !note_part(c, header.desc_size, &desc))
            return false;
        if (header.type == type && owner_matches(image, name, owner))
            return number_read(image, desc, out);
    }
    return false;
}

bool loader_elf_note_find(const struct loader_image *image, const char *owner, uint32_t type, uint64_t *out)
{
    struct elf_summary elf = {0};
    if (!header_decode(image, &elf))
        return false;
    for (uint32_t i = 0; i < elf.phnum; i++) {
        struct elf64_segment segment;
        if (!segment_read(image, &elf, i, &segment))
            return false;
        struct range file = {segment.offset, segment.filesz};
        struct note_cursor cursor = {file.base, file.size, segment.align == 8 ? 8 : 4};
        if (segment.type == ELF_SEGMENT_NOTE && range_includes((struct range){0, image->range.size}, file) &&
            notes_search(image, &cursor, owner, type, out))
            return true;
    }
    return false;
}
