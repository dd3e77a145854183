/*
 * The multiboot1 loader, ELF and address fields: the input is the kernel. The ELF headers are read once more here and
 * each segment compared with guest RAM.
 */
#include <elf.h>

#include "core/multiboot1.h"
#include "tests/fuzz/loader_promises.h"

enum { KERNEL_MAX = 64 * 1024, MODULES_MAX = 3 };

static const char *const names[MODULES_MAX] = {"one", "two", ""};

/* Random bytes do not sum to 0: puts a good header over them, with the flags that they are. */
static void fix_header(uint8_t *image, uint64_t size, uint64_t at)
{
    struct multiboot1_header header;
    if (at + sizeof header > size)
        return;
    memcpy(&header, image + at, sizeof header);
    header.magic = MULTIBOOT1_HEADER_MAGIC;
    header.checksum = 0u - header.magic - header.flags;
    memcpy(image + at, &header, sizeof header);
}

/* Where the loader must have found the header. */
static uint64_t find_header(const uint8_t *image, uint64_t size, struct multiboot1_header *header)
{
    for (uint64_t at = 0; at + sizeof *header <= size && at + sizeof *header <= MULTIBOOT1_SEARCH; at += 4) {
        memcpy(header, image + at, sizeof *header);
        if (header->magic == MULTIBOOT1_HEADER_MAGIC && header->magic + header->flags + header->checksum == 0)
            return at;
    }
    require_failed("a loaded kernel has a header", __FILE__, __LINE__);
}

static void require_segment(const uint8_t *image, uint64_t size, struct range file, struct range memory)
{
    if (memory.size == 0)
        return;
    require(range_includes((struct range){0, fake_guest.config.memory}, memory));
    require(memory.base >= MIB || (memory.base >= PAGE_SIZE && range_end(memory) <= fake_guest.entry.gpr[GPR_RBX]));
    require(range_includes((struct range){0, size}, file) && file.size <= memory.size);
    require_guest_has(memory.base, image + file.base, file.size);
    require_guest_zero(memory.base + file.size, memory.size - file.size);
}

static void require_elf32(const uint8_t *image, uint64_t size)
{
    Elf32_Ehdr header;
    Elf32_Phdr s;
    require(size >= sizeof header);
    memcpy(&header, image, sizeof header);
    for (uint32_t i = 0; i < header.e_phnum; i++) {
        uint64_t at = (uint64_t)header.e_phoff + (uint64_t)i * header.e_phentsize;
        require(at + sizeof s <= size);
        memcpy(&s, image + at, sizeof s);
        if (s.p_type == PT_LOAD)
            require_segment(image, size, (struct range){s.p_offset, s.p_filesz}, (struct range){s.p_paddr, s.p_memsz});
    }
}

static void require_elf64(const uint8_t *image, uint64_t size)
{
    Elf64_Ehdr header;
    Elf64_Phdr s;
    require(size >= sizeof header);
    memcpy(&header, image, sizeof header);
    for (uint32_t i = 0; i < header.e_phnum; i++) {
        uint64_t at = header.e_phoff + (uint64_t)i * header.e_phentsize;
        require(at <= size && sizeof s <= size - at);
        memcpy(&s, image + at, sizeof s);
        if (s.p_type == PT_LOAD)
            require_segment(image, size, (struct range){s.p_offset, s.p_filesz}, (struct range){s.p_paddr, s.p_memsz});
    }
}

static void require_program(const uint8_t *image, uint64_t size)
{
    struct multiboot1_header header;
    struct multiboot1_addresses a;
    uint64_t at = find_header(image, size, &header);
    if ((header.flags & MULTIBOOT1_HAS_ADDRESSES) != 0) {
        memcpy(&a, image + at + sizeof header, sizeof a);
        uint64_t offset = at - (a.header_addr - a.load_addr);
        uint64_t length = a.load_end_addr != 0 ? a.load_end_addr - a.load_addr : size - offset;
        uint64_t memory = a.bss_end_addr != 0 ? a.bss_end_addr - a.load_addr : length;
        require_segment(image, size, (struct range){offset, length}, (struct range){a.load_addr, memory});
        require(fake_guest.entry.rip == a.entry_addr);
    } else if (image[EI_CLASS] == ELFCLASS32) {
        require_elf32(image, size);
    } else {
        require_elf64(image, size);
    }
}

