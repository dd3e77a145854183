/* The firmware's tables: good ones of both revisions, and every way in which they can lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/acpi.h"
#include "core/bytes.h"
#include "tests/unit/fake_phys.h"

/* ---- a sink that keeps what it gets ---- */

struct error_text {
    struct sink sink;
    unsigned lines;
    size_t length;
    char text[4096];
};
static struct error_text errors;

static void text_put(struct sink *self, const char *text, size_t length)
{
    struct error_text *t = (struct error_text *)self;
    for (size_t i = 0; i < length; i++) {
        t->lines += text[i] == '\n';
        if (t->length < sizeof t->text - 1)
            t->text[t->length++] = text[i];
    }
    t->text[t->length] = '\0';
}

static void expect_error(unsigned lines, const char *part)
{
    if (errors.lines != lines || (part != NULL && strstr(errors.text, part) == NULL))
        fail_msg("%u lines, expected %u with '%s':\n%s", errors.lines, lines, part ? part : "", errors.text);
}

/* ---- a box whose firmware is at BASE ---- */

enum { BASE = 0x100000, SIZE = 0x100000, XSDT = 0x1000, RSDT = 0x2000, MADT = 0x3000, FADT = 0x8000, BOOT_ID = 4 };

static uint8_t rsdp[ACPI_RSDP_SIZE_2];
static struct machine machine;

static uint8_t *at(uint64_t offset) { return fake_phys_at(BASE + offset, 1); }

static void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, sizeof v); }
static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof v); }

static void fix_sum(uint8_t *bytes, size_t size, size_t where)
{
    uint8_t sum = 0;
    bytes[where] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[where] = (uint8_t)-sum;
}

static void fix_rsdp(void)
{
    fix_sum(rsdp, 20, 8);
    fix_sum(rsdp, 36, 32);
}

static void fix_table(uint32_t offset) { fix_sum(at(offset), load32(at(offset) + 4), 9); }

static void start_table(uint32_t offset, const char *signature, uint32_t length)
{
    memcpy(at(offset), signature, 4);
    put32(at(offset) + 4, length);
}

static void append(uint32_t table, const void *bytes, uint32_t size)
{
    uint32_t length = load32(at(table) + 4);
    memcpy(fake_phys_at(BASE + table + length, size), bytes, size);
    put32(at(table) + 4, length + size);
    fix_table(table);
}

static void append_xapic(uint8_t uid, uint8_t id, uint32_t flags)
{
    uint8_t entry[8] = {0, 8, uid, id};
    put32(entry + 4, flags);
    append(MADT, entry, sizeof entry);
}

static void append_x2apic(uint32_t uid, uint32_t id, uint32_t flags)
{
    uint8_t entry[16] = {9, 16};
    put32(entry + 4, id);
    put32(entry + 8, flags);
    put32(entry + 12, uid);
    append(MADT, entry, sizeof entry);
}

static void append_ioapic(uint32_t address, uint32_t gsi)
{
    uint8_t entry[12] = {1, 12};
    put32(entry + 4, address);
    put32(entry + 8, gsi);
    append(MADT, entry, sizeof entry);
}

static void append_xsdt(uint64_t address)
{
    uint8_t entry[8];
    put64(entry, address);
    append(XSDT, entry, sizeof entry);
}

static void append_rsdt(uint32_t address)
{
    uint8_t entry[4];
    put32(entry, address);
    append(RSDT, entry, sizeof entry);
}

