/*
 * Writes the binary seeds: make-seeds DIRECTORY [NAME.hex]... Each is a well-formed input of one target, so that the
 * fuzzer begins behind the first checks; the layout of each target's input is told in its LLVMFuzzerTestOneInput. Those
 * of the files are what earlier runs have found, one input a line.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/multiboot1.h"
#include "core/multiboot2.h"

enum { SEED_MAX = 4096 };

/* A seed under construction. */
static struct {
    size_t size;
    uint8_t bytes[SEED_MAX];
} seed;

static const char *directory;

static void __attribute__((noreturn)) fail(const char *what)
{
    fprintf(stderr, "make-seeds: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put(const void *bytes, size_t size)
{
    if (size > SEED_MAX - seed.size)
        fail("a seed is too large");
    memcpy(seed.bytes + seed.size, bytes, size);
    seed.size += size;
}

static void put_8(unsigned value) { put(&(uint8_t){(uint8_t)value}, 1); }
static void put_16(unsigned value) { put(&(uint16_t){(uint16_t)value}, 2); }
static void put_32(uint32_t value) { put(&value, 4); }
static void put_64(uint64_t value) { put(&value, 8); }

static void put_text(const char *text) { put(text, strlen(text)); }

/* Zeros up to offset `at` of the seed. */
static void pad_to(size_t at)
{
    while (seed.size < at)
        put_8(0);
}

static void finish(const char *target, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", directory, target);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        fail(path);
    snprintf(path, sizeof path, "%s/%s/%s", directory, target, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(seed.bytes, 1, seed.size, file) != seed.size || fclose(file) != 0)
        fail(path);
    seed.size = 0;
}

/* ---- multiboot2: tags, wrapped by the target ---- */

static void tag_text(uint32_t type, const char *text)
{
    put_32(type);
    put_32((uint32_t)(8 + strlen(text) + 1));
    put_text(text);
    put_8(0);
    pad_to(1 + (seed.size - 1 + 7) / 8 * 8);
}

static void tag_module(uint32_t start, uint32_t end, const char *name)
{
    put_32(3);
    put_32((uint32_t)(16 + strlen(name) + 1));
    put_32(start);
    put_32(end);
    put_text(name);
    put_8(0);
    pad_to(1 + (seed.size - 1 + 7) / 8 * 8);
}

static void map_entry(uint64_t base, uint64_t size, uint32_t type)
{
    put_64(base);
    put_64(size);
    put_32(type);
    put_32(0);
}

static void multiboot2(void)
{
    put_8(1);
    tag_text(1, "loglevel=3");
    tag_text(2, "GRUB 2.06");
    tag_module(0x1000000, 0x1345678, "vmlinuz kernel");
    tag_module(0x2000000, 0x2000000, "initrd");
    put_32(6);
    put_32(16 + 5 * 24);
    put_32(24);
    put_32(0);
    map_entry(0, 0x9f000, 1);
    map_entry(0xf0000, 0x10000, 2);
    map_entry(0x100000, 0x7ff00000, 1);
    map_entry(0x7fff0000, 0x10000, 3);
    map_entry(0x100000000, 0x100000000, 1);
    put_32(14);
    put_32(8 + 20);
    put_text("RSD PTR ");
    put_8(0x69); /* sums to 0 with what follows */
    put_text("BOCHS ");
    put_8(0);
    put_32(0x7fff0000);
    finish("multiboot2", "grub-bios");
}

/* ---- ACPI: the target makes the sums right ---- */

enum { ACPI_BASE = 0x10000, ACPI_FLAGS = 1 | 2 << 1, PREFIX = 2 };

static void acpi_table(unsigned place, const char *signature, uint32_t length)
{
    pad_to(PREFIX + place * 256);
    put_text(signature);
    put_32(length);
    pad_to(PREFIX + place * 256 + 36);
}

static void acpi(void)
{
    put_8(ACPI_FLAGS);
    put_8(0); /* APIC id of the boot CPU */
    put_text("RSD PTR ");
    pad_to(PREFIX + 15);
    put_8(2);
    put_32(ACPI_BASE + 0x200);
    put_32(36);
    put_64(ACPI_BASE + 0x100);
    acpi_table(1, "XSDT", 36 + 16);
    put_64(ACPI_BASE + 0x300);
    put_64(ACPI_BASE + 0x400);
    acpi_table(2, "RSDT", 36 + 8);
    put_32(ACPI_BASE + 0x300);
    put_32(ACPI_BASE + 0x400);
    acpi_table(3, "APIC", 44 + 8 + 8 + 12 + 16);
    put_64(0xfee00000);
    put_64(0x0000000100000800); /* local APIC, uid 0, id 0, enabled */
    put_64(0x0000000102010800);
    put(&(struct { uint8_t b[12]; }){{1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0}}, 12);
    put_32(0x1009);
    put_32(0x100);
    put_32(1);
    put_32(7);
    acpi_table(4, "FACP", 276);
    pad_to(PREFIX + 0x400 + 112);
    put_32(1 << 10);
    put_32(0x00000801);
    put_64(0xcf9);
    put_8(6);
    pad_to(PREFIX + 0x400 + 276);
    finish("acpi", "xsdt");
}

/* ---- loaders ---- */

enum { IMAGE_AT = 10, MEMORY_PAGES = 640 };

/* What stands before the image in an input of the multiboot1 target. */
static void multiboot1_prefix(unsigned modules)
{
    put_8(modules << 1);
    put_8(0);
    put_8(4);
    put_16(MEMORY_PAGES);
    put_16(100);
    put_8(3);
    put_8(200);
    put_8(0);
}

static void multiboot1_header(uint32_t flags)
{
    put_32(MULTIBOOT1_HEADER_MAGIC);
    put_32(flags);
    put_32(0u - MULTIBOOT1_HEADER_MAGIC - flags);
}

static void elf32(void)
{
    multiboot1_prefix(2);
    Elf32_Ehdr header = {.e_ident = ELFMAG "\1\1\1",
                         .e_type = ET_EXEC,
                         .e_machine = EM_386,
                         .e_version = 1,
                         .e_entry = 0x100010,
                         .e_phoff = sizeof header,
                         .e_ehsize = sizeof header,
                         .e_phentsize = sizeof(Elf32_Phdr),
                         .e_phnum = 1};
    put(&header, sizeof header);
    Elf32_Phdr segment = {
        .p_type = PT_LOAD, .p_offset = 96, .p_vaddr = 0x100000, .p_paddr = 0x100000, .p_filesz = 60, .p_memsz = 5000};
    put(&segment, sizeof segment);
    pad_to(IMAGE_AT + 96);
    multiboot1_header(MULTIBOOT1_ALIGN_MODULES);
    pad_to(IMAGE_AT + 160);
    finish("loader_multiboot1", "elf32");
}

static void elf64(void)
{
    multiboot1_prefix(0);
    Elf64_Ehdr header = {.e_ident = ELFMAG "\2\1\1",
                         .e_type = ET_EXEC,
                         .e_machine = EM_X86_64,
                         .e_version = 1,
                         .e_entry = 0xffffffff80100010,
                         .e_phoff = sizeof header,
                         .e_ehsize = sizeof header,
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = 2};
    put(&header, sizeof header);
    Elf64_Phdr segment = {.p_type = PT_LOAD,
                          .p_offset = 192,
                          .p_vaddr = 0xffffffff80100000,
                          .p_paddr = 0x100000,
                          .p_filesz = 64,
                          .p_memsz = 64};
    put(&segment, sizeof segment);
    segment.p_offset = 0;
    segment.p_filesz = 32;
    segment.p_vaddr = segment.p_paddr = 0x100040; /* right behind: one bit less and they overlap */
    put(&segment, sizeof segment);
    pad_to(IMAGE_AT + 192);
    multiboot1_header(MULTIBOOT1_WANT_MEMORY);
    pad_to(IMAGE_AT + 256);
    finish("loader_multiboot1", "elf64");
}

static void addresses(void)
{
    multiboot1_prefix(1);
    pad_to(IMAGE_AT + 32);
    multiboot1_header(MULTIBOOT1_HAS_ADDRESSES | MULTIBOOT1_ALIGN_MODULES);
    struct multiboot1_addresses a = {.header_addr = 0x100020, .load_addr = 0x100000, .entry_addr = 0x100040};
    put(&a, sizeof a);
    pad_to(IMAGE_AT + 200);
    finish("loader_multiboot1", "addresses");
}

/* ---- kernels of the other ELF protocols: 64 bytes of code, loaded at 1 MiB ---- */

enum { CODE_AT = 192, CODE_SIZE = 64 };

static void kernel_elf64(uint16_t segments)
{
    Elf64_Ehdr header = {.e_ident = ELFMAG "\2\1\1",
                         .e_type = ET_EXEC,
                         .e_machine = EM_X86_64,
                         .e_version = 1,
                         .e_entry = 0x100010,
                         .e_phoff = sizeof header,
                         .e_ehsize = sizeof header,
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = segments};
    Elf64_Phdr code = {.p_type = PT_LOAD,
                       .p_offset = CODE_AT,
                       .p_vaddr = 0x100000,
                       .p_paddr = 0x100000,
                       .p_filesz = CODE_SIZE,
                       .p_memsz = 5000};
    put(&header, sizeof header);
    put(&code, sizeof code);
}

/* The target puts the note itself, and the header's checksum. */
static void pvh(void)
{
    enum { NOTE_AT = 256, NOTE_SIZE = 24 };
    put_8(1 | 2); /* 64 bits, with a note */
    put_8(NOTE_AT / 4);
    put_8(0);
    put_8(3);
    put_16(1);
    put_16(MEMORY_PAGES);
    put_16(100);
    kernel_elf64(2);
    Elf64_Phdr notes = {
        .p_type = PT_NOTE, .p_offset = NOTE_AT, .p_filesz = NOTE_SIZE, .p_memsz = NOTE_SIZE, .p_align = 4};
    put(&notes, sizeof notes);
    pad_to(IMAGE_AT + NOTE_AT + NOTE_SIZE);
    finish("loader_pvh", "note");
}

static void multiboot2_prefix(unsigned header_at)
{
    put_8(header_at / 8);
    put_8(0);
    put_8(3);
    put_16(MEMORY_PAGES);
    put_16(100);
}

static void multiboot2_tag(unsigned type, unsigned size)
{
    put_16(type);
    put_16(0);
    put_32(size);
}

static void multiboot2_kernels(void)
{
    enum { HEADER_AT = 128, HEADER_SIZE = 16, BEGIN = 7 };
    multiboot2_prefix(HEADER_AT);
    kernel_elf64(1);
    pad_to(BEGIN + HEADER_AT);
    put_64(0);
    put_32(HEADER_SIZE + 8);
    put_32(0);
    multiboot2_tag(MULTIBOOT2_HEADER_END, 8);
    pad_to(BEGIN + CODE_AT + CODE_SIZE);
    finish("loader_multiboot2", "elf64");

    multiboot2_prefix(0);
    put_64(0);
    put_32(HEADER_SIZE + 24 + 16 + 8);
    put_32(0);
    multiboot2_tag(MULTIBOOT2_HEADER_ADDRESS, 8 + sizeof(struct multiboot2_addresses));
    struct multiboot2_addresses a = {.header_addr = 0x100000, .load_addr = 0x100000, .bss_end_addr = 0x102000};
    put(&a, sizeof a);
    multiboot2_tag(MULTIBOOT2_HEADER_ENTRY, 12);
    put_64(0x100040);
    multiboot2_tag(MULTIBOOT2_HEADER_END, 8);
    pad_to(BEGIN + CODE_AT);
    finish("loader_multiboot2", "addresses");
}

static void linux_kernel(void)
{
    put_8(2); /* with an initrd */
    put_8(20);
    put_16(MEMORY_PAGES);
    put_16(100);
    put_16(200); /* 64-byte units of the kernel */
    put_8(0);
    put_8(0xff); /* nothing to patch */
    put_16(500);
    finish("loader_linux", "initrd");
}

/* ---- mmio and the decoder ---- */

static void instruction(const char *name, unsigned mode, const void *bytes, size_t size)
{
    static const uint8_t view_flags[] = {0, 16, 1 | 4 | 8}; /* 16-bit real, 32-bit flat, 64-bit */
    put_8(mode);
    put(bytes, size);
    finish("decode", name);
    put_8(0);
    put_8(view_flags[mode]);
    put_16(1);
    put_8(0); /* the device answers */
    put_64(0x1122334455667788);
    put_8(0); /* the fault was on the device's first page */
    put(bytes, size);
    for (size_t i = size; i < 15; i++)
        put_8(0x90);
    for (unsigned i = 0; i < 16; i++)
        put_8(i == 1 ? 6 : 0x40); /* RCX small, the others at the device */
    finish("mmio", name);
}

#define INSTRUCTION(name, mode, ...)                                                                                   \
    instruction(name, mode, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

static void instructions(void)
{
    INSTRUCTION("mov-store", 2, 0x89, 0x07);
    INSTRUCTION("mov-load", 2, 0x48, 0x8b, 0x07);
    INSTRUCTION("mov-immediate", 1, 0xc7, 0x07, 1, 2, 3, 4);
    INSTRUCTION("movzx", 2, 0x0f, 0xb6, 0x07);
    INSTRUCTION("movsx", 2, 0x48, 0x0f, 0xbe, 0x47, 0x10);
    INSTRUCTION("or", 2, 0x83, 0x0f, 0x80);
    INSTRUCTION("adc", 1, 0x11, 0x07);
    INSTRUCTION("test", 2, 0xf7, 0x07, 1, 2, 3, 4);
    INSTRUCTION("bts", 2, 0xf0, 0x0f, 0xba, 0x2f, 3);
    INSTRUCTION("xchg", 2, 0x87, 0x07);
    INSTRUCTION("rep-movs", 2, 0xf3, 0xa5);
    INSTRUCTION("rep-stos", 1, 0xf3, 0xaa);
    INSTRUCTION("lods", 2, 0x48, 0xad);
    INSTRUCTION("sib", 2, 0x8b, 0x84, 0x0f, 0x10, 0, 0, 0);
    INSTRUCTION("real", 0, 0x67, 0x89, 0x07);
}

/* ---- guest page tables ---- */

static void walk_prefix(unsigned flags, uint64_t cr3, uint32_t cr4, unsigned efer, uint64_t linear)
{
    put_8(flags);
    put_32(0x10000); /* CR0.WP */
    put_64(cr3);
    put_32(cr4);
    put_16(efer);
    put_32(2);
    put_8(40);
    put_64(linear);
}

static void walks(void)
{
    walk_prefix(1 | 1 << 4, 0x1000, 0x20, 0xd00, 0x1234);
    for (unsigned table = 1; table < 4; table++) { /* 8-byte entries: PML4, PDPT, page directory */
        put_16(0x8000 | table * 512);
        put_64((table + 1) * 0x1000 + 7);
    }
    put_16(0x8000 | 1);
    put_64(7);
    finish("guest_walk", "four-level");
    walk_prefix(1, 0x1000, 0x20, 0, 0x1234);
    put_16(0x8000 | 512);
    put_64(0x2001);
    put_16(0x8000 | 1024);
    put_64(0x87);
    finish("guest_walk", "pae");
    walk_prefix(1 | 3 << 2, 0x1000, 0x10, 0, 0x1234);
    put_16(1024);
    put_64(0x2007);
    put_16(2048 + 1);
    put_64(0x3007);
    finish("guest_walk", "two-level");
}

/* ---- the virtual PC: the UART's interrupt through the I/O APIC ---- */

enum { OP_PORT, OP_PORT_KNOWN, OP_IOAPIC, OP_MEMORY, OP_INPUT, OP_TIME };

static void out_8(unsigned port, unsigned value)
{
    put_8(OP_PORT);
    put_16(port);
    put_8(1);
    put_8(value);
}

static void ioapic_write(unsigned offset, uint32_t value)
{
    put_8(OP_IOAPIC);
    put_8(offset);
    put_8(1 | 2);
    put_32(value);
}

static void platform(void)
{
    put_8(0);
    ioapic_write(0, 0x10 + 2 * 4);
    ioapic_write(0x10, 0x31);
    out_8(0x3fc, 0x0b);
    out_8(0x3fa, 0x07);
    out_8(0x3f9, 0x03);
    out_8(0x3f8, 'x');
    put_8(OP_INPUT);
    put_8(3);
    put_text("abc");
    out_8(0x43, 0x34);
    out_8(0x40, 0x9c);
    out_8(0x40, 0x2e);
    out_8(0x70, 0x0b);
    out_8(0x71, 0x02);
    put_8(OP_TIME);
    put_8(20);
    put_8(200);
    out_8(0x604, 5 << 2 | 1 << 5);
    finish("platform", "uart");
}

/* ---- what earlier runs have found ---- */

/* One line: two digits a byte. */
static void put_hex(const char *path, unsigned number, const char *line)
{
    unsigned byte;
    int used = 0;
    for (; sscanf(line, "%2x%n", &byte, &used) == 1 && used == 2; line += used)
        put_8(byte);
    if (*line == '\n')
        return;
    fprintf(stderr, "make-seeds: %s:%u: '%.8s' is not two hexadecimal digits or the end of the line\n", path, number,
            line);
    exit(1);
}

static void found_inputs(const char *path)
{
    static char line[2 * SEED_MAX + 3];
    char target[64], name[32];
    const char *slash = strrchr(path, '/');
    snprintf(target, sizeof target, "%s", slash != NULL ? slash + 1 : path);
    char *dot = strstr(target, ".hex");
    FILE *file = fopen(path, "r");
    if (file == NULL || dot == NULL)
        fail(path);
    *dot = '\0';
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        put_hex(path, number, line);
        snprintf(name, sizeof name, "found-%u", number);
        finish(target, name);
    }
    fclose(file);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: make-seeds DIRECTORY [NAME.hex]...\n");
        return 1;
    }
    directory = argv[1];
    for (int i = 2; i < argc; i++)
        found_inputs(argv[i]);
    multiboot2();
    acpi();
    elf32();
    elf64();
    addresses();
    pvh();
    multiboot2_kernels();
    linux_kernel();
    instructions();
    walks();
    platform();
    return 0;
}
