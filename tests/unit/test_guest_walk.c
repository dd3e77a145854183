/* The guest page-table walk: each paging mode, each right, each reserved bit, and what is written back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/guest_walk.h"

#include <string.h>

enum { RAM_SIZE = 0x10000, ROOT = 0x1000, NEXT = 0x2000, THIRD = 0x3000, LAST = 0x4000, FIFTH = 0x5000 };

#define P        0x01u
#define RW       0x02u
#define US       0x04u
#define A        0x20u
#define D        0x40u
#define PS       0x80u
#define XD       ((uint64_t)1 << 63)
#define CR0_PG   ((uint64_t)1 << 31)
#define CR0_WP   ((uint64_t)1 << 16)
#define CR4_PSE  0x10u
#define CR4_PAE  0x20u
#define CR4_LA57 0x1000u
#define CR4_SMEP 0x100000u
#define CR4_SMAP 0x200000u
#define EFER_LMA 0x400u
#define EFER_NXE 0x800u
#define FLAG_AC  0x40000u
#define FLAG_VM  0x20000u

static uint8_t ram[RAM_SIZE];
static unsigned writes;
static bool read_only;
static struct guest_memory memory;
static struct vcpu_state_view view;
static struct walk_outcome out;

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    assert_ptr_equal(context, ram);
    if (from.raw > RAM_SIZE || size > RAM_SIZE - from.raw)
        return false;
    memcpy(to, ram + from.raw, size);
    return true;
}

static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    assert_ptr_equal(context, ram);
    if (read_only || to.raw > RAM_SIZE || size > RAM_SIZE - to.raw)
        return false;
    memcpy(ram + to.raw, from, size);
    writes++;
    return true;
}

static void put64(uint64_t at, uint64_t value) { memcpy(ram + at, &value, 8); }
static void put32(uint64_t at, uint32_t value) { memcpy(ram + at, &value, 4); }

static uint64_t get64(uint64_t at)
{
    uint64_t value;
    memcpy(&value, ram + at, 8);
    return value;
}

static int setup(void **state)
{
    (void)state;
    memset(ram, 0, sizeof ram);
    writes = 0;
    read_only = false;
    memory = (struct guest_memory){ram_read, ram_write, ram, 40};
    view = (struct vcpu_state_view){.cr3 = ROOT, .cr0 = CR0_PG | CR0_WP};
    return 0;
}

static enum walk_result walk(uint64_t linear, unsigned access)
{
    return guest_walk(&view, &memory, linear, access, &out);
}

#define expect_fault(linear, access, code)                                                                             \
    do {                                                                                                               \
        assert_int_equal(walk(linear, access), WALK_FAULT);                                                            \
        assert_int_equal(out.error_code, code);                                                                        \
    } while (0)
#define expect_address(linear, access, gpa)                                                                            \
    do {                                                                                                               \
        assert_int_equal(walk(linear, access), WALK_OK);                                                               \
        assert_int_equal(out.address.raw, gpa);                                                                        \
    } while (0)

/* 4-level tables for linear 0x008040201xxx (index 1 at each level), every right granted. */
static const uint64_t linear4 = 0x008040201000;

static int setup_long(void **state)
{
    setup(state);
    view.efer = EFER_LMA | EFER_NXE;
    view.cr4 = CR4_PAE;
    put64(ROOT + 8, NEXT | P | RW | US);
    put64(NEXT + 8, THIRD | P | RW | US);
    put64(THIRD + 8, LAST | P | RW | US);
    put64(LAST + 8, 0x12345000 | P | RW | US);
    return 0;
}

static void no_paging(void **state)
{
    (void)state;
    view.cr0 = 0;
    expect_address(0xfee00010, WALK_WRITE, 0xfee00010);
    expect_address(0x1fee00010, 0, 0xfee00010);
    assert_int_equal(writes, 0);
}

static void four_levels(void **state)
{
    (void)state;
    expect_address(linear4 + 0x678, 0, 0x12345678);
    assert_int_equal(writes, 4); /* A in each */
    assert_int_equal(get64(ROOT + 8), NEXT | P | RW | US | A);
    assert_int_equal(get64(LAST + 8), 0x12345000 | P | RW | US | A);
    expect_address(linear4, 0, 0x12345000);
    assert_int_equal(writes, 4); /* nothing is missing now */
    expect_address(linear4, WALK_WRITE, 0x12345000);
    assert_int_equal(writes, 5); /* D in the last */
    assert_int_equal(get64(LAST + 8), 0x12345000 | P | RW | US | A | D);
    assert_int_equal(get64(THIRD + 8), LAST | P | RW | US | A);
}

