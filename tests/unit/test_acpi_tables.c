/* The guest's ACPI tables: structure and checksums here, meaning by iasl where it is installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/acpi_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/acpi_format.h"
#include "core/bytes.h"
#include "core/config.h"

static struct acpi_tables tables;
static uint8_t *const buffer = tables.bytes;
static const uint32_t one_id[] = {0};

static size_t build(const struct acpi_guest *guest)
{
    memset(&tables, 0xee, sizeof tables);
    size_t size = acpi_tables_build(guest, gpa(GUEST_ACPI_BASE), &tables);
    assert_in_range(size, 1, sizeof tables);
    return size;
}

static void expect_sum_zero(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    assert_int_equal(sum, 0);
}

/* The table at a guest-physical address: inside the buffer, with the signature and a right checksum. */
static const struct acpi_header *table(uint64_t at, size_t size, const char *signature)
{
    assert_in_range(at, GUEST_ACPI_BASE + sizeof(struct acpi_rsdp),
                    GUEST_ACPI_BASE + size - sizeof(struct acpi_header));
    const struct acpi_header *header = (const void *)(buffer + (at - GUEST_ACPI_BASE));
    assert_memory_equal(header->signature, signature, 4);
    assert_true(header->length <= size - (at - GUEST_ACPI_BASE));
    expect_sum_zero((const uint8_t *)header, header->length);
    return header;
}

static const struct acpi_xsdt *xsdt(size_t size)
{
    const struct acpi_rsdp *rsdp = (const void *)buffer;
    return (const void *)table(rsdp->xsdt, size, "XSDT");
}

static const struct acpi_fadt *fadt(size_t size) { return (const void *)table(xsdt(size)->entries[0], size, "FACP"); }
static const struct acpi_madt *madt(size_t size) { return (const void *)table(xsdt(size)->entries[1], size, "APIC"); }

static const struct acpi_wdat *wdat(size_t size) { return (const void *)table(xsdt(size)->entries[2], size, "WDAT"); }

static void links_the_tables(void **state)
{
    (void)state;
    size_t size = build(&(struct acpi_guest){1, one_id, true});
    const struct acpi_rsdp *rsdp = (const void *)buffer;
    assert_memory_equal(rsdp->signature, "RSD PTR ", 8);
    assert_int_equal(rsdp->revision, 2);
    assert_int_equal(rsdp->length, 36);
    expect_sum_zero(buffer, 20);
    expect_sum_zero(buffer, 36);
    assert_int_equal(xsdt(size)->header.length, 36 + 3 * 8);
    assert_int_equal(fadt(size)->header.length, 276);
    assert_int_equal(fadt(size)->x_dsdt, fadt(size)->dsdt);
    table(fadt(size)->x_dsdt, size, "DSDT");
    assert_non_null(madt(size));
}

static void expect_port(const struct acpi_address *a, uint16_t port)
{
    assert_int_equal(a->space, 1);
    assert_int_equal(a->bit_width, 8);
    assert_int_equal(a->bit_offset, 0);
    assert_int_equal(a->access_size, 1);
    assert_int_equal(a->address, port);
}

static void describes_reduced_hardware(void **state)
{
    (void)state;
    const struct acpi_fadt *f = fadt(build(&(struct acpi_guest){1, one_id, true}));
    assert_int_equal(f->flags & (1u << 20 | 1u << 10 | 1u), 1u << 20 | 1u << 10 | 1u);
    assert_int_equal(f->iapc_boot_arch, 1u << 2);
    expect_port(&f->reset_register, 0xcf9);
    assert_int_equal(f->reset_value, 6);
    expect_port(&f->sleep_control, 0x604);
    expect_port(&f->sleep_status, 0x605);
    assert_int_equal(GUEST_SLEEP_S5, 0x34);
    for (size_t i = 0; i < sizeof f->pm_and_cmos; i++)
        assert_int_equal(f->pm_and_cmos[i], 0);
}

