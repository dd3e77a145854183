/*
 * bench as the loader of a Linux kernel: the same way into the same kernel on the bare machine and under a hypervisor,
 * so that the two can be compared from the kernel's first instruction on.
 *
 * Modules: the kernel, its initial RAM disk, and where the machine's own ACPI tables are not to be used, a third with
 * tables made for the address in the option acpi=. The kernel's command line is what stands behind "-- " on ours.
 * Linux, Documentation/arch/x86/boot.rst: "64-bit Boot Protocol" and "zero-page.rst".
 */
#include "guests/bench/cases.h"
#include "guests/common/console.h"
#include "guests/common/guest.h"
#include "guests/common/instructions.h"
#include "guests/common/multiboot1.h"

#define RESERVED_AT 0x90000u /* to 1 MiB: ACPI tables and firmware */
#define HIGH_AT     0x100000u
#define PAGE        4096u

/* The setup header's fields, as offsets into the kernel's file and into the zero page alike. */
enum {
    PARAMS_SIZE = 4096,
    COMMAND_LINE_SIZE = 2048,
    PARAMS_ACPI_RSDP = 0x70,
    PARAMS_E820_COUNT = 0x1e8,
    HEADER_FIRST = 0x1f1,
    HEADER_JUMP_LENGTH = 0x201,
    HEADER_MAGIC = 0x202,
    HEADER_LOADER_TYPE = 0x210,
    HEADER_LOADFLAGS = 0x211,
    HEADER_RAMDISK = 0x218,
    HEADER_RAMDISK_SIZE = 0x21c,
    HEADER_CMDLINE = 0x228,
    HEADER_XLOADFLAGS = 0x236,
    HEADER_CMDLINE_SIZE = 0x238,
    HEADER_PREFERRED = 0x258,
    HEADER_INIT_SIZE = 0x260,
    PARAMS_E820 = 0x2d0,

    LOADER_TYPE_NONE_OF_THE_LIST = 0xff,
    LOADFLAGS_HIGH = 1,
    XLOADFLAGS_64 = 1,
    ENTRY_64 = 0x200,
    SECTOR = 512,
    E820_RAM = 1,
    E820_RESERVED = 2,
};
#define MAGIC_HDRS 0x53726448u

struct e820_entry {
    uint64_t base, size;
    uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct e820_entry) == 20, "boot_e820_entry");

/* In this image, because loaders keep what they hand over in low memory. */
static uint8_t params[PARAMS_SIZE] __attribute__((aligned(PAGE)));
static char command_line[COMMAND_LINE_SIZE];
#define PARAMS_AT ((uint64_t)(uintptr_t)params)

struct place {
    uint64_t at, size;
};

/* Of other people's layout, so not always aligned. */
typedef uint32_t unaligned32 __attribute__((aligned(1)));
typedef uint64_t unaligned64 __attribute__((aligned(1)));

static uint8_t *bytes_at(uint64_t address) { return (uint8_t *)(uintptr_t)address; }
static uint32_t get32(uint64_t address) { return *(const unaligned32 *)bytes_at(address); }
static uint64_t get64(uint64_t address) { return *(const unaligned64 *)bytes_at(address); }
static void put32(uint64_t address, uint32_t value) { *(unaligned32 *)bytes_at(address) = value; }

/* Either may lie over the other's end. */
static void move(uint64_t to, uint64_t from, uint64_t size)
{
    if (to <= from) {
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory");
        return;
    }
    to += size - 1;
    from += size - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(size)::"memory");
}

static struct place module(unsigned number)
{
    if (guest_multiboot == NULL || (guest_multiboot->flags & MULTIBOOT1_INFO_MODULES) == 0 ||
        number >= guest_multiboot->module_count)
        return (struct place){0, 0};
    uint64_t entry = guest_multiboot->modules + number * 16ull; /* start, end, string, reserved: 32 bits each */
    return (struct place){get32(entry), get32(entry + 4) - get32(entry)};
}

static const char *kernel_command_line(void)
{
    for (const char *at = guest_command_line; *at != '\0'; at++)
        if (at[0] == '-' && at[1] == '-' && at[2] == ' ')
            return at + 3;
    return "";
}

static void put_e820(void)
{
    const struct e820_entry map[] = {
        {0, RESERVED_AT, E820_RAM},
        {RESERVED_AT, HIGH_AT - RESERVED_AT, E820_RESERVED},
        {HIGH_AT, guest_memory_kib * 1024, E820_RAM},
    };
    for (unsigned i = 0; i < sizeof map / sizeof map[0]; i++)
        *(struct e820_entry *)bytes_at(PARAMS_AT + PARAMS_E820 + i * sizeof map[0]) = map[i];
    *bytes_at(PARAMS_AT + PARAMS_E820_COUNT) = sizeof map / sizeof map[0];
}