static void large_pages(void **state)
{
    (void)state;
    put64(THIRD + 8, 0x40200000 | P | RW | US | PS);
    expect_address(linear4 + 0x1678, 0, 0x40202678);
    put64(THIRD + 8, 0x40201000 | P | RW | US | PS); /* PAT bit: legal */
    expect_address(linear4, WALK_WRITE, 0x40201000);
    assert_int_equal(get64(THIRD + 8) & (A | D), A | D);
    put64(THIRD + 8, 0x40202000 | P | RW | US | PS);
    expect_fault(linear4, 0, 9);
    put64(NEXT + 8, 0x80000000 | P | RW | US | PS);
    expect_address(linear4 + 0x678, 0, 0x80201678);
    put64(NEXT + 8, 0x80200000 | P | RW | US | PS);
    expect_fault(linear4, 0, 9);
}

static void five_levels(void **state)
{
    (void)state;
    view.cr4 |= CR4_LA57;
    view.cr3 = FIFTH;
    put64(FIFTH + 8, ROOT | P | RW | US);
    uint64_t linear = ((uint64_t)1 << 48) + linear4;
    expect_address(linear + 1, 0, 0x12345001);
    assert_int_equal(walk((uint64_t)1 << 56, 0), WALK_NOT_CANONICAL);
    put64(FIFTH + 8, ROOT | P | RW | US | PS);
    expect_fault(linear, 0, 9);
}

static void not_canonical(void **state)
{
    (void)state;
    assert_int_equal(walk((uint64_t)1 << 47, 0), WALK_NOT_CANONICAL);
    assert_int_equal(walk(0x7fffffffffffffff, 0), WALK_NOT_CANONICAL);
    expect_fault(0xffff800000000000, 0, 0);
}

static void not_present_at_each_level(void **state)
{
    static const uint64_t entries[] = {ROOT + 8, NEXT + 8, THIRD + 8, LAST + 8};
    (void)state;
    for (unsigned i = 0; i < array_size(entries); i++) {
        setup_long(NULL);
        put64(entries[i], get64(entries[i]) & ~(uint64_t)P);
        expect_fault(linear4, 0, 0);
        expect_fault(linear4, WALK_WRITE, PAGE_FAULT_WRITE);
        view.cpl = 3;
        expect_fault(linear4, WALK_FETCH, PAGE_FAULT_USER | PAGE_FAULT_FETCH);
        assert_int_equal(writes, 0);
    }
}

static void reserved_bits_at_each_level(void **state)
{
    static const uint64_t entries[] = {ROOT + 8, NEXT + 8, THIRD + 8, LAST + 8};
    (void)state;
    for (unsigned i = 0; i < array_size(entries); i++) {
        setup_long(NULL);
        uint64_t entry = get64(entries[i]);
        put64(entries[i], entry | (uint64_t)1 << 40);
        expect_fault(linear4, 0, 9);
        memory.physical_bits = 41; /* the bit is an address bit now */
        assert_int_not_equal(walk(linear4, 0), WALK_FAULT);
        memory.physical_bits = 40;
        put64(entries[i], entry | XD);
        view.efer = EFER_LMA;
        expect_fault(linear4, 0, 9);
        put64(entries[i], entry | (uint64_t)1 << 52); /* ignored */
        assert_int_equal(walk(linear4, 0), WALK_OK);
    }
    setup_long(NULL);
    put64(ROOT + 8, NEXT | P | RW | US | PS);
    expect_fault(linear4, WALK_WRITE, 11);
}

static void user_needs_user_at_each_level(void **state)
{
    static const uint64_t entries[] = {ROOT + 8, NEXT + 8, THIRD + 8, LAST + 8};
    (void)state;
    for (unsigned i = 0; i < array_size(entries); i++) {
        setup_long(NULL);
        put64(entries[i], get64(entries[i]) & ~(uint64_t)US);
        expect_address(linear4, WALK_WRITE, 0x12345000);
        view.cpl = 3;
        expect_fault(linear4, 0, PAGE_FAULT_PRESENT | PAGE_FAULT_USER);
        expect_fault(linear4, WALK_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_USER | PAGE_FAULT_WRITE);
    }
}