static void lists_low_ids_as_local_apics(void **state)
{
    (void)state;
    const uint32_t ids[] = {4, 254};
    const struct acpi_madt *m = madt(build(&(struct acpi_guest){2, ids, true}));
    const uint8_t expected[] = {0, 8,  0, 4,   1, 0, 0,    0, /* uid 0 */
                                0, 8,  1, 254, 1, 0, 0,    0, /* uid 1 */
                                1, 12, 0, 0,   0, 0, 0xc0, 0xfe, 0, 0, 0, 0};
    assert_int_equal(m->header.length, 44 + sizeof expected);
    assert_int_equal(m->local_apic, 0xfee00000);
    assert_int_equal(m->flags, 0);
    assert_memory_equal((const uint8_t *)m + 44, expected, sizeof expected);
}

static void lists_high_ids_as_x2apics(void **state)
{
    (void)state;
    const uint32_t ids[] = {0, 255, 0x12345678};
    const struct acpi_madt *m = madt(build(&(struct acpi_guest){3, ids, true}));
    const uint8_t expected[] = {0, 8,  0, 0, 1,    0,    0,    0,                            /* */
                                9, 16, 0, 0, 0xff, 0,    0,    0,    1, 0, 0, 0, 1, 0, 0, 0, /* */
                                9, 16, 0, 0, 0x78, 0x56, 0x34, 0x12, 1, 0, 0, 0, 2, 0, 0, 0};
    assert_int_equal(m->header.length, 44 + sizeof expected + 12);
    assert_memory_equal((const uint8_t *)m + 44, expected, sizeof expected);
}

static void holds_as_many_cpus_as_a_partition_has(void **state)
{
    (void)state;
    uint32_t ids[CONFIG_MAX_CPUS];
    for (uint32_t i = 0; i < CONFIG_MAX_CPUS; i++)
        ids[i] = 1000 + i;
    const struct acpi_madt *m = madt(build(&(struct acpi_guest){CONFIG_MAX_CPUS, ids, true}));
    assert_int_equal(m->header.length, 44 + CONFIG_MAX_CPUS * 16 + 12);
}

/* What a driver's action does: the register, and the value it writes or compares with. */
static void expect_wdat(const struct wdat_entry *e, unsigned action, unsigned instruction, unsigned port, unsigned size,
                        unsigned value)
{
    assert_int_equal(e->action, action);
    assert_int_equal(e->instruction, instruction);
    assert_int_equal(e->at.space, 1);
    assert_int_equal(e->at.bit_width, 8 * size);
    assert_int_equal(e->at.bit_offset, 0);
    assert_int_equal(e->at.access_size, size == 4 ? 3 : 1);
    assert_int_equal(e->at.address, port);
    assert_int_equal(e->value, value);
    assert_int_equal(e->mask, size == 4 ? 0xffffffff : 0xff);
}

static void describes_the_watchdog(void **state)
{
    (void)state;
    const struct acpi_wdat *w = wdat(build(&(struct acpi_guest){1, one_id, false}));
    const struct wdat_entry *e = (const void *)(w + 1);
    assert_int_equal(w->watchdog_length, 32);
    assert_int_equal(w->pci_segment, 0xff);
    assert_int_equal(w->period, 100);
    assert_int_equal(w->min_count, 1);
    assert_int_equal(w->max_count, 0xffff);
    assert_int_equal(w->flags, 0x81);
    assert_int_equal(w->entries, 10);
    assert_int_equal(w->header.length, 68 + 10 * 24);
    expect_wdat(&e[0], 1, 2, 0x619, 1, 1);
    expect_wdat(&e[1], 4, 1, 0x614, 4, 0);
    expect_wdat(&e[2], 5, 1, 0x610, 4, 0);
    expect_wdat(&e[3], 6, 3, 0x610, 4, 0);
    expect_wdat(&e[4], 8, 0, 0x618, 1, 1);
    expect_wdat(&e[5], 9, 2, 0x618, 1, 1);
    expect_wdat(&e[6], 10, 0, 0x618, 1, 0);
    expect_wdat(&e[7], 11, 2, 0x618, 1, 0);
    expect_wdat(&e[8], 32, 0, 0x61a, 1, 1);
    expect_wdat(&e[9], 33, 2, 0x61a, 1, 1);
}

static bool dsdt_has(size_t size, const void *wanted, size_t length)
{
    const struct acpi_header *dsdt = table(fadt(size)->x_dsdt, size, "DSDT");
    for (size_t i = 0; i + length <= dsdt->length; i++)
        if (memcmp((const uint8_t *)dsdt + i, wanted, length) == 0)
            return true;
    return false;
}

