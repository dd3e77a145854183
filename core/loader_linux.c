/*
 * An unmodified Linux bzImage, started at its 32-bit entry (Linux documentation, "32-bit Boot Protocol").
 *
 * Guest-physical layout of what the loader writes:
 *     0x00000  GDT      0x10000  zero page     0x20000  command line     0xe0000  ACPI tables
 *     kernel at its preferred address, initrd as high as it may go
 */
#include "core/loader_protocol.h"

/*
 * The protocol wants a loaded GDT with the flat segments. At power-on GDTR has base 0 and limit FFFFh (SDM vol. 3,
 * "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT"), so a table at address 0 is loaded already.
 */
#define GDT_AT       0x0u
#define ZERO_PAGE_AT 0x10000u
#define CMDLINE_AT   0x20000u
#define CMDLINE_ROOM 0x10000u /* bytes, with the terminator */
static_assert(ZERO_PAGE_AT + sizeof(struct linux_zero_page) <= CMDLINE_AT, "low memory layout");
static_assert(CMDLINE_AT + CMDLINE_ROOM <= E820_LOW_END, "low memory layout");

/* Descriptors: present, ring 0, accessed, 32-bit, page granularity, base 0, limit 4 GiB. */
static const uint64_t gdt[] = {
    [LOADER_CODE_SELECTOR / 8] = 0x00cf9b000000ffff, /* execute, read */
    [LOADER_DATA_SELECTOR / 8] = 0x00cf93000000ffff, /* read, write */
};

static bool header_decode(struct loader_layout *l)
{
    const struct loader_image *kernel = &l->kernel;
    struct linux_setup_header *header = &l->header;
    if (!loader_image_read(kernel, LINUX_HEADER_OFFSET, header, sizeof *header))
        return loader_image_error(kernel, "is not a Linux bzImage (%lu bytes, its header needs 0x%x)",
                                  kernel->range.size, (unsigned)LINUX_HEADER_LIMIT);
    if (header->magic != LINUX_MAGIC)
        return loader_image_error(kernel, "is not a Linux bzImage (no 'HdrS' at offset 0x%x)",
                                  (unsigned)LINUX_MAGIC_OFFSET);
    if (header->boot_flag != LINUX_BOOT_FLAG)
        return loader_image_error(kernel, "is not a Linux bzImage (0x%x at offset 0x1fe, expected 0x%x)",
                                  (unsigned)header->boot_flag, (unsigned)LINUX_BOOT_FLAG);
    if (header->version < LINUX_VERSION_NEEDED)
        return loader_image_error(kernel, "has boot protocol %u.%02u, expected 2.12 or later", header->version >> 8,
                                  header->version & 0xffu);
    unsigned end = LINUX_MAGIC_OFFSET + (unsigned)header->jump_distance;
    if (end < LINUX_HEADER_NEEDED_END)
        return loader_image_error(kernel, "has a setup header that ends at 0x%x, expected 0x%x or more", end,
                                  (unsigned)LINUX_HEADER_NEEDED_END);
    if (!(header->loadflags & LINUX_LOADED_HIGH))
        return loader_image_error(kernel, "is a zImage (loadflags 0x%x), expected a bzImage",
                                  (unsigned)header->loadflags);
    if (end < LINUX_HEADER_LIMIT) /* what follows is code, and must not reach the zero page */
        memset((uint8_t *)header + (end - LINUX_HEADER_OFFSET), 0, LINUX_HEADER_LIMIT - end);
    return true;
}

/*
 * Where the protected-mode code lies in the image: all that the header promises must be there. It counts paragraphs, so
 * the image may end within the last one.
 */
static bool code_decode(const struct loader_layout *l, struct range *code)
{
    const struct linux_setup_header *header = &l->header;
    *code = (struct range){linux_setup_size(header), (uint64_t)header->syssize * LINUX_PARAGRAPH};
    if (code->size == 0)
        return loader_image_error(&l->kernel, "has no protected-mode code (syssize 0)");
    uint64_t there = l->kernel.range.size > code->base ? l->kernel.range.size - code->base : 0;
    if (there < code->size && code->size - there < LINUX_PARAGRAPH)
        code->size = there;
    if (!range_includes((struct range){0, l->kernel.range.size}, *code))
        return loader_image_error(&l->kernel, "is truncated: header says %lu bytes, the module has %lu",
                                  range_end(*code), l->kernel.range.size);
    struct range payload = {header->payload_offset, header->payload_length};
    if (!range_includes((struct range){0, code->size}, payload))
        return loader_image_error(&l->kernel, "has its payload at 0x%lx to 0x%lx, past its 0x%lx bytes of code",
                                  payload.base, range_end(payload), code->size);
    return true;
}

/*
 * A kernel runs where it prefers to, or above; put lower it would move itself there ("init_size"). So the preferred
 * address is the only one that is worth trying, and RAM must reach from there as far as the kernel says.
 */
