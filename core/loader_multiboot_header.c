/*
 * Multiboot headers of both versions. A tag that a loader does not know is refused unless it is marked optional; the
 * tags about EFI and relocation say what a kernel could do besides, and mean nothing here.
 */
#include "core/loader_multiboot_header.h"

#include "core/bytes.h"
#include "core/multiboot1.h"
#include "core/multiboot2.h"

enum { REQUESTS_MAX = 64, KERNEL_TAGS_MAX = 64 }; /* ours: a header with more is not a kernel's */

/* Where a version's header lies, and how it begins. */
struct header_format {
    uint32_t magic;
    uint16_t search; /* wholly within as many bytes of the image */
    uint8_t alignment;
    uint8_t size; /* of the words that sum to 0, the magic number first */
};
static const struct header_format formats[] = {
    {MULTIBOOT1_HEADER_MAGIC, MULTIBOOT1_SEARCH, 4, sizeof(struct multiboot1_header)},
    {MULTIBOOT2_HEADER_MAGIC, MULTIBOOT2_SEARCH, MULTIBOOT2_ALIGNMENT, sizeof(struct multiboot2_header)},
};

/* Nothing but the magic number with the right checksum counts as one. */
static bool is_header(const struct header_format *f, const uint8_t *words)
{
    uint32_t sum = load32(words);
    if (sum != f->magic)
        return false; /* as nearly always: each start of the partition searches */
    for (uint32_t i = sizeof sum; i < f->size; i += (uint32_t)sizeof sum)
        sum += load32(words + i);
    return sum == 0;
}

static bool header_find(const struct loader_image *kernel, unsigned version, void *header, uint32_t *at)
{
    const struct header_format *f = &formats[version - 1];
    for (*at = 0; *at + f->size <= f->search && loader_image_read(kernel, *at, header, f->size); *at += f->alignment)
        if (is_header(f, header))
            return true;
    return loader_image_error(kernel,
                              "is not a multiboot%u kernel (no header with magic 0x%x and right checksum in its first "
                              "%u bytes)",
                              version, f->magic, (unsigned)f->search);
}

/*
 * The one segment that the address fields describe, of a header at offset `at` of the image ("The address fields of
 * Multiboot header", "The address tag of Multiboot2 header").
 */
static bool addresses_decode(const struct loader_image *kernel, uint32_t at, struct multiboot2_addresses a,
                             struct loader_program *program)
{
    if (a.header_addr < a.load_addr || a.header_addr - a.load_addr > at)
        return loader_image_error(kernel, "has load_addr 0x%x, expected at most 0x%x below header_addr 0x%x",
                                  a.load_addr, at, a.header_addr);
    uint64_t offset = at - (a.header_addr - a.load_addr);
    uint64_t load_end = a.load_end_addr != 0 ? a.load_end_addr : a.load_addr + (kernel->range.size - offset);
    uint64_t bss_end = a.bss_end_addr != 0 ? a.bss_end_addr : load_end;
    if (load_end < a.load_addr || bss_end < load_end)
        return loader_image_error(kernel,
                                  "has load_addr 0x%x, load_end_addr 0x%lx, bss_end_addr 0x%lx, expected them "
                                  "to ascend",
                                  a.load_addr, load_end, bss_end);
    loader_program_add(program, (struct range){offset, load_end - a.load_addr},
                       (struct range){a.load_addr, bss_end - a.load_addr});
    return true;
}

bool loader_multiboot1_decode(const struct loader_image *kernel, struct loader_program *out)
{
    struct multiboot1_header header;
    struct multiboot1_addresses a;
    uint32_t at;
    if (!header_find(kernel, 1, &header, &at))
        return false;
    uint32_t unknown = header.flags & MULTIBOOT1_REQUIRED & ~(uint32_t)MULTIBOOT1_OFFERED;
    if (unknown != 0)
        return loader_image_error(kernel, "requires multiboot1 features 0x%x (flags 0x%x), offered are 0x%x", unknown,
                                  header.flags, (unsigned)MULTIBOOT1_OFFERED);
    if (!(header.flags & MULTIBOOT1_HAS_ADDRESSES))
        return loader_elf_decode(kernel, out);
    if (at + sizeof header + sizeof a > MULTIBOOT1_SEARCH ||
        !loader_image_read(kernel, at + sizeof header, &a, sizeof a))
        return loader_image_error(kernel, "has a multiboot1 header at 0x%x that is cut off", at);
    out->entry = a.entry_addr;
    return addresses_decode(
        kernel, at, (struct multiboot2_addresses){a.header_addr, a.load_addr, a.load_end_addr, a.bss_end_addr}, out);
}

/* What multiboot2's tags have said so far. */
struct header_content {
    const struct loader_image *kernel;
    uint32_t at;     /* of the header in the image */
    uint32_t length; /* bytes */
    bool has_addresses;
    bool has_entry;
    struct multiboot2_addresses addresses;
    uint32_t entry; /* guest-physical */
};

/* The types of information that a kernel may require. */
#define OFFERED                                                                                                        \
    (1u << MULTIBOOT2_INFO_END | 1u << MULTIBOOT2_INFO_CMDLINE | 1u << MULTIBOOT2_INFO_LOADER_NAME |                   \
     1u << MULTIBOOT2_INFO_MODULE | 1u << MULTIBOOT2_INFO_MEMORY | 1u << MULTIBOOT2_INFO_MMAP |                        \
     1u << MULTIBOOT2_INFO_RSDP2)

