/*
 * A firmware image, such as SeaBIOS: it ends at 4 GiB, and the guest starts as a CPU does after reset, 16 bytes below
 * that.
 *
 * Guest-physical layout:
 *     4 GiB - size    the image; memory of its own, which plan_build has set aside
 *     1 MiB - 256 KiB its last 256 KiB once more, where real-mode code finds it on every PC
 *
 * Both are RAM. A PC's are ROM until the firmware has programmed its chipset to put RAM there, which is what firmware
 * wants them to be: so it finds that done. There are no ACPI tables but those that it makes.
 *
 * Its configuration device holds the boot modules. What a module is shows in its first bytes: an option ROM becomes a
 * file "genroms/NAME", which SeaBIOS runs; one kernel with a Linux setup header (such as ipxe.lkrn) becomes the kernel
 * that the option ROM linuxboot.bin starts in real mode; everything else becomes a file "opt/NAME".
 */
#include "core/loader_protocol.h"

enum { SHADOW_SIZE = 256 * 1024, RESET_VECTOR_SIZE = 16, RESET_SELECTOR = 0xf000, RESET_IP = 0xfff0 };
#define RESET_BASE 0xffff0000u
static_assert(RESET_BASE + (uint64_t)RESET_IP == PLAN_FIRMWARE_END - RESET_VECTOR_SIZE,
              "SDM vol. 3, \"First Instruction Executed\"");

/* Numbers of the items (QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device"; its "fw_cfg.h"). */
enum {
    ITEM_CPUS = 0x05,
    ITEM_KERNEL_ADDRESS = 0x07,
    ITEM_KERNEL_SIZE = 0x08,
    ITEM_MAX_CPUS = 0x0f,
    ITEM_KERNEL = 0x11,
    ITEM_CMDLINE_ADDRESS = 0x13,
    ITEM_CMDLINE_SIZE = 0x14,
    ITEM_CMDLINE = 0x15,
    ITEM_SETUP_ADDRESS = 0x16,
    ITEM_SETUP_SIZE = 0x17,
    ITEM_SETUP = 0x18,
};

/* Where the option ROM puts the three parts of a kernel (Linux documentation, "The Linux/x86 Boot Protocol"). */
enum {
    SETUP_AT = 0x10000,
    CMDLINE_AT = 0x20000,
    KERNEL_AT = 0x100000,
    HEAP_END = CMDLINE_AT - SETUP_AT - 0x200, /* relative to the end of the boot sector, "heap_end_ptr" */
    LOADFLAG_CAN_USE_HEAP = 1u << 7,
    VERSION_WITH_CMDLINE = 0x0202,
    OPTION_ROM = 0xaa55,
    NAME_SIZE = 8 + MACHINE_MODULE_NAME_SIZE,
};

enum module_kind { MODULE_OPTION_ROM, MODULE_KERNEL, MODULE_FILE };

static enum module_kind kind_of(const struct loader_image *module, struct linux_setup_header *header)
{
    uint16_t start;
    if (loader_image_read(module, 0, &start, sizeof start) && start == OPTION_ROM)
        return MODULE_OPTION_ROM;
    if (loader_image_read(module, LINUX_HEADER_OFFSET, header, sizeof *header) && header->magic == LINUX_MAGIC &&
        header->boot_flag == LINUX_BOOT_FLAG)
        return MODULE_KERNEL;
    return MODULE_FILE;
}

static bool kernel_check(const struct loader_image *module, const struct linux_setup_header *header)
{
    if (header->version < VERSION_WITH_CMDLINE || !(header->loadflags & LINUX_LOADED_HIGH))
        return loader_image_error(module,
                                  "has boot protocol %u.%02u, loadflags 0x%x, expected 2.02 or later and a "
                                  "kernel that is loaded high",
                                  header->version >> 8, header->version & 0xffu, (unsigned)header->loadflags);
    if (module->range.size <= linux_setup_size(header))
        return loader_image_error(module, "is truncated: %lu bytes, its setup code alone has %u", module->range.size,
                                  linux_setup_size(header));
    return true;
}

/* Opens the modules, too. */
static bool items_check(struct loader_layout *l)
{
    uint32_t kernels = 0;
    for (uint32_t i = 0; i < l->kernel.plan->config->module_count; i++) {
        const struct loader_image *module = &l->modules[i].image;
        struct linux_setup_header header;
        if (!loader_module_open(l, i))
            return false;
        if (module->range.size > UINT32_MAX)
            return loader_image_error(module, "is too large: %lu bytes, expected less than 4 GiB", module->range.size);
        if (kind_of(module, &header) != MODULE_KERNEL)
            continue;
        if (!kernel_check(module, &header))
            return false;
        if (++kernels > 1)
            return loader_image_error(module, "is a second kernel, expected one at most");
    }
    return true;
}

/* Numbers, each of `size` bytes. */
struct number {
    uint16_t key;
    uint16_t size;
    uint32_t value;
};

static bool numbers_add(const struct partition *p, const struct number *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!platform_add_firmware(
                p->platform,
                &(struct firmware_item){.key = numbers[i].key, .bytes = &numbers[i].value, .size = numbers[i].size}))
            return false;
    return true;
}

static bool file_add(const struct partition *p, const char *directory, const struct loader_image *module)
{
    char name[NAME_SIZE];
    text_print(name, sizeof name, "%s/%s", directory, module->name);
    return platform_add_firmware(
        p->platform,
        &(struct firmware_item){.name = name, .host = hpa(module->range.base), .size = (uint32_t)module->range.size});
}