static void put_params(struct place kernel, struct place disk, struct place tables)
{
    uint64_t header_end = HEADER_MAGIC + *bytes_at(kernel.at + HEADER_JUMP_LENGTH);
    move(PARAMS_AT + HEADER_FIRST, kernel.at + HEADER_FIRST, header_end - HEADER_FIRST);
    *bytes_at(PARAMS_AT + HEADER_LOADER_TYPE) = LOADER_TYPE_NONE_OF_THE_LIST;
    *bytes_at(PARAMS_AT + HEADER_LOADFLAGS) |= LOADFLAGS_HIGH;
    put32(PARAMS_AT + HEADER_RAMDISK, (uint32_t)disk.at);
    put32(PARAMS_AT + HEADER_RAMDISK_SIZE, (uint32_t)disk.size);
    put32(PARAMS_AT + HEADER_CMDLINE, (uint32_t)(uintptr_t)command_line);
    uint64_t tables_at = guest_option("acpi", 0);
    if (tables.size != 0 && tables_at >= RESERVED_AT && tables_at + tables.size <= HIGH_AT) {
        move(tables_at, tables.at, tables.size);
        put32(PARAMS_AT + PARAMS_ACPI_RSDP, (uint32_t)tables_at);
    }
    put_e820();
}

static bool put_command_line(struct place kernel)
{
    const char *text = kernel_command_line();
    for (uint32_t i = 0; i < sizeof command_line && i <= get32(kernel.at + HEADER_CMDLINE_SIZE); i++) {
        command_line[i] = text[i];
        if (text[i] == '\0')
            return true;
    }
    return false;
}

/* NULL when this is a kernel that the 64-bit protocol can start, else what is wrong with it. */
static const char *wrong_with(struct place kernel, struct place disk)
{
    if (kernel.size < 2 * PARAMS_SIZE || disk.size == 0)
        return "needs two modules: a kernel and an initial RAM disk";
    if (get32(kernel.at + HEADER_MAGIC) != MAGIC_HDRS)
        return "the first module is no Linux kernel";
    if ((*bytes_at(kernel.at + HEADER_XLOADFLAGS) & XLOADFLAGS_64) == 0)
        return "the kernel has no 64-bit entry";
    uint64_t top = HIGH_AT + guest_memory_kib * 1024;
    if (get64(kernel.at + HEADER_PREFERRED) + get32(kernel.at + HEADER_INIT_SIZE) + disk.size + PAGE > top)
        return "not enough memory for kernel and RAM disk";
    return NULL;
}

/* Selectors of the boot protocol: 10h code, 18h data. */
static void __attribute__((noreturn)) jump(uint64_t entry)
{
    static const uint64_t descriptors[] = {0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff};
    static const struct {
        uint16_t limit;
        const uint64_t *base;
    } __attribute__((packed)) pointer = {sizeof descriptors - 1, descriptors};
    print("bench: linux enters at %lu\n", rdtsc());
    __asm__ volatile("cli\n\tlgdt %[pointer]\n\tmovl $0x18, %%eax\n\tmovl %%eax, %%ds\n\tmovl %%eax, %%es\n\t"
                     "movl %%eax, %%ss\n\tpushq $0x10\n\tpushq %[entry]\n\tlretq" ::[pointer] "m"(pointer),
                     [entry] "r"(entry), "S"((uint64_t)PARAMS_AT)
                     : "rax", "memory");
    __builtin_unreachable();
}

void linux_start(void)
{
    struct place kernel = module(0), disk = module(1), tables = module(2);
    const char *wrong = wrong_with(kernel, disk);
    if (wrong == NULL && !put_command_line(kernel))
        wrong = "the kernel's command line is too long";
    if (wrong != NULL) {
        print("bench: linux absent: %s\n", wrong);
        return;
    }
    uint64_t top = HIGH_AT + guest_memory_kib * 1024;
    uint64_t disk_at = (top - disk.size) & ~(uint64_t)(PAGE - 1);
    move(disk_at, disk.at, disk.size); /* before the kernel lands on it */
    disk.at = disk_at;
    put_params(kernel, disk, tables);

    uint64_t at = get64(kernel.at + HEADER_PREFERRED);
    uint64_t sectors = *bytes_at(kernel.at + HEADER_FIRST);
    uint64_t setup = ((sectors == 0 ? 4 : sectors) + 1) * SECTOR;
    move(at, kernel.at + setup, kernel.size - setup);
    jump(at + ENTRY_64);
}
