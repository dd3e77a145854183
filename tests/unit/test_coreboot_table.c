/* coreboot's table, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/coreboot_table.h"

#include <string.h>

/* Sums 16-bit words with their carries, as who reads the table does: right when all bits are set. */
static uint32_t sum(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    uint32_t total = 0;
    for (size_t i = 0; i < size; i += 2)
        total += at[i] | (uint32_t)at[i + 1] << 8;
    while (total > 0xffff)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

static void holds_the_memory_map(void **state)
{
    (void)state;
    struct e820_map map;
    struct coreboot_table table;
    e820_build(4 * GIB, &map);
    assert_int_equal(map.count, 4);
    assert_int_equal(coreboot_table_build(&map, &table), 24 + 8 + 4 * 20);
    assert_memory_equal(table.header.signature, "LBIO", 4);
    assert_int_equal(table.header.header_size, 24);
    assert_int_equal(table.header.table_size, 8 + 4 * 20);
    assert_int_equal(table.header.table_records, 1);
    assert_int_equal(table.record.tag, 1);
    assert_int_equal(table.record.size, 8 + 4 * 20);
    for (uint32_t i = 0; i < map.count; i++) {
        assert_int_equal(table.memory[i].base, map.entries[i].base);
        assert_int_equal(table.memory[i].size, map.entries[i].size);
        assert_int_equal(table.memory[i].kind, map.entries[i].kind);
    }
}

static void has_good_checksums(void **state)
{
    (void)state;
    struct e820_map map;
    struct coreboot_table table;
    for (uint64_t memory = 2 * MIB; memory < 8 * GIB; memory = memory * 5 / 3 & ~(uint64_t)4095) {
        e820_build(memory, &map);
        assert_true(coreboot_table_build(&map, &table) <= sizeof table);
        /* A sum of 0 and one of FFFFh are the same number; only an all-zero table has the former. */
        assert_int_equal(sum(&table.record, table.header.table_size) + table.header.table_checksum, 0xffff);
        assert_int_equal(sum(&table.header, sizeof table.header), 0xffff);
    }
}

static void leaves_out_what_is_not_there(void **state)
{
    (void)state;
    struct e820_map map;
    struct coreboot_table table;
    memset(&table, 0xa5, sizeof table);
    e820_build(MIB / 2, &map);
    assert_int_equal(map.count, 1);
    assert_int_equal(coreboot_table_build(&map, &table), 24 + 8 + 20);
    assert_int_equal(table.header.table_size, 8 + 20);
    assert_int_equal(table.memory[1].size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_the_memory_map),
        cmocka_unit_test(has_good_checksums),
        cmocka_unit_test(leaves_out_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
