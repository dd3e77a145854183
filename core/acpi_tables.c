/*
 * The guest's ACPI tables. The layouts are in core/acpi_format.h.
 *
 * The platform is hardware-reduced: no SCI, no PM1 blocks, no interrupt from an 8259. A direct partition's timer is its
 * CPU's own, and a guest that knows there is no legacy hardware does not go looking for it. The PM timer is not told
 * either: a guest would check its TSC against it twice a second, and each look is an exit. What is left of the PC: the
 * IOAPIC, the UART and the CMOS clock.
 */
#include "core/acpi_tables.h"

#include "core/acpi_format.h"
#include "core/aml.h"
#include "core/bytes.h"
#include "core/range.h"

#define OEM_ID        "RNGFNC"
#define OEM_TABLE_ID  "RINGFENC"
#define CREATOR_ID    "RNGF"
#define HYPERVISOR_ID "RINGFENC"

/* Appends tables; once one has not fitted, nothing more is written. */
struct writer {
    uint8_t *buffer;
    size_t size;
    size_t used;
    uint64_t at; /* guest-physical address of the buffer */
    bool full;
};

enum { TABLE_ALIGNMENT = 16 };

static void put(struct writer *w, const void *bytes, size_t size)
{
    if (w->full || size > w->size - w->used) {
        w->full = true;
        return;
    }
    memcpy(w->buffer + w->used, bytes, size);
    w->used += size;
}

/* Where the next table begins, as an offset. The buffer is zero, so skipping is padding. */
static size_t table_begin(struct writer *w)
{
    uint64_t next = w->used;
    if (!align_up(next, TABLE_ALIGNMENT, &next) || next > w->size) {
        w->full = true;
        return w->used;
    }
    w->used = (size_t)next;
    return w->used;
}

static struct acpi_header header(const char *signature, uint8_t revision)
{
    struct acpi_header h = {.revision = revision, .oem_revision = 1, .creator_revision = 1};
    memcpy(h.signature, signature, sizeof h.signature);
    memcpy(h.oem_id, OEM_ID, sizeof h.oem_id);
    memcpy(h.oem_table_id, OEM_TABLE_ID, sizeof h.oem_table_id);
    memcpy(h.creator_id, CREATOR_ID, sizeof h.creator_id);
    return h;
}

/* What makes the sum of all bytes 0. The field itself must be 0 before. */
static uint8_t checksum(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return (uint8_t)(0 - sum);
}

/* Length and checksum of the table that began at `begin` and ends here. Returns its guest-physical address. */
static uint64_t table_end(struct writer *w, size_t begin)
{
    if (!w->full) {
        uint32_t length = (uint32_t)(w->used - begin);
        uint8_t *table = w->buffer + begin;
        memcpy(table + offsetof(struct acpi_header, length), &length, sizeof length);
        table[offsetof(struct acpi_header, checksum)] = checksum(table, length);
    }
    return w->at + begin;
}

static void device_uart(struct aml *aml)
{
    size_t device = aml_device(aml, "COM1");
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0501"); /* 16550A-compatible */
    aml_name(aml, "_UID");
    aml_integer(aml, 1);
    aml_name(aml, "_CRS");
    size_t resources = aml_resources(aml);
    aml_io(aml, GUEST_UART_PORT, 8);
    aml_irq(aml, GUEST_UART_IRQ);
    aml_resources_end(aml, resources);
    aml_end(aml, device);
}

/* Described without an interrupt: otherwise a guest would assume IRQ 8. */
static void device_rtc(struct aml *aml)
{
    size_t device = aml_device(aml, "RTC0");
    aml_name(aml, "_HID");
    aml_eisa_id(aml, "PNP0B00"); /* AT real-time clock */
    aml_name(aml, "_CRS");
    size_t resources = aml_resources(aml);
    aml_io(aml, GUEST_RTC_PORT, 2);
    aml_resources_end(aml, resources);
    aml_end(aml, device);
}

/* Name (_S5, Package () {type, type, 0, 0}): what to write to sleep into S5. */
static void sleep_s5(struct aml *aml)
{
    aml_name(aml, "_S5_");
    size_t package = aml_package(aml, 4);
    aml_integer(aml, GUEST_SLEEP_TYPE_S5);
    aml_integer(aml, GUEST_SLEEP_TYPE_S5);
    aml_integer(aml, 0);
    aml_integer(aml, 0);
    aml_end(aml, package);
}