static void describes_the_devices(void **state)
{
    (void)state;
    const uint8_t uart[] = {0x11, 16, 0x0a, 13, 0x47, 1, 0xf8, 3, 0xf8, 3, 1, 8, 0x22, 0x10, 0, 0x79, 0};
    const uint8_t pnp0501[] = {0x0c, 0x41, 0xd0, 0x05, 0x01};
    const uint8_t rtc[] = {0x11, 13, 0x0a, 10, 0x47, 1, 0x70, 0, 0x70, 0, 1, 2, 0x79, 0};
    const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 8, 4, 0x0a, 5, 0x0a, 5, 0, 0};
    size_t size = build(&(struct acpi_guest){1, one_id, true});
    assert_true(dsdt_has(size, uart, sizeof uart));
    assert_true(dsdt_has(size, pnp0501, sizeof pnp0501));
    assert_true(dsdt_has(size, rtc, sizeof rtc));
    assert_true(dsdt_has(size, s5, sizeof s5));
    size = build(&(struct acpi_guest){1, one_id, false});
    assert_false(dsdt_has(size, "COM1", 4));
    assert_false(dsdt_has(size, uart + 4, 8));
    assert_true(dsdt_has(size, rtc, sizeof rtc));
    assert_true(dsdt_has(size, s5, sizeof s5));
}

/* Wherever they are to lie, they point to one another there. */
static void moves_with_its_address(void **state)
{
    (void)state;
    size_t size = build(&(struct acpi_guest){1, one_id, true});
    uint64_t xsdt_at = ((const struct acpi_rsdp *)buffer)->xsdt;
    assert_int_equal(acpi_tables_build(&(struct acpi_guest){1, one_id, true}, gpa(0x12340), &tables), size);
    assert_int_equal(((const struct acpi_rsdp *)buffer)->xsdt, xsdt_at - GUEST_ACPI_BASE + 0x12340);
    expect_sum_zero(buffer, 36);
    for (size_t i = size; i < sizeof tables; i++)
        assert_int_equal(buffer[i], 0);
}

static void save(const char *folder, const char *name, const struct acpi_header *header)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(header, 1, header->length, file), header->length);
    assert_int_equal(fclose(file), 0);
}

/*
 * iasl takes each table apart, and compiles the DSDT's source again, without an error or a warning. The word "Invalid"
 * is how it marks a field; remarks about unused legacy fields do not count.
 */
static void passes_iasl(void **state)
{
    (void)state;
    if (system("command -v iasl >/dev/null") != 0)
        skip();
    char folder[] = "/tmp/acpi-XXXXXX";
    assert_non_null(mkdtemp(folder));
    const uint32_t ids[] = {0, 300};
    size_t size = build(&(struct acpi_guest){2, ids, true});
    save(folder, "dsdt.dat", table(fadt(size)->x_dsdt, size, "DSDT"));
    save(folder, "facp.dat", &fadt(size)->header);
    save(folder, "apic.dat", &madt(size)->header);
    save(folder, "xsdt.dat", &xsdt(size)->header);
    save(folder, "wdat.dat", &wdat(size)->header);
    char command[512];
    (void)snprintf(
        command, sizeof command,
        "cd %s && for t in dsdt facp apic xsdt wdat; do iasl -d $t.dat || exit 1; iasl -p again $t.dsl || exit 1; "
        "done >log 2>&1 && ! grep -iE '^(warning|error)|[1-9][0-9]* (errors|warnings)|invalid|[*]{4}' log *.dsl",
        folder);
    int result = system(command);
    if (result == 0) {
        (void)snprintf(command, sizeof command, "rm -r %s", folder);
        assert_int_equal(system(command), 0);
    } else {
        fail_msg("see %s/log", folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_the_tables),
        cmocka_unit_test(describes_reduced_hardware),
        cmocka_unit_test(lists_low_ids_as_local_apics),
        cmocka_unit_test(lists_high_ids_as_x2apics),
        cmocka_unit_test(holds_as_many_cpus_as_a_partition_has),
        cmocka_unit_test(describes_the_watchdog),
        cmocka_unit_test(describes_the_devices),
        cmocka_unit_test(moves_with_its_address),
        cmocka_unit_test(passes_iasl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
