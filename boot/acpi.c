/*
 * Reads the firmware's tables, which are foreign bytes: every address is looked up in the memory map before it is
 * read, every length has a limit, and a table counts only when its checksum is right.
 * ACPI specification 6.4, "Root System Description Pointer", "System Description Table Header", "MADT", "FADT".
 */
#include "boot/acpi.h"

#include "core/bytes.h"
#include "core/phys.h"

enum {
    HEADER_SIZE = 36,
    TABLE_MAX_SIZE = 256 * 1024, /* the largest MADT in the field is a few tens of KiB */
    TABLES_MAX = 256,            /* entries of the RSDT or XSDT that are looked at */

    RSDP_REVISION = 15,
    RSDP_RSDT = 16,
    RSDP_LENGTH = 20,
    RSDP_XSDT = 24,

    MADT_ENTRIES = 44,
    MADT_LOCAL_APIC = 0,
    MADT_IOAPIC = 1,
    MADT_X2APIC = 9,
    MADT_ENTRY_MAX_USED = 16, /* bytes of the longest entry that is understood */
    MADT_ENABLED = 1 << 0,

    FADT_FLAGS = 112,
    FADT_RESET_REGISTER = 116, /* a generic address: space, width, offset, access size, 64-bit address */
    FADT_RESET_VALUE = 128,
    FADT_RESET_SUPPORTED = 1 << 10,
    FADT_SPACE_IO = 1,

    XAPIC_BROADCAST = 0xff,
};
#define X2APIC_BROADCAST 0xffffffffu

/* A table that was found good: its whole length lies in the memory map and sums to 0. */
struct table {
    uint64_t address;
    uint32_t length;
};

struct reader {
    struct machine *out;
    struct sink *errors;
    uint32_t boot_apic_id;
    bool boot_cpu_named;
    bool too_many_cpus; /* each is said once */
    bool too_many_ioapics;
    bool has_madt;
    bool has_fadt;
};

static uint8_t sum(const uint8_t *bytes, size_t size)
{
    uint8_t total = 0;
    for (size_t i = 0; i < size; i++)
        total = (uint8_t)(total + bytes[i]);
    return total;
}

bool acpi_rsdp_valid(const void *rsdp, size_t size, const char *place, struct sink *errors)
{
    const uint8_t *bytes = rsdp;
    if (size < ACPI_RSDP_SIZE_1) {
        sink_print(errors, "%s: RSDP of %zu bytes, expected %d or more\n", place, size, ACPI_RSDP_SIZE_1);
        return false;
    }
    if (memcmp(bytes, "RSD PTR ", 8) != 0) {
        sink_print(errors, "%s: no RSDP, expected the signature 'RSD PTR '\n", place);
        return false;
    }
    if (sum(bytes, ACPI_RSDP_SIZE_1) != 0) {
        sink_print(errors, "%s: RSDP bytes sum to 0x%02x, expected 0\n", place, sum(bytes, ACPI_RSDP_SIZE_1));
        return false;
    }
    if (bytes[RSDP_REVISION] < 2 || size < ACPI_RSDP_SIZE_2)
        return true; /* only the RSDT's address will be used */
    /* A later revision may be longer than what was handed over; the first part has its own sum above. */
    uint32_t length = load32(bytes + RSDP_LENGTH);
    if (length < ACPI_RSDP_SIZE_2) {
        sink_print(errors, "%s: RSDP length %u, expected %d or more\n", place, length, ACPI_RSDP_SIZE_2);
        return false;
    }
    if (length <= size && sum(bytes, length) != 0) {
        sink_print(errors, "%s: RSDP extended checksum sums to 0x%02x, expected 0\n", place, sum(bytes, length));
        return false;
    }
    return true;
}

/* Only what the memory map names is read: a wild pointer must not reach a device's registers. */
static bool readable(const struct machine *machine, struct range range)
{
    if (!range_valid(range))
        return false;
    for (uint32_t i = 0; i < machine->region_count; i++)
        if (machine->regions[i].kind != MEMORY_BAD && range_includes(machine->regions[i].range, range))
            return true;
    return false;
}

static bool checksum_right(const struct table *table)
{
    uint8_t piece[64];
    uint8_t total = 0;
    for (uint32_t done = 0; done < table->length;) {
        uint32_t size = table->length - done < sizeof piece ? table->length - done : (uint32_t)sizeof piece;
        phys_read(hpa(table->address + done), piece, size);
        total = (uint8_t)(total + sum(piece, size));
        done += size;
    }
    return total == 0;
}

/* Reads a table's header without judging the rest. False with a line when even that cannot be read. */
static bool read_header(struct reader *reader, uint64_t address, const char *where, uint8_t header[HEADER_SIZE])
{
    if (!readable(reader->out, (struct range){address, HEADER_SIZE})) {
        sink_print(reader->errors, "ACPI: %s points to 0x%llx, expected an address inside the memory map\n", where,
                   (unsigned long long)address);
        return false;
    }
    phys_read(hpa(address), header, HEADER_SIZE);
    return true;
}

