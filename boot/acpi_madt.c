/*
 * The MADT: which CPUs and IOAPICs the box has.
 * ACPI specification 6.4, "Multiple APIC Description Table (MADT)".
 */
#include "boot/acpi_reader.h"

#include "core/bytes.h"
#include "core/phys.h"

enum {
    MADT_LOCAL_APIC = 0,
    MADT_IOAPIC = 1,
    MADT_X2APIC = 9,
    MADT_ENTRY_MAX_USED = 16, /* bytes of the longest entry that is understood */
    MADT_ENABLED = 1 << 0,
    XAPIC_BROADCAST = 0xff,
};
#define X2APIC_BROADCAST 0xffffffffu

/* Takes one CPU in; the boot CPU already stands at 0. Of CPUs that firmware lists in both formats the first one
 * counts. */
static void add_cpu(struct acpi_reader *reader, uint32_t apic_id, uint32_t uid)
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

static void add_ioapic(struct acpi_reader *reader, uint32_t address, uint32_t gsi_base)
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
    static const uint8_t sizes[] = {[MADT_LOCAL_APIC] = 8, [MADT_IOAPIC] = 12, [MADT_X2APIC] = 16};
    return type < array_size(sizes) && sizes[type] != 0 ? sizes[type] : 2;
}

/* `entry` holds madt_entry_size bytes. CPUs that could be plugged in later are not there now. */
static void take_madt_entry(struct acpi_reader *reader, const uint8_t *entry)
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

void acpi_madt_read(struct acpi_reader *reader, const struct acpi_table *madt)
{
    uint8_t entry[MADT_ENTRY_MAX_USED] = {0};
    uint32_t at = ACPI_MADT_ENTRIES;
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
