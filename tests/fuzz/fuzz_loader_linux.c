/*
 * The bzImage loader: a valid header with the input's bytes laid over it, or the input as it is. What was loaded is
 * compared with the image, as the boot protocol describes it.
 */
#include "core/linux_boot.h"

#include "tests/fuzz/loader_promises.h"

enum { UNIT = 64, CMDLINE_MAX = 100, IMAGE_MAX = 256 * 1024 };

static const char cmdline[CMDLINE_MAX] = "console=ttyS0 ";

/* A small kernel: one setup sector, a little code, at 1 MiB, movable. */
static void make_header(struct linux_setup_header *header, uint64_t image_size)
{
    uint64_t code = image_size > 2 * LINUX_SECTOR ? image_size - 2 * LINUX_SECTOR : 0;
    *header = (struct linux_setup_header){
        .setup_sects = 1,
        .syssize = (uint32_t)(code / LINUX_PARAGRAPH),
        .boot_flag = LINUX_BOOT_FLAG,
        .jump_distance = LINUX_HEADER_NEEDED_END - LINUX_MAGIC_OFFSET,
        .magic = LINUX_MAGIC,
        .version = 0x20f,
        .loadflags = LINUX_LOADED_HIGH,
        .initrd_addr_max = 0x7fffffff,
        .kernel_alignment = 0x1000,
        .relocatable_kernel = 1,
        .cmdline_size = 2047,
        .pref_address = MIB,
        .init_size = (uint32_t)code,
    };
}

/* Bytes of the header to change: offset, value, until an offset of ffh. */
static void patch_header(struct input *in, uint8_t *header)
{
    for (uint8_t at = input_8(in); at != 0xff && in->left != 0; at = input_8(in))
        header[at % sizeof(struct linux_setup_header)] = input_8(in);
}

static void make_kernel(struct input *in, bool valid)
{
    uint64_t size = (uint64_t)input_16(in) % (IMAGE_MAX / UNIT) * UNIT + input_8(in) % UNIT;
    uint8_t *image = fake_guest_module("vmlinuz", size);
    struct linux_setup_header header;
    make_header(&header, size);
    patch_header(in, (uint8_t *)&header);
    if (valid && size >= LINUX_HEADER_LIMIT)
        memcpy(image + LINUX_HEADER_OFFSET, &header, sizeof header);
    else
        input_bytes(in, image, size);
    for (uint64_t i = LINUX_HEADER_LIMIT; i < size; i += 61)
        image[i] = (uint8_t)(i >> 4 | 1);
}

static uint64_t make_initrd(struct input *in)
{
    uint64_t size = (uint64_t)input_16(in) * 31 % IMAGE_MAX;
    uint8_t *initrd = fake_guest_module("initrd", size);
    for (uint64_t i = 0; i < size; i += 17)
        initrd[i] = (uint8_t)(i | 1);
    fake_guest.plan.initrd = 1;
    return size;
}

static void require_initrd(const struct linux_setup_header *h, struct range kernel, uint64_t size)
{
    struct range at = {h->ramdisk_image, h->ramdisk_size};
    require(at.size == size);
    require(!range_overlaps(at, kernel));
    if (size == 0)
        return;
    require(at.base >= MIB && is_aligned(at.base, PAGE_SIZE));
    require(range_end(at) - 1 <= h->initrd_addr_max);
    require_guest_has(at.base, fake_phys_at(fake_guest.machine.modules[1].range.base, size), size);
}

static void require_loaded(uint64_t initrd_size, uint64_t cmdline_length)
{
    struct linux_zero_page page;
    const struct vcpu_entry *entry = &fake_guest.entry;
    const struct machine_module *module = &fake_guest.machine.modules[0];
    fake_guest_read(entry->gpr[GPR_RSI], &page, sizeof page);
    const struct linux_setup_header *h = &page.header;
    uint64_t sectors = h->setup_sects != 0 ? h->setup_sects : LINUX_DEFAULT_SETUP_SECTORS;
    uint64_t promised = (uint64_t)h->syssize * LINUX_PARAGRAPH;
    uint64_t offset = (sectors + 1) * LINUX_SECTOR;
    require(offset < module->range.size);
    uint64_t there = module->range.size - offset;
    uint64_t code = promised < there ? promised : there; /* an image may end within the last paragraph */
    struct range kernel = {h->code32_start, h->init_size > code ? h->init_size : code};

    require(entry->gpr[GPR_RBX] == 0 && entry->gpr[GPR_RBP] == 0 && entry->gpr[GPR_RDI] == 0);
    require(h->code32_start == entry->rip && kernel.base >= MIB && h->type_of_loader == LINUX_LOADER_UNDEFINED);
    require(promised - code < LINUX_PARAGRAPH && h->setup_data == 0);
    require(range_includes((struct range){MIB, fake_guest.config.memory - MIB}, kernel));
    require_guest_has(kernel.base, fake_phys_at(module->range.base + offset, code), code);
    require_initrd(h, kernel, initrd_size);
    require(cmdline_length <= h->cmdline_size && page.e820_entries <= LINUX_E820_MAX);
    require_guest_has(h->cmd_line_ptr, cmdline, cmdline_length);
    require_guest_zero(h->cmd_line_ptr + cmdline_length, 1);
    struct e820_entry map[LINUX_E820_MAX];
    memcpy(map, page.e820_table, sizeof map);
    require_e820(map, page.e820_entries);
    require_acpi(page.acpi_rsdp_addr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t flags = input_8(&in);
    uint64_t initrd = 0;
    uint64_t length = input_8(&in) % CMDLINE_MAX;
    setup_guest(&in, BOOT_LINUX);
    make_kernel(&in, (flags & 1) == 0);
    if ((flags & 2) != 0)
        initrd = make_initrd(&in);
    fake_guest.config.cmdline.text = (struct slice){cmdline, length};
    if (load_guest())
        require_loaded(initrd, length);
    fake_guest_teardown();
    return 0;
}