/* Accepts the table whose header was read, or says in one line why not. */
static bool check_table(struct reader *reader, uint64_t address, const uint8_t header[HEADER_SIZE],
                        const char *signature, uint32_t size_min, struct table *out)
{
    uint32_t length = load32(header + 4);
    const char *wrong = NULL;
    *out = (struct table){address, length};
    if (memcmp(header, signature, 4) != 0)
        wrong = "another signature";
    else if (length < size_min || length > TABLE_MAX_SIZE)
        wrong = "a length out of range";
    else if (!readable(reader->out, (struct range){address, length}))
        wrong = "a part outside the memory map";
    else if (!checksum_right(out))
        wrong = "a wrong checksum";
    if (wrong == NULL)
        return true;
    sink_print(reader->errors, "ACPI: table at 0x%llx of %u bytes has %s, expected a %s of %u to %d bytes\n",
               (unsigned long long)address, length, wrong, signature, size_min, TABLE_MAX_SIZE);
    return false;
}

/* Takes one CPU in; the boot CPU already stands at 0. Firmware lists some CPUs in both formats: the first one counts.
 */
static void add_cpu(struct reader *reader, uint32_t apic_id, uint32_t uid)
{
    struct machine *out = reader->out;
    if (apic_id == reader->boot_apic_id) {
        if (!reader->boot_cpu_named)
            out->cpus[0].acpi_uid = uid;
        reader->boot_cpu_named = true;
        return;
    }
    for (uint32_t i = 0; i < out->cpu_count; i++)
        if (out->cpus[i].apic_id == apic_id)
            return;
    if (out->cpu_count < MACHINE_MAX_CPUS) {
        out->cpus[out->cpu_count++] = (struct machine_cpu){.apic_id = apic_id, .acpi_uid = uid};
        return;
    }
    if (!reader->too_many_cpus)
        sink_print(reader->errors, "ACPI: MADT names more than %d CPUs: APIC id %u and later ones are not used\n",
                   MACHINE_MAX_CPUS, apic_id);
    reader->too_many_cpus = true;
}

static void add_ioapic(struct reader *reader, uint32_t address, uint32_t gsi_base)
{
    struct machine *out = reader->out;
    if (address == 0 || !is_aligned(address, 16)) {
        sink_print(reader->errors, "ACPI: MADT has an IOAPIC at 0x%x, expected an address aligned to 16\n", address);
        return;
    }
    for (uint32_t i = 0; i < out->ioapic_count; i++)
        if (out->ioapics[i].address == address)
            return;
    if (out->ioapic_count < MACHINE_MAX_IOAPICS) {
        out->ioapics[out->ioapic_count++] = (struct machine_ioapic){address, gsi_base};
        return;
    }
    if (!reader->too_many_ioapics)
        sink_print(reader->errors, "ACPI: MADT names more than %d IOAPICs: that at 0x%x and later ones are not used\n",
                   MACHINE_MAX_IOAPICS, address);
    reader->too_many_ioapics = true;
}

/* The least length of an entry whose content is used, else that of type and length alone. */
static uint32_t madt_entry_size(uint8_t type)
{
    switch (type) {
    case MADT_LOCAL_APIC:
        return 8;
    case MADT_IOAPIC:
        return 12;
    case MADT_X2APIC:
        return 16;
    default:
        return 2;
    }
}

/* `entry` holds madt_entry_size bytes. CPUs that could be plugged in later are not there now. */
static void take_madt_entry(struct reader *reader, const uint8_t *entry)
{
    switch (entry[0]) {
    case MADT_LOCAL_APIC:
        if ((load32(entry + 4) & MADT_ENABLED) != 0 && entry[3] != XAPIC_BROADCAST)
            add_cpu(reader, entry[3], entry[2]);
        break;
    case MADT_X2APIC:
        if ((load32(entry + 8) & MADT_ENABLED) != 0 && load32(entry + 4) != X2APIC_BROADCAST)
            add_cpu(reader, load32(entry + 4), load32(entry + 12));
        break;
    case MADT_IOAPIC:
        add_ioapic(reader, load32(entry + 4), load32(entry + 8));
        break;
    default:
        break;
    }
}

static void read_madt(struct reader *reader, const struct table *madt)
{
    uint8_t entry[MADT_ENTRY_MAX_USED];
    uint32_t at = MADT_ENTRIES;
    while (at < madt->length) {
        uint32_t left = madt->length - at;
        entry[1] = 0;
        if (left >= 2)
            phys_read(hpa(madt->address + at), entry, 2);
        uint32_t length = entry[1];
        if (left < 2 || length < madt_entry_size(entry[0]) || length > left) {
            sink_print(reader->errors, "ACPI: MADT entry at offset %u has length %u of %u left: the rest is not read\n",
                       at, length, left);
            return;
        }
        phys_read(hpa(madt->address + at), entry, madt_entry_size(entry[0]));
        take_madt_entry(reader, entry);
        at += length;
    }
}

