/*
 * Reads the firmware's tables, which are foreign bytes: every address is looked up in the memory map before it is
 * read, every length has a limit, and a table counts only when its checksum is right.
 * ACPI specification 6.4, "Root System Description Pointer", "System Description Table Header", "FADT".
 */
#include "boot/acpi_reader.h"

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

    FADT_PM_TIMER = 76, /* a port */
    FADT_PM_TIMER_LENGTH = 91,
    FADT_FLAGS = 112,
    FADT_RESET_REGISTER = 116, /* a generic address: space, width, offset, access size, 64-bit address */
    FADT_RESET_VALUE = 128,
    FADT_RESET_SUPPORTED = 1 << 10,
    FADT_HARDWARE_REDUCED = 1 << 20,
    FADT_SPACE_IO = 1,
};

static uint8_t sum(const uint8_t *bytes, size_t size)
{
    uint8_t total = 0;
    for (size_t i = 0; i < size; i++)
        total = (uint8_t)(total + bytes[i]);
    return total;
}

bool acpi_rsdp_valid(const uint8_t *bytes, size_t size, const char *place, struct sink *errors)
{
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
    const struct machine_region *region = range_valid(range) ? machine_find_region(machine, range) : NULL;
    return region != NULL && region->kind != MEMORY_BAD;
}

static bool checksum_right(const struct acpi_table *table)
{
    uint8_t piece[64] = {0};
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
static bool read_header(struct acpi_reader *reader, uint64_t address, const char *where, uint8_t header[HEADER_SIZE])
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
static bool check_table(struct acpi_reader *reader, uint64_t address, const uint8_t header[HEADER_SIZE],
                        const char *signature, uint32_t size_min, struct acpi_table *out)
{
    uint32_t length = load32(header + 4);
    const char *wrong = NULL;
    *out = (struct acpi_table){address, length};
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

/* Where 32 bits of the timer are read; without ACPI's fixed hardware these fields mean nothing. */
static void read_pm_timer(struct acpi_reader *reader, const struct acpi_table *fadt)
{
    uint8_t fixed[FADT_FLAGS + 4 - FADT_PM_TIMER];
    if (fadt->length < FADT_FLAGS + 4)
        return;
    phys_read(hpa(fadt->address + FADT_PM_TIMER), fixed, sizeof fixed);
    uint32_t port = load32(fixed);
    if ((load32(fixed + (FADT_FLAGS - FADT_PM_TIMER)) & FADT_HARDWARE_REDUCED) == 0 &&
        fixed[FADT_PM_TIMER_LENGTH - FADT_PM_TIMER] == 4 && port <= UINT16_MAX)
        reader->out->pm_timer_port = (uint16_t)port;
}

/* A reset register in memory or PCI space is legal but not one that can be used from the panic path. */
static void read_reset_register(struct acpi_reader *reader, const struct acpi_table *fadt)
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
static void visit(struct acpi_reader *reader, uint64_t address, const char *root)
{
    uint8_t header[HEADER_SIZE];
    struct acpi_table table;
    if (!read_header(reader, address, root, header))
        return;
    if (!reader->has_madt && memcmp(header, "APIC", 4) == 0) {
        reader->has_madt = check_table(reader, address, header, "APIC", ACPI_MADT_ENTRIES, &table);
        if (reader->has_madt)
            acpi_madt_read(reader, &table);
    } else if (!reader->has_fadt && memcmp(header, "FACP", 4) == 0) {
        reader->has_fadt = check_table(reader, address, header, "FACP", HEADER_SIZE, &table);
        if (reader->has_fadt) {
            read_pm_timer(reader, &table);
            read_reset_register(reader, &table);
        }
    }
}

/* Goes through RSDT (4-byte entries) or XSDT (8-byte entries). False when it cannot be read. */
static bool read_root(struct acpi_reader *reader, uint64_t address, const char *signature, uint32_t entry_size)
{
    uint8_t header[HEADER_SIZE];
    struct acpi_table root;
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

static bool read_tables(struct acpi_reader *reader, const uint8_t *rsdp, size_t size)
{
    bool has_xsdt = rsdp[RSDP_REVISION] >= 2 && size >= ACPI_RSDP_SIZE_2;
    uint64_t xsdt = has_xsdt ? load64(rsdp + RSDP_XSDT) : 0;
    if (xsdt != 0 && read_root(reader, xsdt, "XSDT", 8))
        return true;
    return read_root(reader, load32(rsdp + RSDP_RSDT), "RSDT", 4);
}

bool acpi_parse(const void *rsdp, size_t size, uint32_t boot_apic_id, struct machine *out, struct sink *errors)
{
    struct acpi_reader reader = {.out = out, .errors = errors, .boot_apic_id = boot_apic_id};
    out->cpu_count = 1;
    out->cpus[0] = (struct machine_cpu){.apic_id = boot_apic_id, .online = true};
    out->ioapic_count = 0;
    out->has_reset_register = false;
    out->pm_timer_port = 0;

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
