/*
 * The guest's ACPI tables: constants, but for the CPUs and the console. The layouts are in core/acpi_format.h.
 *
 * The platform is hardware-reduced: no SCI, no PM1 blocks, no interrupt from an 8259. A direct partition's timer is its
 * CPU's own, and a guest that knows there is no legacy hardware does not go looking for it. The PM timer is not told
 * either: a guest would check its TSC against it twice a second, and each look is an exit. What is left of the PC: the
 * IOAPIC, the UART and the CMOS clock.
 */
#include "core/acpi_tables.h"

#include "core/acpi_format.h"
#include "core/bytes.h"
#include "core/config.h"

#define OEM_ID "RNGFNC"

#define HEADER(name, version, bytes)                                                                                   \
    {                                                                                                                  \
        .signature = (name), .length = (bytes), .revision = (version), .oem_id = OEM_ID, .oem_table_id = "RINGFENC",   \
        .oem_revision = 1, .creator_id = "RNGF", .creator_revision = 1                                                 \
    }

/* A register in I/O space, of 1 or 4 bytes. */
#define IO_REGISTER(port, size)                                                                                        \
    {                                                                                                                  \
        .space = ACPI_SPACE_IO, .bit_width = 8 * (size), .address = (port),                                            \
        .access_size = (size) == 4 ? ACPI_ACCESS_DWORD : ACPI_ACCESS_BYTE                                              \
    }

/* What a driver does for an action: all of a register of its own, so that nothing must be preserved. */
#define WATCHDOG(act, how, offset, size, number)                                                                       \
    {                                                                                                                  \
        .action = WDAT_##act, .instruction = WDAT_##how, .at = IO_REGISTER(GUEST_WATCHDOG_PORT + (offset), size),      \
        .value = (number), .mask = (size) == 4 ? UINT32_MAX : UINT8_MAX                                                \
    }

#define BYTES(word) (word) & 0xff, (word) >> 8

/*
 * The DSDT in bytes (ACPI, "AML Byte Stream Byte Values" and "Small Resource Data Type"). The byte after an opcode of a
 * scope, device, package or buffer is the length from there on; a template ends in a checksum of 0: take it as correct.
 * That they say what stands beside them, iasl tells the unit test.
 */
#define AML_IO(port, count) 0x47, 1, BYTES(port), BYTES(port), 1, (count) /* decodes 16 bits, cannot be moved */
#define AML_IRQ(irq)        0x22, BYTES(1 << (irq))                       /* edge-triggered, active high, exclusive */

struct devices {
    uint8_t uart[52]; /* first: without it the others move up */
    uint8_t rtc[43];
    uint8_t sleep[14];
};

static_assert(GUEST_SLEEP_TYPE_S5 > 1 && GUEST_SLEEP_TYPE_S5 <= UINT8_MAX, "a byte with its prefix");
static_assert(GUEST_UART_IRQ < 16, "the bit of a word");

/* Where each table lies. The MADT comes last, since it has as many entries as there are CPUs. */
#define TABLE __attribute__((aligned(16)))
struct tables {
    struct acpi_rsdp rsdp; /* first: a guest that scans 0xe0000 to 0xfffff in steps of 16 finds it */
    struct acpi_xsdt xsdt TABLE;
    struct acpi_fadt fadt TABLE;
    struct {
        struct acpi_wdat head;
        struct wdat_entry entries[10];
    } wdat TABLE;
    struct {
        struct acpi_header header;
        struct devices devices;
    } dsdt TABLE;
    struct acpi_madt madt TABLE;
};
static_assert(sizeof(struct tables) + CONFIG_MAX_CPUS * sizeof(struct madt_local_x2apic) + sizeof(struct madt_ioapic) <=
                  sizeof(struct acpi_tables),
              "room for every partition's");