static void write_needs_writable_at_each_level(void **state)
{
    static const uint64_t entries[] = {ROOT + 8, NEXT + 8, THIRD + 8, LAST + 8};
    (void)state;
    for (unsigned i = 0; i < array_size(entries); i++) {
        setup_long(NULL);
        put64(entries[i], get64(entries[i]) & ~(uint64_t)RW);
        expect_fault(linear4, WALK_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE);
        assert_int_equal(writes, 0); /* a refused access leaves no trace */
        expect_address(linear4, 0, 0x12345000);
        view.cr0 &= ~CR0_WP;
        expect_address(linear4, WALK_WRITE, 0x12345000);
        view.cpl = 3; /* WP or not, a user may not */
        expect_fault(linear4, WALK_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE | PAGE_FAULT_USER);
    }
}

static void fetch_needs_executable_at_each_level(void **state)
{
    static const uint64_t entries[] = {ROOT + 8, NEXT + 8, THIRD + 8, LAST + 8};
    (void)state;
    for (unsigned i = 0; i < array_size(entries); i++) {
        setup_long(NULL);
        expect_address(linear4, WALK_FETCH, 0x12345000);
        put64(entries[i], get64(entries[i]) | XD);
        expect_fault(linear4, WALK_FETCH, PAGE_FAULT_PRESENT | PAGE_FAULT_FETCH);
        view.cpl = 3;
        expect_fault(linear4, WALK_FETCH, PAGE_FAULT_PRESENT | PAGE_FAULT_FETCH | PAGE_FAULT_USER);
        expect_address(linear4, WALK_WRITE, 0x12345000);
    }
}

static void smep(void **state)
{
    (void)state;
    view.cr4 |= CR4_SMEP;
    expect_fault(linear4, WALK_FETCH, PAGE_FAULT_PRESENT | PAGE_FAULT_FETCH);
    expect_address(linear4, 0, 0x12345000);
    view.cpl = 3;
    expect_address(linear4, WALK_FETCH, 0x12345000);
    view.cpl = 0;
    put64(LAST + 8, 0x12345000 | P);
    expect_address(linear4, WALK_FETCH, 0x12345000);
}

static void smap(void **state)
{
    (void)state;
    view.cr4 |= CR4_SMAP;
    view.cr0 &= ~CR0_WP; /* no matter */
    expect_fault(linear4, 0, PAGE_FAULT_PRESENT);
    expect_fault(linear4, WALK_WRITE, PAGE_FAULT_PRESENT | PAGE_FAULT_WRITE);
    expect_address(linear4, WALK_FETCH, 0x12345000);
    view.rflags = FLAG_AC;
    expect_address(linear4, WALK_WRITE, 0x12345000);
    view.rflags = 0;
    view.cpl = 3;
    expect_address(linear4, WALK_WRITE, 0x12345000);
}

static void fetch_bit_needs_a_reason(void **state)
{
    (void)state;
    put64(LAST + 8, 0);
    view.efer = EFER_LMA;
    expect_fault(linear4, WALK_FETCH, 0);
    view.cr4 |= CR4_SMEP;
    expect_fault(linear4, WALK_FETCH, PAGE_FAULT_FETCH);
}

static void tables_outside_ram(void **state)
{
    (void)state;
    put64(NEXT + 8, 0xfee00000 | P | RW | US);
    assert_int_equal(walk(linear4, 0), WALK_NOT_RAM);
    assert_int_equal(out.address.raw, 0xfee00008);
    setup_long(NULL);
    read_only = true;
    assert_int_equal(walk(linear4, 0), WALK_NOT_RAM);
    assert_int_equal(out.address.raw, ROOT + 8);
    setup_long(NULL);
    view.cr3 = RAM_SIZE;
    assert_int_equal(walk(linear4, 0), WALK_NOT_RAM);
}

static void root_flags_are_no_address(void **state)
{
    (void)state;
    view.cr3 = ROOT | 0xfff; /* PCID */
    expect_address(linear4, 0, 0x12345000);
}

