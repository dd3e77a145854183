/* ELF program headers into a program. Both classes are widened first, so that there is one set of rules. */
#include "core/elf.h"
#include "core/loader_program.h"

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
                                  .memsz = narrow.memsz};
    return true;
}

static bool program_add(const struct loader_image *image, struct loader_program *program,
                        const struct elf64_segment *segment)
{
    if (program->count == LOADER_MAX_SEGMENTS)
        return loader_image_error(image, "has more than %d segments to load", (int)LOADER_MAX_SEGMENTS);
    program->segments[program->count] =
        (struct loader_segment){{segment->offset, segment->filesz}, {segment->paddr, segment->memsz}};
    program->count++;
    return true;
}

bool loader_elf_decode(const struct loader_image *image, struct loader_program *out)
{
    struct elf_summary elf = {0};
    out->count = 0;
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
