/*
 * The PVH loader: the input is the kernel behind a good ELF identification; a note with the entry may be put into it.
 * The start information is read back as a kernel would.
 */
#include "core/elf.h"
#include "core/pvh.h"
#include "tests/fuzz/loader_promises.h"

enum { KERNEL_MAX = 64 * 1024 };

static void fix_ident(uint8_t *image, uint64_t size, bool wide)
{
    struct elf_ident ident = {.magic = ELF_MAGIC,
                              .class = wide ? ELF_CLASS_64 : ELF_CLASS_32,
                              .data = ELF_DATA_LITTLE,
                              .type = ELF_TYPE_EXECUTABLE,
                              .machine = wide ? ELF_MACHINE_X86_64 : ELF_MACHINE_386};
    memcpy(image, &ident, size < sizeof ident ? size : sizeof ident);
}

static void put_note(uint8_t *image, uint64_t size, uint64_t at, uint64_t entry)
{
    struct elf_note note = {sizeof PVH_NOTE_OWNER, sizeof entry, PVH_NOTE_PHYS32_ENTRY};
    if (at + sizeof note + sizeof PVH_NOTE_OWNER + sizeof entry > size)
        return;
    memcpy(image + at, &note, sizeof note);
    memcpy(image + at + sizeof note, PVH_NOTE_OWNER, sizeof PVH_NOTE_OWNER);
    memcpy(image + at + sizeof note + sizeof PVH_NOTE_OWNER, &entry, sizeof entry);
}

static void require_start(void)
{
    struct pvh_start start;
    struct pvh_memory memory[E820_MAX_ENTRIES];
    struct e820_entry map[E820_MAX_ENTRIES];
    fake_guest_read(fake_guest.entry.gpr[GPR_RBX], &start, sizeof start);
    require(start.magic == PVH_START_MAGIC && start.version == 1 && start.module_count == 1);
    require(start.memory_map_count <= E820_MAX_ENTRIES);
    fake_guest_read(start.memory_map, memory, start.memory_map_count * sizeof memory[0]);
    for (uint32_t i = 0; i < start.memory_map_count; i++)
        map[i] = (struct e820_entry){memory[i].address, memory[i].size, memory[i].kind};
    require_e820(map, start.memory_map_count);
    require_guest_has(start.cmdline, "x=1", 4);
    require_acpi(start.rsdp);
    struct pvh_module module;
    const struct range *given = &fake_guest.machine.modules[1].range;
    fake_guest_read(start.modules, &module, sizeof module);
    require(module.address >= MIB && is_aligned(module.address, PAGE_SIZE) && module.size == given->size);
    require_guest_has(module.address, fake_phys_at(given->base, given->size), given->size);
    require_guest_has(module.cmdline, "initrd", sizeof "initrd");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t flags = input_8(&in);
    uint64_t place = (uint64_t)input_8(&in) * 4;
    uint64_t padding = (uint64_t)input_8(&in) * 32;
    uint64_t module_size = (uint64_t)input_8(&in) * 257;
    uint64_t entry = MIB + input_16(&in) * (uint64_t)16;
    setup_guest(&in, BOOT_PVH);
    uint64_t kernel_size = in.left + padding < KERNEL_MAX ? in.left + padding : KERNEL_MAX;
    uint8_t *image = fake_guest_module("vmlinux", kernel_size);
    input_bytes(&in, image, kernel_size);
    fix_ident(image, kernel_size, flags & 1);
    if (flags & 2)
        put_note(image, kernel_size, place, entry);
    memset(fake_guest_module("initrd", module_size), 0x5a, module_size);
    fake_guest.config.module_count = 1;
    fake_guest.config.modules[0].text = (struct slice){"initrd", 6};
    fake_guest.plan.modules[0] = 1;
    fake_guest_cmdline("x=1");
    if (load_guest())
        require_start();
    fake_guest_teardown();
    return 0;
}
