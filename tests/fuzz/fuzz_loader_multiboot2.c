/*
 * The multiboot2 loader: the input is the kernel, with a good header put where it says. The information is read back as
 * a kernel would, tag by tag.
 */
#include "core/multiboot2.h"
#include "tests/fuzz/loader_promises.h"

enum { KERNEL_MAX = 64 * 1024, TAGS_MAX = 64 };

/* Random bytes do not sum to 0: puts a good header over them, with the length that they are. */
static void fix_header(uint8_t *image, uint64_t size, uint64_t at)
{
    struct multiboot2_header header;
    if (at + sizeof header > size)
        return;
    memcpy(&header, image + at, sizeof header);
    header.magic = MULTIBOOT2_HEADER_MAGIC;
    header.architecture &= 4; /* i386 or MIPS */
    header.length &= 0xfff;
    header.checksum = 0u - header.magic - header.architecture - header.length;
    memcpy(image + at, &header, sizeof header);
}

static void require_mmap(uint64_t at, uint32_t size)
{
    struct multiboot2_mmap_entry entry;
    struct e820_entry map[E820_MAX_ENTRIES];
    uint32_t count = 0;
    for (uint32_t done = sizeof(struct multiboot2_mmap); done + sizeof entry <= size; done += sizeof entry) {
        require(count < E820_MAX_ENTRIES);
        fake_guest_read(at + done, &entry, sizeof entry);
        map[count++] = entry.entry;
    }
    require_e820(map, count);
}

static void require_module(uint64_t at, uint32_t size)
{
    struct multiboot2_module m;
    const struct machine_module *module = &fake_guest.machine.modules[1];
    require(size == sizeof m + sizeof "one");
    fake_guest_read(at, &m, sizeof m);
    require(m.start >= MIB && is_aligned(m.start, PAGE_SIZE) && m.end - m.start == module->range.size);
    require_guest_has(at + sizeof m, "one", sizeof "one");
    require_guest_has(m.start, fake_phys_at(module->range.base, module->range.size), module->range.size);
}

static void require_tag(uint32_t type, uint64_t at, uint32_t size)
{
    if (type == MULTIBOOT2_INFO_MMAP)
        require_mmap(at, size);
    else if (type == MULTIBOOT2_INFO_MODULE)
        require_module(at, size);
    else if (type == MULTIBOOT2_INFO_CMDLINE)
        require_guest_has(at, "x=1", 4);
    else if (type == MULTIBOOT2_INFO_RSDP2)
        require_guest_has(at, "RSD PTR ", 8);
}

static void require_information(void)
{
    struct multiboot2_info info;
    uint64_t base = fake_guest.entry.gpr[GPR_RBX];
    uint32_t seen = 0;
    require(fake_guest.entry.gpr[GPR_RAX] == MULTIBOOT2_BOOTLOADER_MAGIC && base % 8 == 0);
    fake_guest_read(base, &info, sizeof info);
    for (uint32_t at = sizeof info, count = 0;; count++) {
        struct multiboot2_info_tag tag;
        require(count < TAGS_MAX && at + sizeof tag <= info.total_size);
        fake_guest_read(base + at, &tag, sizeof tag);
        require(tag.size >= sizeof tag && tag.size <= info.total_size - at && tag.type < 32);
        seen |= 1u << tag.type;
        if (tag.type == MULTIBOOT2_INFO_END) {
            require(at + sizeof tag == info.total_size);
            break;
        }
        require_tag(tag.type, base + at + sizeof tag, tag.size - (uint32_t)sizeof tag);
        at += (tag.size + 7) & ~7u;
    }
    require(seen == (1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 15));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint64_t place = (uint64_t)input_8(&in) * 8;
    uint64_t padding = (uint64_t)input_8(&in) * 32;
    uint64_t module_size = (uint64_t)input_8(&in) * 257;
    setup_guest(&in, BOOT_MULTIBOOT2);
    uint64_t kernel_size = in.left + padding < KERNEL_MAX ? in.left + padding : KERNEL_MAX;
    uint8_t *image = fake_guest_module("kernel", kernel_size);
    input_bytes(&in, image, kernel_size);
    fix_header(image, kernel_size, place);
    memset(fake_guest_module("one", module_size), 0x5a, module_size);
    fake_guest.config.module_count = 1;
    fake_guest.config.modules[0].text = (struct slice){"one", 3};
    fake_guest.plan.modules[0] = 1;
    fake_guest_cmdline("x=1");
    if (load_guest())
        require_information();
    fake_guest_teardown();
    return 0;
}