static bool kernel_place(struct loader_layout *l, struct range code)
{
    const struct linux_setup_header *header = &l->header;
    uint64_t at = header->pref_address;
    uint64_t alignment = header->kernel_alignment;
    if (header->relocatable_kernel) {
        if (alignment == 0 || (alignment & (alignment - 1)) != 0)
            return loader_image_error(&l->kernel, "has kernel_alignment 0x%lx, expected a power of two", alignment);
        if (!align_up(at, alignment, &at))
            return loader_image_error(&l->kernel, "has pref_address 0x%lx, expected one that can be aligned to 0x%lx",
                                      at, alignment);
    }
    uint64_t size = header->init_size > code.size ? header->init_size : code.size;
    struct range area = loader_image_area(l->kernel.plan);
    if (!range_includes(area, (struct range){at, size}))
        return loader_image_error(&l->kernel, "does not fit: it needs %lu bytes at 0x%lx, RAM for it is 0x%lx to 0x%lx",
                                  size, at, area.base, range_end(area));
    loader_program_add(&l->program, code, (struct range){at, size});
    l->program.entry = at;
    return true;
}

/* As high as possible, so that the kernel has the room above its start address for itself. An empty one is none. */
static bool initrd_place(struct loader_layout *l)
{
    struct loader_image *initrd = &l->modules[0].image;
    const struct plan_partition *plan = l->kernel.plan;
    if (plan->initrd == PLAN_NO_MODULE)
        return true;
    if (!loader_image_open(plan, l->machine, plan->initrd, "initrd", l->kernel.errors, initrd))
        return false;
    uint64_t size = initrd->range.size;
    uint64_t end = range_end(loader_image_area(plan));
    uint64_t limit = (uint64_t)l->header.initrd_addr_max + 1;
    if (end > limit)
        end = limit;
    uint64_t kernel_end = range_end(l->program.segments[0].memory);
    uint64_t at = size <= end ? align_down(end - size, PAGE_SIZE) : 0;
    if (at < kernel_end)
        return loader_image_error(initrd, "does not fit: %lu bytes, there are %lu between 0x%lx and 0x%lx", size,
                                  end > kernel_end ? end - kernel_end : 0, kernel_end, end);
    l->modules[0].at = at;
    l->module_count = 1;
    return true;
}

static bool cmdline_check(const struct loader_layout *l)
{
    uint64_t length = l->kernel.plan->config->cmdline.text.length;
    uint64_t limit = l->header.cmdline_size < CMDLINE_ROOM ? l->header.cmdline_size : CMDLINE_ROOM - 1;
    if (length <= limit)
        return true;
    return loader_image_error(&l->kernel, "takes a command line of at most %lu bytes, the configuration has %lu", limit,
                              length);
}

static bool decode(struct loader_layout *l)
{
    struct range code;
    return header_decode(l) && code_decode(l, &code) && kernel_place(l, code) && cmdline_check(l) && initrd_place(l);
}

/* Turns the image's header into the one that the kernel finds in the zero page. */
static struct linux_setup_header header_fill(const struct loader_layout *l)
{
    struct linux_setup_header header = l->header;
    header.type_of_loader = LINUX_LOADER_UNDEFINED;
    header.loadflags = LINUX_LOADED_HIGH; /* no heap, and the kernel may reload the segments */
    header.code32_start = (uint32_t)l->program.entry;
    header.ramdisk_image = l->module_count != 0 ? (uint32_t)l->modules[0].at : 0;
    header.ramdisk_size = l->module_count != 0 ? (uint32_t)l->modules[0].image.range.size : 0;
    header.cmd_line_ptr = CMDLINE_AT;
    header.ext_loader_ver = 0;
    header.ext_loader_type = 0;
    header.hardware_subarch = 0; /* a PC */
    header.hardware_subarch_data = 0;
    header.setup_data = 0; /* the image's pointers are not ours */
    return header;
}

static void zero_page_write(struct loader_writer *w, const struct loader_layout *l)
{
    static const char what[] = "the zero page";
    struct e820_map map;
    e820_build(w->p->plan->config->memory, &map);
    uint64_t rsdp = GUEST_ACPI_BASE;
    uint8_t entries = (uint8_t)map.count;
    struct linux_setup_header header = header_fill(l);

    loader_write(w, ZERO_PAGE_AT + offsetof(struct linux_zero_page, acpi_rsdp_addr), &rsdp, sizeof rsdp, what);
    loader_write(w, ZERO_PAGE_AT + offsetof(struct linux_zero_page, e820_entries), &entries, sizeof entries, what);
    loader_write(w, ZERO_PAGE_AT + offsetof(struct linux_zero_page, header), &header, sizeof header, what);
    loader_write(w, ZERO_PAGE_AT + offsetof(struct linux_zero_page, e820_table), map.entries,
                 map.count * sizeof map.entries[0], what);
}

/* RAM is zero, so the command line's terminator is there already. EBX, EBP and EDI must be 0. */
static void write(struct loader_writer *w, const struct loader_layout *l, struct vcpu_entry *entry)
{
    struct slice cmdline = w->p->plan->config->cmdline.text;
    loader_write_acpi(w);
    loader_write(w, GDT_AT, gdt, sizeof gdt, "GDT");
    loader_write(w, CMDLINE_AT, cmdline.at, cmdline.length, "command line");
    zero_page_write(w, l);
    entry->gpr[GPR_RSI] = ZERO_PAGE_AT;
}

const struct loader_protocol loader_linux = {decode, write};