static int setup(void **state)
{
    (void)state;
    fake_phys_setup(BASE, SIZE);
    memset(&machine, 0xa5, sizeof machine); /* everything that is read must have been written */
    machine.region_count = 2;
    machine.regions[0] = (struct machine_region){{0, BASE}, MEMORY_BAD};
    machine.regions[1] = (struct machine_region){{BASE, SIZE}, MEMORY_ACPI};
    errors = (struct error_text){.sink = {text_put}};

    memset(rsdp, 0, sizeof rsdp);
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = 2;
    put32(rsdp + 16, BASE + RSDT);
    put32(rsdp + 20, 36);
    put64(rsdp + 24, BASE + XSDT);
    fix_rsdp();

    start_table(XSDT, "XSDT", 36);
    start_table(RSDT, "RSDT", 36);
    start_table(MADT, "APIC", 44);
    start_table(FADT, "FACP", 244);
    put32(at(FADT) + 112, 1u << 10);
    memcpy(at(FADT) + 116, (uint8_t[]){1, 8, 0, 1, 0xf9, 0x0c}, 6);
    *at(FADT + 128) = 6;
    append_xsdt(BASE + FADT);
    append_xsdt(BASE + MADT);
    append_rsdt(BASE + FADT);
    append_rsdt(BASE + MADT);
    fix_table(FADT);
    append_xapic(1, 0, 1);
    append_xapic(2, BOOT_ID, 1);
    append_xapic(3, 2, 1);
    append_ioapic(0xfec00000, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_phys_teardown();
    return 0;
}

static bool parse_size(size_t size) { return acpi_parse(rsdp, size, BOOT_ID, &machine, &errors.sink); }
static bool parse(void) { return parse_size(sizeof rsdp); }

static void expect_cpus(uint32_t count, const uint32_t *ids)
{
    assert_int_equal(machine.cpu_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(machine.cpus[i].apic_id, ids[i]);
        assert_int_equal(machine.cpus[i].online, i == 0);
    }
}
#define EXPECT_CPUS(...) expect_cpus(array_size(((uint32_t[]){__VA_ARGS__})), (uint32_t[]){__VA_ARGS__})

static void expect_boot_cpu_alone(void)
{
    EXPECT_CPUS(BOOT_ID);
    assert_int_equal(machine.cpus[0].acpi_uid, 0);
    assert_int_equal(machine.ioapic_count, 0);
}

/* ---- good tables ---- */

static void expect_good(void)
{
    expect_error(0, NULL);
    EXPECT_CPUS(BOOT_ID, 0, 2);
    assert_int_equal(machine.cpus[0].acpi_uid, 2);
    assert_int_equal(machine.cpus[1].acpi_uid, 1);
    assert_int_equal(machine.cpus[2].acpi_uid, 3);
    assert_int_equal(machine.ioapic_count, 1);
    assert_int_equal(machine.ioapics[0].address, 0xfec00000);
    assert_int_equal(machine.ioapics[0].gsi_base, 0);
    assert_true(machine.has_reset_register);
    assert_int_equal(machine.reset_port, 0xcf9);
    assert_int_equal(machine.reset_value, 6);
}

static void test_xsdt(void **state)
{
    (void)state;
    put32(at(RSDT), 0); /* must not be needed */
    assert_true(parse());
    expect_good();
}

static void test_rsdt_of_revision_0(void **state)
{
    (void)state;
    rsdp[15] = 0;
    put64(rsdp + 24, UINT64_MAX); /* must not be looked at */
    fix_rsdp();
    assert_true(parse_size(ACPI_RSDP_SIZE_1));
    expect_good();
}

static void test_first_part_of_revision_2(void **state)
{
    (void)state;
    put32(at(XSDT), 0);
    assert_true(parse_size(ACPI_RSDP_SIZE_1));
    expect_good();
}

static void test_no_xsdt_address(void **state)
{
    (void)state;
    put64(rsdp + 24, 0);
    fix_rsdp();
    assert_true(parse());
    expect_good();
}

static void test_bad_xsdt_falls_back(void **state)
{
    (void)state;
    *at(XSDT + 40) ^= 1;
    assert_true(parse());
    expect_error(1, "a wrong checksum, expected a XSDT");
    EXPECT_CPUS(BOOT_ID, 0, 2);
}

static void test_other_tables_and_empty_slots_are_passed_over(void **state)
{
    (void)state;
    start_table(0x9000, "HPET", 56);
    append_xsdt(0);
    append_xsdt(BASE + 0x9000);
    append_xsdt(BASE + MADT); /* a second time: does not count */
    assert_true(parse());
    expect_good();
}

static void test_sparse_ids_and_both_formats(void **state)
{
    (void)state;
    append_x2apic(77, 0x12345, 1);
    append_x2apic(78, 2, 1);          /* already known from the 8-bit entry */
    append_x2apic(79, BOOT_ID, 1);    /* the boot CPU once more keeps its first UID */
    append_x2apic(80, 300, 0);        /* disabled */
    append_x2apic(81, 301, 2);        /* could be plugged in */
    append_x2apic(82, 0xffffffff, 1); /* no CPU */
    append_xapic(83, 0xff, 1);        /* no CPU */
    append_xapic(84, 9, 0);
    append_xapic(85, 10, 2);
    append_xapic(86, 11, 3);
    append(MADT, (uint8_t[]){4, 6, 0xff, 0, 0, 1}, 6); /* an NMI entry */
    append(MADT, (uint8_t[]){0x7f, 2}, 2);             /* a later specification's */
    append_x2apic(87, 12, 1);
    assert_true(parse());
    expect_error(0, NULL);
    EXPECT_CPUS(BOOT_ID, 0, 2, 0x12345, 11, 12);
    assert_int_equal(machine.cpus[0].acpi_uid, 2);
    assert_int_equal(machine.cpus[3].acpi_uid, 77);
}

static void test_boot_cpu_not_named(void **state)
{
    (void)state;
    assert_true(acpi_parse(rsdp, sizeof rsdp, 99, &machine, &errors.sink));
    expect_error(1, "does not name the boot CPU, APIC id 99");
    EXPECT_CPUS(99, 0, BOOT_ID, 2);
}

/* ---- too much of everything ---- */

static void test_too_many_cpus(void **state)
{
    (void)state;
    put32(at(MADT) + 4, 44);
    for (uint32_t i = 0; i < MACHINE_MAX_CPUS + 44; i++)
        append_x2apic(i, 1000 + i, 1);
    append_xapic(200, BOOT_ID, 1); /* the last of all, and yet the first */
    assert_true(parse());
    expect_error(1, "more than 256 CPUs: APIC id 1255 and later");
    assert_int_equal(machine.cpu_count, MACHINE_MAX_CPUS);
    assert_int_equal(machine.cpus[0].apic_id, BOOT_ID);
    assert_int_equal(machine.cpus[0].acpi_uid, 200);
    assert_int_equal(machine.cpus[255].apic_id, 1254);
}

static void test_ioapics(void **state)
{
    (void)state;
    append_ioapic(0xfec00000, 5); /* the same again */
    append_ioapic(0, 24);
    append_ioapic(0xfec01008, 24);
    for (uint32_t i = 1; i < MACHINE_MAX_IOAPICS + 3; i++)
        append_ioapic(0xfec00000 + i * 0x1000, i * 24);
    assert_true(parse());
    expect_error(3, "more than 8 IOAPICs: that at 0xfec08000");
    assert_non_null(strstr(errors.text, "IOAPIC at 0xfec01008"));
    assert_int_equal(machine.ioapic_count, MACHINE_MAX_IOAPICS);
    assert_int_equal(machine.ioapics[0].gsi_base, 0);
    assert_int_equal(machine.ioapics[7].gsi_base, 7 * 24);
}

static void test_too_many_tables(void **state)
{
    (void)state;
    put32(at(XSDT) + 4, 36);
    memset(fake_phys_at(BASE + RSDT, 0x1000), 0, 0x1000);
    for (unsigned i = 0; i < 256; i++)
        append_xsdt(BASE + FADT);
    append_xsdt(BASE + MADT);
    assert_false(parse());
    expect_error(2, "XSDT names 257 tables, expected at most 256");
    expect_boot_cpu_alone();
    assert_true(machine.has_reset_register);
}

/* ---- RSDP ---- */

static void expect_refused(const char *part)
{
    assert_false(parse());
    expect_error(1, part);
    expect_boot_cpu_alone();
    assert_false(machine.has_reset_register);
}

static void test_no_rsdp(void **state)
{
    (void)state;
    assert_false(acpi_parse(NULL, 0, BOOT_ID, &machine, &errors.sink));
    expect_error(1, "no RSDP: only the boot CPU");
    expect_boot_cpu_alone();
}

static void test_rsdp_short(void **state)
{
    (void)state;
    assert_false(parse_size(19));
    expect_error(1, "RSDP of 19 bytes");
    expect_boot_cpu_alone();
}

static void test_rsdp_signature(void **state)
{
    (void)state;
    rsdp[7] = 'X';
    fix_rsdp();
    expect_refused("'RSD PTR '");
}

static void test_rsdp_checksum(void **state)
{
    (void)state;
    rsdp[8]++;
    expect_refused("sum to 0x01, expected 0");
}

static void test_rsdp_extended_checksum(void **state)
{
    (void)state;
    rsdp[32]++;
    expect_refused("extended checksum sums to 0x01");
}

static void test_rsdp_length(void **state)
{
    (void)state;
    put32(rsdp + 20, 35);
    fix_rsdp();
    expect_refused("RSDP length 35, expected 36");
}

/* ---- tables that lie ---- */

static void test_root_outside_the_map(void **state)
{
    (void)state;
    static const uint64_t addresses[] = {0x1000,         BASE - 1,        BASE + SIZE, BASE + SIZE - 35,
                                         0x7fff00000000, UINT64_MAX - 35, UINT64_MAX,  (uint64_t)1 << 63};
    put32(rsdp + 16, 0);
    for (size_t i = 0; i < array_size(addresses); i++) {
        put64(rsdp + 24, addresses[i]);
        fix_rsdp();
        errors = (struct error_text){.sink = {text_put}};
        assert_false(parse());
        expect_error(2, "RSDP points to 0x");
        expect_boot_cpu_alone();
    }
}

static void test_root_of_another_kind(void **state)
{
    (void)state;
    put64(rsdp + 24, BASE + MADT);
    put32(rsdp + 16, BASE + XSDT);
    fix_rsdp();
    assert_false(parse());
    expect_error(2, "has another signature, expected a RSDT");
    expect_boot_cpu_alone();
}

/* Through `length` of the MADT, each of which must be refused. */
static void test_madt_lengths(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 35, 36, 43, 256 * 1024 + 1, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < array_size(lengths); i++) {
        put32(at(MADT) + 4, lengths[i]);
        errors = (struct error_text){.sink = {text_put}};
        assert_false(parse());
        expect_error(2, "a length out of range, expected a APIC of 44 to 262144");
        expect_boot_cpu_alone();
    }
}