static const struct tables template = {
    .rsdp = {.signature = "RSD PTR ", .oem_id = OEM_ID, .revision = 2, .length = sizeof(struct acpi_rsdp)},
    .xsdt = {.header = HEADER("XSDT", 1, sizeof(struct acpi_xsdt))},
    .fadt = {.header = HEADER("FACP", FADT_REVISION, sizeof(struct acpi_fadt)),
             .iapc_boot_arch = IAPC_VGA_NOT_PRESENT,
             .flags = FADT_WBINVD | FADT_PROC_C1 | FADT_PWR_BUTTON | FADT_SLP_BUTTON | FADT_FIX_RTC |
                      FADT_RESET_REG_SUP | FADT_HW_REDUCED_ACPI,
             .reset_register = IO_REGISTER(GUEST_RESET_PORT, 1),
             .reset_value = GUEST_RESET_VALUE,
             .minor_version = FADT_MINOR_VERSION,
             .sleep_control = IO_REGISTER(GUEST_SLEEP_CONTROL_PORT, 1),
             .sleep_status = IO_REGISTER(GUEST_SLEEP_STATUS_PORT, 1),
             .hypervisor_id = "RINGFENC"},
    .wdat = {.head = {.header = HEADER("WDAT", WDAT_REVISION, sizeof template.wdat),
                      .watchdog_length = WDAT_LENGTH,
                      .pci_segment = UINT8_MAX, /* no more than that in 16 bits: what drivers compare with */
                      .pci_bus = UINT8_MAX,
                      .pci_device = UINT8_MAX,
                      .pci_function = UINT8_MAX,
                      .period = GUEST_WATCHDOG_PERIOD_MS,
                      .max_count = GUEST_WATCHDOG_MAX,
                      .min_count = GUEST_WATCHDOG_MIN,
                      .flags = WDAT_ENABLED | WDAT_STOPPED_IN_SLEEP,
                      .entries = array_size(template.wdat.entries)},
             .entries = {WATCHDOG(RESET, WRITE_VALUE, GUEST_WATCHDOG_RELOAD, 1, 1),
                         WATCHDOG(QUERY_CURRENT_COUNTDOWN, READ_COUNTDOWN, GUEST_WATCHDOG_LEFT, 4, 0),
                         WATCHDOG(QUERY_COUNTDOWN, READ_COUNTDOWN, GUEST_WATCHDOG_COUNT, 4, 0),
                         WATCHDOG(SET_COUNTDOWN, WRITE_COUNTDOWN, GUEST_WATCHDOG_COUNT, 4, 0),
                         WATCHDOG(QUERY_RUNNING, READ_VALUE, GUEST_WATCHDOG_CONTROL, 1, GUEST_WATCHDOG_RUNNING),
                         WATCHDOG(SET_RUNNING, WRITE_VALUE, GUEST_WATCHDOG_CONTROL, 1, GUEST_WATCHDOG_RUNNING),
                         WATCHDOG(QUERY_STOPPED, READ_VALUE, GUEST_WATCHDOG_CONTROL, 1, 0),
                         WATCHDOG(SET_STOPPED, WRITE_VALUE, GUEST_WATCHDOG_CONTROL, 1, 0),
                         WATCHDOG(QUERY_STATUS, READ_VALUE, GUEST_WATCHDOG_STATUS, 1, GUEST_WATCHDOG_CAUSED_START),
                         WATCHDOG(SET_STATUS, WRITE_VALUE, GUEST_WATCHDOG_STATUS, 1, GUEST_WATCHDOG_CAUSED_START)}},
    /* clang-format off */
    .dsdt = {.header = HEADER("DSDT", 2, sizeof template.dsdt), .devices = {
        .uart = {0x10, 51, '\\', '_', 'S', 'B', '_',                      /* Scope (\_SB) */
                 0x5b, 0x82, 43, 'C', 'O', 'M', '1',                      /* Device (COM1) */
                 0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x05, 0x01,  /* Name (_HID, EisaId ("PNP0501")): 16550A */
                 0x08, '_', 'U', 'I', 'D', 1,                             /* Name (_UID, 1) */
                 0x08, '_', 'C', 'R', 'S', 0x11, 16, 0x0a, 13,            /* Name (_CRS, ResourceTemplate () */
                 AML_IO(GUEST_UART_PORT, 8), AML_IRQ(GUEST_UART_IRQ), 0x79, 0},
        /* Described without an interrupt: otherwise a guest would assume IRQ 8. */
        .rtc = {0x10, 42, '\\', '_', 'S', 'B', '_',                       /* Scope (\_SB) */
                0x5b, 0x82, 34, 'R', 'T', 'C', '0',                       /* Device (RTC0) */
                0x08, '_', 'H', 'I', 'D', 0x0c, 0x41, 0xd0, 0x0b, 0x00,   /* Name (_HID, EisaId ("PNP0B00")) */
                0x08, '_', 'C', 'R', 'S', 0x11, 13, 0x0a, 10,             /* Name (_CRS, ResourceTemplate () */
                AML_IO(GUEST_RTC_PORT, 2), 0x79, 0},
        /* Name (_S5, Package () {type, type, 0, 0}): what to write to sleep into S5 */
        .sleep = {0x08, '_', 'S', '5', '_', 0x12, 8, 4, 0x0a, GUEST_SLEEP_TYPE_S5, 0x0a, GUEST_SLEEP_TYPE_S5, 0, 0}}},
    /* clang-format on */
    .madt = {.header = HEADER("APIC", 5, 0), .local_apic = GUEST_LAPIC_BASE},
};

