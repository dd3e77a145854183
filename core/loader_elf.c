/* ELF program headers into a program. Both classes are widened first, so that there is one set of rules. */
#include "core/bytes.h"
#include "core/elf.h"
#include "core/loader_layout.h"

enum { ELF_NOTE_OWNER_MAX = 16 }; /* bytes of the longest owner that we look for */

static const struct elf_class classes[] = {
    {4, 52, 42, 44, 32, 28, ELF_MACHINE_386},
    {8, 64, 54, 56, 56, 48, ELF_MACHINE_X86_64},
};
enum { HEADER_MAX = 64, SEGMENT_MAX = 56 };

struct elf_file {
    const struct elf_class *class;
    uint64_t words[ELF_HEADER_WORDS];
    uint16_t phnum;
};

struct elf_segment {
    uint32_t type;
    uint64_t align;
    uint64_t words[ELF_SEGMENT_WORDS];
};

static void widen(const struct elf_class *class, const uint8_t *from, uint64_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = class->word == 8 ? load64(from + 8 * i) : load32(from + 4 * i);
}

/* Whether we take such files; gives their class. */
static bool ident_check(const struct loader_image *image, struct elf_file *out)
{
    struct elf_ident ident;
    if (!loader_image_read(image, 0, &ident, sizeof ident) || ident.magic != ELF_MAGIC)
        return loader_image_error(image,
                                  "is not an ELF file (no 7Fh 'ELF' at its start), and its header has no addresses");
    if ((ident.class != ELF_CLASS_32 && ident.class != ELF_CLASS_64) || ident.data != ELF_DATA_LITTLE)
        return loader_image_error(image, "has ELF class %u, data %u, expected class 1 or 2, data 1",
                                  (unsigned)ident.class, (unsigned)ident.data);
    out->class = &classes[ident.class - ELF_CLASS_32];
    if (ident.machine != out->class->machine)
        return loader_image_error(image, "is for ELF machine %u, expected %u", (unsigned)ident.machine,
                                  (unsigned)out->class->machine);
    if (ident.type != ELF_TYPE_EXECUTABLE)
        return loader_image_error(image, "has ELF type %u, expected %u (executable)", (unsigned)ident.type,
                                  (unsigned)ELF_TYPE_EXECUTABLE);
    return true;
}

static bool header_decode(const struct loader_image *image, struct elf_file *out)
{
    uint8_t header[HEADER_MAX] = {0}; /* what a shorter one leaves is defined, too */
    if (!ident_check(image, out))
        return false;
    const struct elf_class *class = out->class;
    if (!loader_image_read(image, 0, header, class->header_size))
        return loader_image_error(image, "is truncated: %lu bytes do not hold an ELF header", image->range.size);
    widen(class, header + sizeof(struct elf_ident), out->words, ELF_HEADER_WORDS);
    out->phnum = load16(header + class->phnum_at);
    uint16_t phentsize = load16(header + class->phentsize_at);
    if (phentsize != class->segment_size)
        return loader_image_error(image, "has program headers of %u bytes, expected %u", (unsigned)phentsize,
                                  (unsigned)class->segment_size);
    if (out->phnum > ELF_MAX_HEADERS)
        return loader_image_error(image, "has %u program headers, expected at most %u", (unsigned)out->phnum,
                                  (unsigned)ELF_MAX_HEADERS);
    return true;
}

static bool segment_read(const struct loader_image *image, const struct elf_file *elf, uint32_t number,
                         struct elf_segment *out)
{
    const struct elf_class *class = elf->class;
    uint8_t header[SEGMENT_MAX] = {0};
    uint64_t distance = (uint64_t)number * class->segment_size;
    if (distance > UINT64_MAX - elf->words[ELF_PHOFF] ||
        !loader_image_read(image, elf->words[ELF_PHOFF] + distance, header, class->segment_size))
        return false;
    out->type = load32(header);
    widen(class, header + class->word, out->words, ELF_SEGMENT_WORDS);
    widen(class, header + class->align_at, &out->align, 1);
    return true;
}

bool loader_elf_decode(const struct loader_image *image, struct loader_program *out)
{
    struct elf_file elf;
    if (!header_decode(image, &elf))
        return false;
    out->entry = elf.words[ELF_ENTRY]; /* already physical, unless a segment says otherwise */
    bool translated = false;
    for (uint32_t i = 0; i < elf.phnum; i++) {
        struct elf_segment segment;
        const uint64_t *word = segment.words;
        if (!segment_read(image, &elf, i, &segment))
            return loader_image_error(image,
                                      "is truncated: program header %u of %u from 0x%lx on, the module has %lu bytes",
                                      i, (unsigned)elf.phnum, elf.words[ELF_PHOFF], image->range.size);
        if (segment.type != ELF_SEGMENT_LOAD || word[ELF_MEMSZ] == 0)
            continue;
        if (out->count == LOADER_MAX_SEGMENTS)
            return loader_image_error(image, "has more than %d segments to load", (int)LOADER_MAX_SEGMENTS);
        loader_program_add(out, (struct range){word[ELF_OFFSET], word[ELF_FILESZ]},
                           (struct range){word[ELF_PADDR], word[ELF_MEMSZ]});
        uint64_t distance = elf.words[ELF_ENTRY] - word[ELF_VADDR];
        if (!translated && elf.words[ELF_ENTRY] >= word[ELF_VADDR] && distance < word[ELF_MEMSZ]) {
            out->entry = word[ELF_PADDR] + distance; /* modulo 2^64; checked with the segment's memory */
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
    struct elf_file elf;
    if (!header_decode(image, &elf))
        return false;
    for (uint32_t i = 0; i < elf.phnum; i++) {
        struct elf_segment segment;
        if (!segment_read(image, &elf, i, &segment))
            return false;
        struct range file = {segment.words[ELF_OFFSET], segment.words[ELF_FILESZ]};
        struct note_cursor cursor = {file.base, file.size, segment.align == 8 ? 8 : 4};
        if (segment.type == ELF_SEGMENT_NOTE && range_includes((struct range){0, image->range.size}, file) &&
            notes_search(image, &cursor, owner, type, out))
            return true;
    }
    return false;
}