static void test_madt_leaves_the_map(void **state)
{
    (void)state;
    machine.regions[1].range.size = MADT + 50;
    put64(rsdp + 24, BASE + XSDT);
    assert_false(parse());
    expect_boot_cpu_alone();
    assert_non_null(strstr(errors.text, "a part outside the memory map, expected a APIC"));
}

static void test_madt_checksum(void **state)
{
    (void)state;
    (*at(MADT + 60))++;
    assert_false(parse());
    expect_error(2, "a wrong checksum, expected a APIC");
    expect_boot_cpu_alone();
    assert_true(machine.has_reset_register);
}

static void test_second_madt_is_taken_when_the_first_is_bad(void **state)
{
    (void)state;
    memcpy(fake_phys_at(BASE + 0x9000, 200), at(MADT), 200);
    (*at(MADT + 60))++;
    append_xsdt(BASE + 0x9000);
    assert_true(parse());
    expect_error(1, "a wrong checksum");
    EXPECT_CPUS(BOOT_ID, 0, 2);
}

static void check_bad_entry(const uint8_t *entry, uint32_t size)
{
    uint32_t before = load32(at(MADT) + 4);
    append(MADT, entry, size);
    errors = (struct error_text){.sink = {text_put}};
    assert_true(parse());
    expect_error(1, "MADT entry at offset");
    EXPECT_CPUS(BOOT_ID, 0, 2);
    put32(at(MADT) + 4, before);
    fix_table(MADT);
}