/* A reset register in memory or PCI space is legal but not one that can be used from the panic path. */
static void read_fadt(struct reader *reader, const struct table *fadt)
{
    uint8_t reset[FADT_RESET_VALUE + 1 - FADT_FLAGS];
    if (fadt->length < FADT_RESET_VALUE + 1)
        return; /* ACPI 1.0: no such register */
    phys_read(hpa(fadt->address + FADT_FLAGS), reset, sizeof reset);
    const uint8_t *address = reset + (FADT_RESET_REGISTER - FADT_FLAGS);
    if ((load32(reset) & FADT_RESET_SUPPORTED) == 0 || address[0] != FADT_SPACE_IO)
        return;
    uint64_t port = load64(address + 4);
    if (port == 0 || port > UINT16_MAX || address[1] != 8 || address[2] != 0) {
        sink_print(reader->errors, "ACPI: FADT reset register at port 0x%llx, %u bits, expected 8 bits below 0x10000\n",
                   (unsigned long long)port, address[1]);
        return;
    }
    reader->out->has_reset_register = true;
    reader->out->reset_port = (uint16_t)port;
    reader->out->reset_value = reset[FADT_RESET_VALUE - FADT_FLAGS];
}

/* Looks at one table that the root names; the first good one of each kind counts. */
static void visit(struct reader *reader, uint64_t address, const char *root)
{
    uint8_t header[HEADER_SIZE];
    struct table table;
    if (!read_header(reader, address, root, header))
        return;
    if (!reader->has_madt && memcmp(header, "APIC", 4) == 0) {
        reader->has_madt = check_table(reader, address, header, "APIC", MADT_ENTRIES, &table);
        if (reader->has_madt)
            read_madt(reader, &table);
    } else if (!reader->has_fadt && memcmp(header, "FACP", 4) == 0) {
        reader->has_fadt = check_table(reader, address, header, "FACP", HEADER_SIZE, &table);
        if (reader->has_fadt)
            read_fadt(reader, &table);
    }
}

/* Goes through RSDT (4-byte entries) or XSDT (8-byte entries). False when it cannot be read. */
static bool read_root(struct reader *reader, uint64_t address, const char *signature, uint32_t entry_size)
{
    uint8_t header[HEADER_SIZE];
    struct table root;
    if (!read_header(reader, address, "RSDP", header) ||
        !check_table(reader, address, header, signature, HEADER_SIZE, &root))
        return false;
    uint32_t count = (root.length - HEADER_SIZE) / entry_size;
    if (count > TABLES_MAX) {
        sink_print(reader->errors, "ACPI: %s names %u tables, expected at most %d: the rest is not read\n", signature,
                   count, TABLES_MAX);
        count = TABLES_MAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t entry[8] = {0};
        phys_read(hpa(root.address + HEADER_SIZE + (uint64_t)i * entry_size), entry, entry_size);
        if (load64(entry) != 0) /* some firmware leaves empty slots */
            visit(reader, load64(entry), signature);
    }
    return true;
}

static bool read_tables(struct reader *reader, const uint8_t *rsdp, size_t size)
{
    bool has_xsdt = rsdp[RSDP_REVISION] >= 2 && size >= ACPI_RSDP_SIZE_2;
    uint64_t xsdt = has_xsdt ? load64(rsdp + RSDP_XSDT) : 0;
    if (xsdt != 0 && read_root(reader, xsdt, "XSDT", 8))
        return true;
    return read_root(reader, load32(rsdp + RSDP_RSDT), "RSDT", 4);
}

bool acpi_parse(const void *rsdp, size_t size, uint32_t boot_apic_id, struct machine *out, struct sink *errors)
{
    struct reader reader = {.out = out, .errors = errors, .boot_apic_id = boot_apic_id};
    out->cpu_count = 1;
    out->cpus[0] = (struct machine_cpu){.apic_id = boot_apic_id, .online = true};
    out->ioapic_count = 0;
    out->has_reset_register = false;

    if (size == 0) {
        sink_print(errors, "ACPI: no RSDP: only the boot CPU can be used\n");
        return false;
    }
    if (!acpi_rsdp_valid(rsdp, size, "ACPI", errors) || !read_tables(&reader, rsdp, size))
        return false;
    if (!reader.has_madt)
        sink_print(errors, "ACPI: no usable MADT: only the boot CPU can be used\n");
    else if (!reader.boot_cpu_named)
        sink_print(errors, "ACPI: MADT does not name the boot CPU, APIC id %u: it is used as CPU 0\n", boot_apic_id);
    return reader.has_madt;
}