static uint64_t dsdt_write(struct writer *w, const struct acpi_guest *guest)
{
    size_t begin = table_begin(w);
    struct acpi_header h = header("DSDT", 2);
    put(w, &h, sizeof h);
    struct aml aml = {.at = w->buffer + w->used, .size = w->size - w->used, .full = w->full};
    size_t scope = aml_scope(&aml, "\\_SB_");
    if (guest->has_uart)
        device_uart(&aml);
    device_rtc(&aml);
    aml_end(&aml, scope);
    sleep_s5(&aml);
    w->used += aml.used;
    w->full = aml.full;
    return table_end(w, begin);
}

static struct acpi_address io_byte(uint16_t port)
{
    return (struct acpi_address){
        .space = ACPI_SPACE_IO, .bit_width = 8, .access_size = ACPI_ACCESS_BYTE, .address = port};
}

static uint64_t fadt_write(struct writer *w, uint64_t dsdt)
{
    size_t begin = table_begin(w);
    struct acpi_fadt fadt = {
        .header = header("FACP", FADT_REVISION),
        .dsdt = (uint32_t)dsdt,
        .iapc_boot_arch = IAPC_VGA_NOT_PRESENT,
        .flags = FADT_WBINVD | FADT_PROC_C1 | FADT_PWR_BUTTON | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_RESET_REG_SUP |
                 FADT_HW_REDUCED_ACPI,
        .reset_register = io_byte(GUEST_RESET_PORT),
        .reset_value = GUEST_RESET_VALUE,
        .minor_version = FADT_MINOR_VERSION,
        .x_dsdt = dsdt,
        .sleep_control = io_byte(GUEST_SLEEP_CONTROL_PORT),
        .sleep_status = io_byte(GUEST_SLEEP_STATUS_PORT),
    };
    memcpy(fadt.hypervisor_id, HYPERVISOR_ID, sizeof fadt.hypervisor_id);
    put(w, &fadt, sizeof fadt);
    return table_end(w, begin);
}

static void madt_put_cpu(struct writer *w, uint32_t uid, uint32_t apic_id)
{
    if (apic_id < MADT_X2APIC_FIRST_ID && uid <= UINT8_MAX) {
        struct madt_local_apic entry = {.type = MADT_LOCAL_APIC,
                                        .length = sizeof entry,
                                        .uid = (uint8_t)uid,
                                        .apic_id = (uint8_t)apic_id,
                                        .flags = MADT_ENABLED};
        put(w, &entry, sizeof entry);
        return;
    }
    struct madt_local_x2apic entry = {
        .type = MADT_LOCAL_X2APIC, .length = sizeof entry, .x2apic_id = apic_id, .flags = MADT_ENABLED, .uid = uid};
    put(w, &entry, sizeof entry);
}

/* No interrupt source overrides: ISA interrupt n is IOAPIC input n, edge-triggered and active high, as the bus says. */
static uint64_t madt_write(struct writer *w, const struct acpi_guest *guest)
{
    size_t begin = table_begin(w);
    struct acpi_madt madt = {.header = header("APIC", 5), .local_apic = GUEST_LAPIC_BASE};
    put(w, &madt, sizeof madt);
    for (uint32_t i = 0; i < guest->cpu_count; i++)
        madt_put_cpu(w, i, guest->apic_ids[i]);
    struct madt_ioapic ioapic = {
        .type = MADT_IOAPIC, .length = sizeof ioapic, .id = GUEST_IOAPIC_ID, .address = GUEST_IOAPIC_BASE};
    put(w, &ioapic, sizeof ioapic);
    return table_end(w, begin);
}

/* What a driver does for each action: all of a register of its own, so that nothing must be preserved. */
static const struct {
    enum wdat_action action;
    enum wdat_instruction instruction;
    uint8_t offset; /* of the register, from GUEST_WATCHDOG_PORT */
    uint8_t size;
    uint32_t value;
} wdat_rows[] = {
    {WDAT_RESET, WDAT_WRITE_VALUE, GUEST_WATCHDOG_RELOAD, 1, 1},
    {WDAT_QUERY_CURRENT_COUNTDOWN, WDAT_READ_COUNTDOWN, GUEST_WATCHDOG_LEFT, 4, 0},
    {WDAT_QUERY_COUNTDOWN, WDAT_READ_COUNTDOWN, GUEST_WATCHDOG_COUNT, 4, 0},
    {WDAT_SET_COUNTDOWN, WDAT_WRITE_COUNTDOWN, GUEST_WATCHDOG_COUNT, 4, 0},
    {WDAT_QUERY_RUNNING, WDAT_READ_VALUE, GUEST_WATCHDOG_CONTROL, 1, GUEST_WATCHDOG_RUNNING},
    {WDAT_SET_RUNNING, WDAT_WRITE_VALUE, GUEST_WATCHDOG_CONTROL, 1, GUEST_WATCHDOG_RUNNING},
    {WDAT_QUERY_STOPPED, WDAT_READ_VALUE, GUEST_WATCHDOG_CONTROL, 1, 0},
    {WDAT_SET_STOPPED, WDAT_WRITE_VALUE, GUEST_WATCHDOG_CONTROL, 1, 0},
    {WDAT_QUERY_STATUS, WDAT_READ_VALUE, GUEST_WATCHDOG_STATUS, 1, GUEST_WATCHDOG_CAUSED_START},
    {WDAT_SET_STATUS, WDAT_WRITE_VALUE, GUEST_WATCHDOG_STATUS, 1, GUEST_WATCHDOG_CAUSED_START},
};