static void test_madt_entries(void **state)
{
    (void)state;
    check_bad_entry((uint8_t[]){0, 0, 5, 5, 1, 0, 0, 0}, 8); /* would never end */
    check_bad_entry((uint8_t[]){0, 1, 5, 5, 1, 0, 0, 0}, 8);
    check_bad_entry((uint8_t[]){0, 7, 5, 5, 1, 0, 0}, 7);
    check_bad_entry((uint8_t[]){0, 8, 5, 5, 1, 0, 0}, 7);
    check_bad_entry((uint8_t[]){9, 8, 0, 0, 5, 0, 0, 0}, 8);
    check_bad_entry((uint8_t[]){1, 8, 0, 0, 5, 0, 0, 0}, 8);
    check_bad_entry((uint8_t[]){0x80, 255, 0, 0}, 4);
    check_bad_entry((uint8_t[]){0x80, 0}, 2);
    check_bad_entry((uint8_t[]){0}, 1);
}

static void test_empty_madt(void **state)
{
    (void)state;
    put32(at(MADT) + 4, 44);
    fix_table(MADT);
    assert_true(parse());
    expect_error(1, "does not name the boot CPU");
    expect_boot_cpu_alone();
}

static void test_table_pointers(void **state)
{
    (void)state;
    append_xsdt(BASE + SIZE - 20);
    append_xsdt(UINT64_MAX);
    append_xsdt(0xfee00000);
    append_xsdt(BASE + XSDT); /* a loop leads nowhere */
    assert_true(parse());
    expect_error(3, "XSDT points to 0xffffffffffffffff");
    EXPECT_CPUS(BOOT_ID, 0, 2);
}