static void pae(void **state)
{
    (void)state;
    view.efer = EFER_NXE;
    view.cr4 = CR4_PAE;
    view.cr3 = 0x1020;           /* 32-byte aligned */
    put64(0x1020 + 8, NEXT | P); /* no RW, no US: they do not exist here */
    put64(NEXT + 8, THIRD | P | RW | US);
    put64(THIRD + 8, 0x9fee00000 | P | RW | US);
    view.cpl = 3;
    expect_address(0x40201004, WALK_WRITE, 0x9fee00004);
    assert_int_equal(get64(0x1020 + 8), NEXT | P); /* never marked */
    assert_int_equal(writes, 2);
    expect_address(0xffffffff40201004, 0, 0x9fee00004); /* upper half of the address is not there */
    put64(THIRD + 8, 0x9fee00000 | P | RW | US | (uint64_t)1 << 52);
    expect_fault(0x40201000, 0, 13);
    put64(NEXT + 8, 0x40000000 | P | RW | US | PS);
    expect_address(0x40201004, 0, 0x40001004);
    put64(0x1020 + 8, NEXT | P | RW); /* reserved */
    expect_fault(0x40201000, 0, 13);
    put64(0x1020 + 8, 0);
    expect_fault(0x40201000, 0, 4);
}

static void two_levels(void **state)
{
    (void)state;
    put32(ROOT + 4, NEXT | P | RW | US);
    put32(NEXT + 4, 0xfee00000 | P | RW | US);
    expect_address(0x00401020, WALK_WRITE, 0xfee00020);
    assert_int_equal(writes, 2);
    assert_int_equal((uint32_t)get64(NEXT + 4), 0xfee00000 | P | RW | US | A | D);
    put32(NEXT + 4, 0xfee00000 | P);
    view.cpl = 3;
    expect_fault(0x00401020, 0, 5);
    view.cpl = 0;
    view.rflags = FLAG_VM; /* virtual-8086 code is user code */
    expect_fault(0x00401020, 0, 5);
    expect_fault(0x00801020, WALK_FETCH, 4);
}

static void four_megabyte_pages(void **state)
{
    (void)state;
    put32(ROOT + 4, 0x40000000 | P | RW | US | PS);
    assert_int_equal(walk(0x00401020, 0), WALK_NOT_RAM); /* without PSE the bit is ignored: it is a table */
    view.cr4 = CR4_PSE;
    expect_address(0x00401020, 0, 0x40001020);
    put32(ROOT + 4, 0x40000000 | P | RW | US | PS | 0xabu << 13);
    expect_address(0x00401020, 0, 0xab40001020);
    put32(ROOT + 4, 0x40000000 | P | RW | US | PS | 1u << 21);
    expect_fault(0x00401020, 0, 9);
    memory.physical_bits = 36;
    put32(ROOT + 4, 0x40000000 | P | RW | US | PS | 1u << 17);
    expect_fault(0x00401020, 0, 9);
    put32(ROOT + 4, 0x40000000 | P | RW | US | PS | 1u << 16);
    expect_address(0x00401020, 0, 0x840001020);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_paging, setup),
        cmocka_unit_test_setup(four_levels, setup_long),
        cmocka_unit_test_setup(large_pages, setup_long),
        cmocka_unit_test_setup(five_levels, setup_long),
        cmocka_unit_test_setup(not_canonical, setup_long),
        cmocka_unit_test(not_present_at_each_level),
        cmocka_unit_test(reserved_bits_at_each_level),
        cmocka_unit_test(user_needs_user_at_each_level),
        cmocka_unit_test(write_needs_writable_at_each_level),
        cmocka_unit_test(fetch_needs_executable_at_each_level),
        cmocka_unit_test_setup(smep, setup_long),
        cmocka_unit_test_setup(smap, setup_long),
        cmocka_unit_test_setup(fetch_bit_needs_a_reason, setup_long),
        cmocka_unit_test_setup(tables_outside_ram, setup_long),
        cmocka_unit_test_setup(root_flags_are_no_address, setup_long),
        cmocka_unit_test_setup(pae, setup),
        cmocka_unit_test_setup(two_levels, setup),
        cmocka_unit_test_setup(four_megabyte_pages, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