static bool requests_check(const struct loader_image *kernel, uint64_t at, uint32_t size)
{
    uint32_t count = size / (uint32_t)sizeof(uint32_t);
    if (count > REQUESTS_MAX)
        return loader_image_error(kernel, "requests %u multiboot2 tags, expected at most %u", count,
                                  (unsigned)REQUESTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t type;
        if (!loader_image_read(kernel, at + i * sizeof type, &type, sizeof type))
            return loader_image_error(kernel, "has a multiboot2 request that is cut off");
        if (type >= 32 || !(OFFERED & 1u << type))
            return loader_image_error(kernel, "requires multiboot2 information of type %u, offered are 1-4, 6 and 15",
                                      type);
    }
    return true;
}

/* The content of a tag, which must have room for it. */
static bool content_read(const struct header_content *c, uint64_t at, const struct multiboot2_header_tag *tag, void *to,
                         uint32_t size)
{
    if (tag->size - sizeof *tag >= size && loader_image_read(c->kernel, at + sizeof *tag, to, size))
        return true;
    return loader_image_error(c->kernel, "has a multiboot2 header tag of type %u with %u bytes, expected %u",
                              (unsigned)tag->type, tag->size, (unsigned)sizeof *tag + size);
}

static bool console_check(const struct header_content *c, uint64_t at, const struct multiboot2_header_tag *tag)
{
    uint32_t flags;
    if (!content_read(c, at, tag, &flags, sizeof flags))
        return false;
    if (!(flags & MULTIBOOT2_CONSOLE_REQUIRED))
        return true;
    return loader_image_error(c->kernel, "requires a screen (multiboot2 console flags 0x%x), there is none", flags);
}

static bool tag_decode(struct header_content *c, uint64_t at, const struct multiboot2_header_tag *tag)
{
    bool optional = tag->flags & MULTIBOOT2_HEADER_OPTIONAL;
    switch (tag->type) {
    case MULTIBOOT2_HEADER_ADDRESS:
        c->has_addresses = true;
        return content_read(c, at, tag, &c->addresses, sizeof c->addresses);
    case MULTIBOOT2_HEADER_ENTRY:
        c->has_entry = true;
        return content_read(c, at, tag, &c->entry, sizeof c->entry);
    case MULTIBOOT2_HEADER_REQUEST:
        return optional || requests_check(c->kernel, at + sizeof *tag, tag->size - (uint32_t)sizeof *tag);
    case MULTIBOOT2_HEADER_CONSOLE:
        return optional || console_check(c, at, tag);
    case MULTIBOOT2_HEADER_ALIGN_MODULES: /* they are always */
    case MULTIBOOT2_HEADER_EFI_SERVICES:
    case MULTIBOOT2_HEADER_EFI32_ENTRY:
    case MULTIBOOT2_HEADER_EFI64_ENTRY:
    case MULTIBOOT2_HEADER_RELOCATABLE:
        return true;
    default: /* a framebuffer, or something of a later specification */
        return optional || loader_image_error(c->kernel, "requires multiboot2 header tag %u, which is not offered",
                                              (unsigned)tag->type);
    }
}

/* The end tag may be missing: then the header's length ends the list. */
static bool tags_decode(struct header_content *c)
{
    uint64_t end = (uint64_t)c->at + c->length;
    uint64_t at = c->at + sizeof(struct multiboot2_header);
    for (uint32_t i = 0; at + sizeof(struct multiboot2_header_tag) <= end; i++) {
        struct multiboot2_header_tag tag;
        if (!loader_image_read(c->kernel, at, &tag, sizeof tag) || tag.size < sizeof tag || tag.size > end - at)
            return loader_image_error(c->kernel, "has a multiboot2 header tag at 0x%lx that is cut off", at);
        if (tag.type == MULTIBOOT2_HEADER_END)
            return true;
        if (i == KERNEL_TAGS_MAX)
            return loader_image_error(c->kernel, "has more than %u multiboot2 header tags", (unsigned)KERNEL_TAGS_MAX);
        if (!tag_decode(c, at, &tag))
            return false;
        at += align_down((uint64_t)tag.size + MULTIBOOT2_ALIGNMENT - 1, MULTIBOOT2_ALIGNMENT);
    }
    return true;
}

/* The header is known to be one; what it says of itself must be so too. */
static bool length_check(const struct header_content *c, uint32_t architecture)
{
    if (architecture != MULTIBOOT2_I386)
        return loader_image_error(c->kernel, "has multiboot2 architecture %u, expected %u (i386)", architecture,
                                  (unsigned)MULTIBOOT2_I386);
    if (c->length < sizeof(struct multiboot2_header) || c->length > MULTIBOOT2_SEARCH - c->at ||
        c->length > c->kernel->range.size - c->at)
        return loader_image_error(c->kernel, "has a multiboot2 header of %u bytes at 0x%x that is cut off", c->length,
                                  c->at);
    return true;
}

bool loader_multiboot2_decode(const struct loader_image *kernel, struct loader_program *out)
{
    struct header_content c = {.kernel = kernel};
    struct multiboot2_header header;
    if (!header_find(kernel, 2, &header, &c.at))
        return false;
    c.length = header.length;
    if (!length_check(&c, header.architecture) || !tags_decode(&c))
        return false;
    if (c.has_addresses && !c.has_entry)
        return loader_image_error(kernel, "has a multiboot2 address tag but no entry address tag");
    if (c.addresses.load_addr == UINT32_MAX && c.addresses.header_addr >= c.at)
        c.addresses.load_addr = c.addresses.header_addr - c.at; /* "load from the beginning of the file" */
    if (!(c.has_addresses ? addresses_decode(kernel, c.at, c.addresses, out) : loader_elf_decode(kernel, out)))
        return false;
    if (c.has_entry)
        out->entry = c.entry;
    return true;
}