static void test_half_a_root_entry(void **state)
{
    (void)state;
    append(XSDT, (uint8_t[]){1, 2, 3}, 3);
    assert_true(parse());
    expect_good();
}

/* ---- FADT ---- */

static void check_no_reset(unsigned lines)
{
    fix_table(FADT);
    assert_true(parse());
    expect_error(lines, lines != 0 ? "FADT" : NULL);
    assert_false(machine.has_reset_register);
}

static void test_reset_unsupported(void **state)
{
    (void)state;
    put32(at(FADT) + 112, ~(1u << 10));
    check_no_reset(0);
}

static void test_reset_in_memory_or_pci(void **state)
{
    (void)state;
    *at(FADT + 116) = 0;
    check_no_reset(0);
    *at(FADT + 116) = 2;
    check_no_reset(0);
}

static void test_reset_port_too_large(void **state)
{
    (void)state;
    put64(at(FADT) + 120, 0x10000);
    check_no_reset(1);
}

static void test_reset_port_zero(void **state)
{
    (void)state;
    put64(at(FADT) + 120, 0);
    check_no_reset(1);
}

static void test_reset_width(void **state)
{
    (void)state;
    *at(FADT + 117) = 32;
    check_no_reset(1);
}

static void test_reset_bit_offset(void **state)
{
    (void)state;
    *at(FADT + 118) = 1;
    check_no_reset(1);
}

static void test_reset_last_port(void **state)
{
    (void)state;
    put64(at(FADT) + 120, 0xffff);
    fix_table(FADT);
    assert_true(parse());
    assert_true(machine.has_reset_register);
    assert_int_equal(machine.reset_port, 0xffff);
}