static void require_modules(const struct multiboot1_info *info)
{
    require(info->mods_count == fake_guest.config.module_count);
    uint64_t end = MIB;
    for (uint32_t i = 0; i < info->mods_count; i++) {
        struct multiboot1_module m;
        const struct machine_module *module = &fake_guest.machine.modules[1 + i];
        fake_guest_read(info->mods_addr + i * sizeof m, &m, sizeof m);
        require(m.start >= end && m.end - m.start == module->range.size && m.end >= m.start);
        require(is_aligned(m.start, PAGE_SIZE));
        require_guest_has(m.start, fake_phys_at(module->range.base, module->range.size), module->range.size);
        require_guest_has(m.string, names[i], strlen(names[i]) + 1);
        end = m.end;
    }
}

static void require_loaded(const uint8_t *image, uint64_t size)
{
    struct multiboot1_info info;
    struct multiboot1_mmap_entry entries[E820_MAX_ENTRIES];
    struct e820_entry map[E820_MAX_ENTRIES];
    require(fake_guest.entry.gpr[GPR_RAX] == MULTIBOOT1_BOOTLOADER_MAGIC);
    require_program(image, size);
    fake_guest_read(fake_guest.entry.gpr[GPR_RBX], &info, sizeof info);
    require(info.mmap_length <= sizeof entries && info.mmap_length % sizeof entries[0] == 0);
    fake_guest_read(info.mmap_addr, entries, info.mmap_length);
    uint32_t count = info.mmap_length / (uint32_t)sizeof entries[0];
    for (uint32_t i = 0; i < count; i++) {
        require(entries[i].size == sizeof entries[i].entry);
        map[i] = entries[i].entry;
    }
    require_e820(map, count);
    require_modules(&info);
    require_guest_has(info.cmdline, "x=1", 4);
    require_acpi(GUEST_ACPI_BASE);
}

static void add_modules(struct input *in, uint32_t count)
{
    fake_guest.config.module_count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t size = (uint64_t)input_8(in) * 257;
        uint8_t *bytes = fake_guest_module(names[i], size);
        for (uint64_t at = 0; at < size; at += 13)
            bytes[at] = (uint8_t)(at + i);
        fake_guest.plan.modules[i] = (int)(1 + i);
        fake_guest.config.modules[i].text = (struct slice){names[i], strlen(names[i])};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t flags = input_8(&in);
    uint8_t place = input_8(&in);
    uint8_t padding = input_8(&in);
    uint8_t module_sizes[MODULES_MAX];
    setup_guest(&in, BOOT_MULTIBOOT1);
    for (uint32_t i = 0; i < MODULES_MAX; i++)
        module_sizes[i] = input_8(&in);
    uint64_t kernel_size = in.left + padding * (uint64_t)32;
    if (kernel_size > KERNEL_MAX)
        kernel_size = KERNEL_MAX;
    uint8_t *image = fake_guest_module("kernel", kernel_size);
    input_bytes(&in, image, kernel_size);
    if ((flags & 1) != 0)
        fix_header(image, kernel_size, (uint64_t)place * 4);
    struct input sizes = {module_sizes, sizeof module_sizes};
    add_modules(&sizes, (flags >> 1) % (MODULES_MAX + 1u));
    fake_guest_cmdline("x=1");
    if (load_guest())
        require_loaded(fake_phys_at(fake_guest.machine.modules[0].range.base, kernel_size), kernel_size);
    fake_guest_teardown();
    return 0;
}