/* The setup code as the boot protocol wants the loader to leave it: "The Real-Mode Kernel Header". */
static bool setup_patch(const struct partition *p, const struct linux_setup_header *header)
{
    const struct {
        uint32_t at;
        uint32_t value;
        uint32_t size;
    } fields[] = {
        {LINUX_HEADER_OFFSET + offsetof(struct linux_setup_header, type_of_loader), LINUX_LOADER_UNDEFINED, 1},
        {LINUX_HEADER_OFFSET + offsetof(struct linux_setup_header, loadflags),
         (uint32_t)header->loadflags | LOADFLAG_CAN_USE_HEAP, 1},
        {LINUX_HEADER_OFFSET + offsetof(struct linux_setup_header, heap_end_ptr), HEAP_END, 2},
        {LINUX_HEADER_OFFSET + offsetof(struct linux_setup_header, cmd_line_ptr), CMDLINE_AT, 4},
    };
    for (size_t i = 0; i < array_size(fields); i++)
        for (uint32_t byte = 0; byte < fields[i].size; byte++)
            if (!platform_patch_firmware(p->platform, ITEM_SETUP, fields[i].at + byte,
                                         (uint8_t)(fields[i].value >> 8 * byte)))
                return false;
    return true;
}

static bool kernel_add(const struct partition *p, const struct loader_image *module,
                       const struct linux_setup_header *header)
{
    struct slice cmdline = p->plan->config->cmdline.text;
    uint32_t setup = linux_setup_size(header);
    uint32_t code = (uint32_t)module->range.size - setup;
    struct firmware_item parts[] = {
        {.key = ITEM_SETUP, .host = hpa(module->range.base), .size = setup},
        {.key = ITEM_KERNEL, .host = hpa(module->range.base + setup), .size = code},
        {.key = ITEM_CMDLINE, .bytes = cmdline.length != 0 ? cmdline.at : "", .size = (uint32_t)cmdline.length},
    };
    for (size_t i = 0; i < array_size(parts); i++)
        if (!platform_add_firmware(p->platform, &parts[i]))
            return false;
    const struct number numbers[] = {
        {ITEM_SETUP_ADDRESS, 4, SETUP_AT},
        {ITEM_SETUP_SIZE, 4, setup},
        {ITEM_KERNEL_ADDRESS, 4, KERNEL_AT},
        {ITEM_KERNEL_SIZE, 4, code},
        {ITEM_CMDLINE_ADDRESS, 4, CMDLINE_AT},
        {ITEM_CMDLINE_SIZE, 4, (uint32_t)cmdline.length + 1}, /* read past its end it is 0: its terminator */
    };
    return numbers_add(p, numbers, array_size(numbers)) && setup_patch(p, header);
}

static bool module_add(const struct partition *p, const struct loader_image *module)
{
    struct linux_setup_header header;
    switch (kind_of(module, &header)) {
    case MODULE_OPTION_ROM:
        return file_add(p, "genroms", module);
    case MODULE_KERNEL:
        return kernel_add(p, module, &header);
    case MODULE_FILE:
        return file_add(p, "opt", module);
    }
    return false;
}

/* SeaBIOS's console on the UART, which stands in for the screen that is not there. */
static bool console_add(const struct partition *p)
{
    uint64_t port = GUEST_UART_PORT;
    return p->plan->config->console != CONSOLE_UART ||
           platform_add_firmware(
               p->platform, &(struct firmware_item){.name = "etc/sercon-port", .bytes = &port, .size = sizeof port});
}

static void items_add(struct loader_writer *w, const struct loader_layout *l)
{
    const struct partition *p = w->p;
    const struct number cpus[] = {{ITEM_CPUS, 2, p->vcpu_count}, {ITEM_MAX_CPUS, 2, p->vcpu_count}};
    w->failed = !numbers_add(p, cpus, array_size(cpus)) || !console_add(p);
    if (w->failed)
        sink_print(w->errors, "partition '%s': no room in the firmware's configuration\n", partition_name(p));
    for (uint32_t i = 0; !w->failed && i < p->plan->config->module_count; i++)
        w->failed = !module_add(p, &l->modules[i].image) &&
                    !loader_image_error(&l->modules[i].image, "does not fit into the firmware's configuration");
}

static bool decode(struct loader_layout *l)
{
    const struct loader_image *image = &l->kernel;
    uint64_t size = image->range.size, memory = image->plan->config->memory;
    if (size < RESET_VECTOR_SIZE || size > PLAN_FIRMWARE_MAX)
        return loader_image_error(image, "is no firmware: %lu bytes, expected %u to %lu", size,
                                  (unsigned)RESET_VECTOR_SIZE, (unsigned long)PLAN_FIRMWARE_MAX);
    if (memory < 1 * MIB)
        return loader_image_error(image, "does not fit: it needs RAM up to 0x%lx, there is RAM up to 0x%lx",
                                  (unsigned long)MIB, memory);
    if (!image->plan->virtual_interrupts)
        return loader_image_error(image, "is firmware, which needs interrupts = virtual");
    uint64_t shadow = size < SHADOW_SIZE ? size : SHADOW_SIZE;
    loader_program_add(&l->program, (struct range){0, size}, (struct range){PLAN_FIRMWARE_END - size, size});
    loader_program_add(&l->program, (struct range){size - shadow, shadow}, (struct range){1 * MIB - shadow, shadow});
    return items_check(l);
}

static void write(struct loader_writer *w, const struct loader_layout *l, struct vcpu_entry *entry)
{
    const struct partition *p = w->p;
    uint64_t low = e820_low_ram_end(p->plan->config->memory);
    items_add(w, l);
    platform_set_memory(p->platform, low, p->plan->config->memory - low, p->vcpu_count);
    *entry = (struct vcpu_entry){
        .mode = VCPU_MODE_REAL, .cs_selector = RESET_SELECTOR, .cs_base = RESET_BASE, .rip = RESET_IP};
}

const struct loader_protocol loader_firmware = {decode, write};