static uint8_t *put(uint8_t *to, const void *bytes, size_t size) { return (uint8_t *)memcpy(to, bytes, size) + size; }

static uint8_t *put_cpu(uint8_t *to, uint32_t uid, uint32_t apic_id)
{
    if (apic_id < MADT_X2APIC_FIRST_ID && uid <= UINT8_MAX) {
        struct madt_local_apic entry = {.type = MADT_LOCAL_APIC,
                                        .length = sizeof entry,
                                        .uid = (uint8_t)uid,
                                        .apic_id = (uint8_t)apic_id,
                                        .flags = MADT_ENABLED};
        return put(to, &entry, sizeof entry);
    }
    struct madt_local_x2apic entry = {
        .type = MADT_LOCAL_X2APIC, .length = sizeof entry, .x2apic_id = apic_id, .flags = MADT_ENABLED, .uid = uid};
    return put(to, &entry, sizeof entry);
}

/* No interrupt source overrides: ISA interrupt n is IOAPIC input n, edge-triggered and active high, as the bus says. */
static uint8_t *put_interrupts(uint8_t *to, const struct acpi_guest *guest)
{
    for (uint32_t i = 0; i < guest->cpu_count; i++)
        to = put_cpu(to, i, guest->apic_ids[i]);
    struct madt_ioapic ioapic = {
        .type = MADT_IOAPIC, .length = sizeof ioapic, .id = GUEST_IOAPIC_ID, .address = GUEST_IOAPIC_BASE};
    return put(to, &ioapic, sizeof ioapic);
}

/* What makes the sum of all bytes 0. The field itself must be 0 before. */
static uint8_t checksum(const void *table, size_t size)
{
    const uint8_t *bytes = table;
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return (uint8_t)(0 - sum);
}

static void seal(struct acpi_header *header) { header->checksum = checksum(header, header->length); }

size_t acpi_tables_build(const struct acpi_guest *guest, gpa_t at, struct acpi_tables *out)
{
    struct tables *t = (struct tables *)out->bytes;
    memset(out, 0, sizeof *out);
    *t = template;
    t->rsdp.xsdt = at.raw + offsetof(struct tables, xsdt);
    t->xsdt.entries[0] = at.raw + offsetof(struct tables, fadt);
    t->xsdt.entries[1] = at.raw + offsetof(struct tables, madt);
    t->xsdt.entries[2] = at.raw + offsetof(struct tables, wdat);
    t->fadt.x_dsdt = at.raw + offsetof(struct tables, dsdt);
    t->fadt.dsdt = (uint32_t)t->fadt.x_dsdt;
    if (!guest->has_uart) {
        uint8_t *devices = t->dsdt.devices.uart;
        memmove(devices, devices + sizeof t->dsdt.devices.uart, sizeof t->dsdt.devices - sizeof t->dsdt.devices.uart);
        t->dsdt.header.length -= (uint32_t)sizeof t->dsdt.devices.uart;
    }
    uint8_t *end = put_interrupts((uint8_t *)(&t->madt + 1), guest);
    t->madt.header.length = (uint32_t)(end - (uint8_t *)&t->madt);

    seal(&t->xsdt.header);
    seal(&t->fadt.header);
    seal(&t->wdat.head.header);
    seal(&t->dsdt.header);
    seal(&t->madt.header);
    t->rsdp.checksum = checksum(&t->rsdp, offsetof(struct acpi_rsdp, length));
    t->rsdp.extended_checksum = checksum(&t->rsdp, sizeof t->rsdp);
    return (size_t)(end - out->bytes);
}