/* "Power Management Timer": a port of 32 bits, if there is such hardware at all; an ACPI 1.0 table has it already. */
static void test_pm_timer(void **state)
{
    (void)state;
    static const struct {
        uint32_t port, flags, table_length;
        uint8_t length;
        uint16_t expected;
    } cases[] = {
        {0x608, 0, 276, 4, 0x608}, {0x608, 0, 116, 4, 0x608}, {0xffff, 1u << 8, 276, 4, 0xffff}, {0, 0, 276, 4, 0},
        {0x10000, 0, 276, 4, 0},   {0x608, 0, 276, 0, 0},     {0x608, 1u << 20, 276, 4, 0},      {0x608, 0, 115, 4, 0},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        machine.pm_timer_port = 1;
        put32(at(FADT) + 4, cases[i].table_length);
        put32(at(FADT) + 76, cases[i].port);
        *at(FADT + 91) = cases[i].length;
        put32(at(FADT) + 112, cases[i].flags);
        fix_table(FADT);
        assert_true(parse());
        expect_error(0, NULL);
        assert_int_equal(machine.pm_timer_port, cases[i].expected);
    }
}

static void test_fadt_of_acpi_1(void **state)
{
    (void)state;
    put32(at(FADT) + 4, 128);
    check_no_reset(0);
}

static void test_fadt_checksum(void **state)
{
    (void)state;
    (*at(FADT + 50))++;
    assert_true(parse());
    expect_error(1, "a wrong checksum, expected a FACP");
    assert_false(machine.has_reset_register);
}

/* ---- noise ---- */

/* Any byte may be anything: no read leaves the map (fake_phys aborts) and the boot CPU stands at 0. */
static void test_random_damage(void **state)
{
    srand(1);
    for (unsigned round = 0; round < 4000; round++) {
        teardown(state);
        setup(state);
        static const uint32_t tables[] = {XSDT, RSDT, MADT, FADT};
        for (unsigned i = 0; i < 1u + (unsigned)rand() % 4; i++) {
            uint32_t table = tables[(unsigned)rand() % 4];
            *at(table + (unsigned)rand() % 100) = (uint8_t)rand();
            if (load32(at(table) + 4) <= 4096)
                fix_table(table);
        }
        put16(rsdp + 16 + (unsigned)rand() % 14, (uint16_t)(rand() % 3 ? load16(rsdp + 16) : (uint16_t)rand()));
        fix_rsdp();
        (void)!parse();
        assert_in_range(machine.cpu_count, 1, MACHINE_MAX_CPUS);
        assert_int_equal(machine.cpus[0].apic_id, BOOT_ID);
        assert_in_range(machine.ioapic_count, 0, MACHINE_MAX_IOAPICS);
        for (uint32_t i = 1; i < machine.cpu_count; i++)
            for (uint32_t j = 0; j < i; j++)
                assert_int_not_equal(machine.cpus[i].apic_id, machine.cpus[j].apic_id);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_xsdt),
        TEST(test_rsdt_of_revision_0),
        TEST(test_first_part_of_revision_2),
        TEST(test_no_xsdt_address),
        TEST(test_bad_xsdt_falls_back),
        TEST(test_other_tables_and_empty_slots_are_passed_over),
        TEST(test_sparse_ids_and_both_formats),
        TEST(test_boot_cpu_not_named),
        TEST(test_too_many_cpus),
        TEST(test_ioapics),
        TEST(test_too_many_tables),
        TEST(test_no_rsdp),
        TEST(test_rsdp_short),
        TEST(test_rsdp_signature),
        TEST(test_rsdp_checksum),
        TEST(test_rsdp_extended_checksum),
        TEST(test_rsdp_length),
        TEST(test_root_outside_the_map),
        TEST(test_root_of_another_kind),
        TEST(test_madt_lengths),
        TEST(test_madt_leaves_the_map),
        TEST(test_madt_checksum),
        TEST(test_second_madt_is_taken_when_the_first_is_bad),
        TEST(test_madt_entries),
        TEST(test_empty_madt),
        TEST(test_table_pointers),
        TEST(test_half_a_root_entry),
        TEST(test_reset_unsupported),
        TEST(test_reset_in_memory_or_pci),
        TEST(test_reset_port_too_large),
        TEST(test_reset_port_zero),
        TEST(test_pm_timer),
        TEST(test_reset_width),
        TEST(test_reset_bit_offset),
        TEST(test_reset_last_port),
        TEST(test_fadt_of_acpi_1),
        TEST(test_fadt_checksum),
        TEST(test_random_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