static void wdat_put_row(struct writer *w, size_t row)
{
    bool wide = wdat_rows[row].size == 4;
    struct wdat_entry entry = {
        .action = (uint8_t)wdat_rows[row].action,
        .instruction = (uint8_t)wdat_rows[row].instruction,
        .at = {.space = ACPI_SPACE_IO,
               .bit_width = (uint8_t)(8 * wdat_rows[row].size),
               .access_size = wide ? ACPI_ACCESS_DWORD : ACPI_ACCESS_BYTE,
               .address = (uint64_t)GUEST_WATCHDOG_PORT + wdat_rows[row].offset},
        .value = wdat_rows[row].value,
        .mask = wide ? UINT32_MAX : UINT8_MAX,
    };
    put(w, &entry, sizeof entry);
}

static uint64_t wdat_write(struct writer *w)
{
    size_t begin = table_begin(w);
    struct acpi_wdat wdat = {
        .header = header("WDAT", WDAT_REVISION),
        .watchdog_length = WDAT_LENGTH,
        .pci_segment = UINT8_MAX, /* no more than that in 16 bits: what drivers compare with */
        .pci_bus = UINT8_MAX,
        .pci_device = UINT8_MAX,
        .pci_function = UINT8_MAX,
        .period = GUEST_WATCHDOG_PERIOD_MS,
        .max_count = GUEST_WATCHDOG_MAX,
        .min_count = GUEST_WATCHDOG_MIN,
        .flags = WDAT_ENABLED | WDAT_STOPPED_IN_SLEEP,
        .entries = array_size(wdat_rows),
    };
    put(w, &wdat, sizeof wdat);
    for (size_t i = 0; i < array_size(wdat_rows); i++)
        wdat_put_row(w, i);
    return table_end(w, begin);
}

static uint64_t xsdt_write(struct writer *w, uint64_t fadt, uint64_t madt, uint64_t wdat)
{
    size_t begin = table_begin(w);
    struct acpi_xsdt xsdt = {.header = header("XSDT", 1), .entries = {fadt, madt, wdat}};
    put(w, &xsdt, sizeof xsdt);
    return table_end(w, begin);
}

/* The RSDP comes first in memory and last in time: it points to all the rest. */
static void rsdp_fill(struct writer *w, uint64_t xsdt)
{
    struct acpi_rsdp rsdp = {.revision = 2, .length = sizeof rsdp, .xsdt = xsdt};
    memcpy(rsdp.signature, "RSD PTR ", sizeof rsdp.signature);
    memcpy(rsdp.oem_id, OEM_ID, sizeof rsdp.oem_id);
    rsdp.checksum = checksum((const uint8_t *)&rsdp, offsetof(struct acpi_rsdp, length));
    rsdp.extended_checksum = checksum((const uint8_t *)&rsdp, sizeof rsdp);
    memcpy(w->buffer, &rsdp, sizeof rsdp);
}

size_t acpi_tables_build(const struct acpi_guest *guest, gpa_t at, void *buffer, size_t size, gpa_t *rsdp)
{
    if (!is_aligned(at.raw, TABLE_ALIGNMENT) || at.raw > UINT32_MAX || size > UINT32_MAX - at.raw ||
        size < sizeof(struct acpi_rsdp))
        return 0;
    memset(buffer, 0, size);
    struct writer w = {.buffer = buffer, .size = size, .used = sizeof(struct acpi_rsdp), .at = at.raw};
    uint64_t dsdt = dsdt_write(&w, guest);
    uint64_t fadt = fadt_write(&w, dsdt);
    uint64_t madt = madt_write(&w, guest);
    uint64_t wdat = wdat_write(&w);
    uint64_t xsdt = xsdt_write(&w, fadt, madt, wdat);
    if (w.full)
        return 0;
    rsdp_fill(&w, xsdt);
    *rsdp = at;
    return w.used;
}
