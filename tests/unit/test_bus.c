/*
 * The address table: what is found, what is refused, and how a wide access reaches a narrow device.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/bus.h"
#include "core/bytes.h"

/* Remembers the cycles it sees; answers reads with its own bytes, and with rubbish above them. */
struct probe {
    uint32_t cycles;
    uint64_t offset[8];
    struct bus_access seen[8];
    uint8_t bytes[8];
};

static void probe_access(void *device, uint64_t offset, struct bus_access *access)
{
    struct probe *probe = device;

    assert_true(probe->cycles < array_size(probe->seen));
    probe->offset[probe->cycles] = offset;
    probe->seen[probe->cycles++] = *access;
    if (!access->write)
        access->value = load64(probe->bytes) >> (8 * (offset % 8)) | (access->size < 8 ? 0xa5a5ull << 48 : 0);
}

static struct bus_slot slot(uint64_t base, uint64_t size, void *device)
{
    return (struct bus_slot){.base = base, .size = size, .handle = probe_access, .device = device, .name = "probe"};
}

static void slots_are_kept_sorted(void **state)
{
    static const uint64_t bases[] = {0x60, 0x20, 0xcf8, 0x40, 0xa0, 0x3f8};
    struct bus bus = {0};

    (void)state;
    for (size_t i = 0; i < array_size(bases); i++)
        assert_true(bus_add(&bus, slot(bases[i], 8, NULL)));
    assert_int_equal(bus.count, array_size(bases));
    for (uint32_t i = 1; i < bus.count; i++)
        assert_true(bus.slots[i - 1].base < bus.slots[i].base);
}

static void every_address_is_found_or_not(void **state)
{
    struct bus bus = {0};

    (void)state;
    assert_true(bus_add(&bus, slot(0x10, 4, NULL)));
    assert_true(bus_add(&bus, slot(0x14, 1, NULL))); /* touches its neighbour, does not overlap */
    assert_true(bus_add(&bus, slot(0x20, 0x10, NULL)));
    for (uint64_t address = 0; address < 0x40; address++) {
        const struct bus_slot *found = bus_find(&bus, address);
        uint64_t base = address >= 0x20 && address < 0x30   ? 0x20
                        : address == 0x14                   ? 0x14
                        : address >= 0x10 && address < 0x14 ? 0x10
                                                            : 0;
        if (base == 0)
            assert_null(found);
        else
            assert_int_equal(found->base, base);
    }
    assert_null(bus_find(&bus, UINT64_MAX));
}

static void an_empty_bus_finds_nothing(void **state)
{
    struct bus bus = {0};
    struct bus_access access = {.address = 0, .size = 1};

    (void)state;
    assert_null(bus_find(&bus, 0));
    assert_false(bus_dispatch(&bus, &access));
}

static void misfits_are_refused(void **state)
{
    struct bus bus = {0};
    struct bus_slot no_handler = {.base = 0x500, .size = 1};

    (void)state;
    assert_true(bus_add(&bus, slot(0x100, 0x10, NULL)));
    assert_true(bus_add(&bus, slot(0x200, 0x10, NULL)));
    assert_false(bus_add(&bus, slot(0x100, 0x10, NULL)));
    assert_false(bus_add(&bus, slot(0x10f, 1, NULL)));
    assert_false(bus_add(&bus, slot(0xff, 2, NULL)));
    assert_false(bus_add(&bus, slot(0x1ff, 2, NULL)));
    assert_false(bus_add(&bus, slot(0, 0x1000, NULL)));
    assert_false(bus_add(&bus, slot(0x105, 2, NULL)));
    assert_false(bus_add(&bus, slot(0x300, 0, NULL)));
    assert_false(bus_add(&bus, slot(UINT64_MAX, 2, NULL)));
    assert_false(bus_add(&bus, slot(0x300, UINT64_MAX, NULL)));
    assert_false(bus_add(&bus, no_handler));
    assert_int_equal(bus.count, 2);
}

static void a_full_table_refuses(void **state)
{
    struct bus bus = {0};

    (void)state;
    for (uint64_t i = 0; i < BUS_MAX_SLOTS; i++)
        assert_true(bus_add(&bus, slot(0x10 * (BUS_MAX_SLOTS - i), 0x10, NULL)));
    assert_false(bus_add(&bus, slot(0x10000, 1, NULL)));
    for (uint64_t i = 1; i <= BUS_MAX_SLOTS; i++)
        assert_int_equal(bus_find(&bus, 0x10 * i + 0xf)->base, 0x10 * i);
}

static void accesses_across_an_end_are_refused(void **state)
{
    struct probe probe = {0};
    struct bus bus = {0};
    struct bus_access access = {.address = 0x103, .size = 2, .write = true, .value = 7};
    struct bus_access last = {.address = UINT64_MAX, .size = 1};
    struct bus_access beyond = {.address = UINT64_MAX, .size = 8};

    (void)state;
    assert_true(bus_add(&bus, slot(0x100, 4, &probe)));
    assert_true(bus_add(&bus, slot(0x104, 4, &probe)));
    assert_false(bus_dispatch(&bus, &access));
    access.address = 0x107;
    assert_false(bus_dispatch(&bus, &access));
    access.address = 0xff;
    assert_false(bus_dispatch(&bus, &access));
    /* The top of the address space: a slot may not end at 2^64, so its last byte belongs to nobody. */
    assert_true(bus_add(&bus, slot(UINT64_MAX - 8, 8, &probe)));
    assert_false(bus_dispatch(&bus, &last));
    assert_false(bus_dispatch(&bus, &beyond));
    assert_int_equal(probe.cycles, 0);
}

static void odd_sizes_are_refused(void **state)
{
    static const uint8_t sizes[] = {0, 3, 5, 6, 7, 9, 16, 255};
    struct probe probe = {0};
    struct bus bus = {0};

    (void)state;
    assert_true(bus_add(&bus, slot(0x100, 0x1000, &probe)));
    for (size_t i = 0; i < array_size(sizes); i++) {
        struct bus_access access = {.address = 0x100, .size = sizes[i]};
        assert_false(bus_dispatch(&bus, &access));
    }
    assert_int_equal(probe.cycles, 0);
}

static void handlers_see_offset_and_only_their_bits(void **state)
{
    struct probe probe = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8}};
    struct bus bus = {0};
    struct bus_access write = {.address = 0x104, .size = 2, .write = true, .value = 0x123456789abcdef0};
    struct bus_access read = {.address = 0x104, .size = 4, .value = UINT64_MAX};
    struct bus_access wide = {.address = 0x100, .size = 8};

    (void)state;
    assert_true(bus_add(&bus, slot(0x100, 8, &probe)));
    assert_true(bus_dispatch(&bus, &write));
    assert_int_equal(probe.offset[0], 4);
    assert_int_equal(probe.seen[0].value, 0xdef0);
    assert_true(bus_dispatch(&bus, &read));
    assert_int_equal(read.value, 0x08070605);
    assert_true(bus_dispatch(&bus, &wide));
    assert_int_equal(wide.value, 0x0807060504030201);
}

static void wide_accesses_reach_narrow_devices_in_pieces(void **state)
{
    struct probe probe = {.bytes = {0x11, 0x22, 0x33, 0x44}};
    struct bus bus = {0};
    struct bus_slot narrow = slot(0x100, 8, &probe);
    struct bus_access write = {.address = 0x101, .size = 2, .write = true, .value = 0xbbaa};
    struct bus_access read = {.address = 0x100, .size = 4};

    (void)state;
    narrow.width = 1;
    assert_true(bus_add(&bus, narrow));
    assert_true(bus_dispatch(&bus, &write));
    assert_int_equal(probe.cycles, 2);
    assert_int_equal(probe.offset[0], 1);
    assert_int_equal(probe.seen[0].value, 0xaa);
    assert_int_equal(probe.seen[0].size, 1);
    assert_true(probe.seen[0].write);
    assert_int_equal(probe.offset[1], 2);
    assert_int_equal(probe.seen[1].address, 0x102);
    assert_int_equal(probe.seen[1].value, 0xbb);
    assert_int_equal(write.value, 0xbbaa);
    assert_true(bus_dispatch(&bus, &read));
    assert_int_equal(probe.cycles, 6);
    assert_int_equal(read.value, 0x44332211);
}

static void all_ones_has_the_size_of_the_access(void **state)
{
    (void)state;
    assert_int_equal(bus_all_ones(1), 0xff);
    assert_int_equal(bus_all_ones(2), 0xffff);
    assert_int_equal(bus_all_ones(4), 0xffffffff);
    assert_true(bus_all_ones(8) == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_kept_sorted),
        cmocka_unit_test(every_address_is_found_or_not),
        cmocka_unit_test(an_empty_bus_finds_nothing),
        cmocka_unit_test(misfits_are_refused),
        cmocka_unit_test(a_full_table_refuses),
        cmocka_unit_test(accesses_across_an_end_are_refused),
        cmocka_unit_test(odd_sizes_are_refused),
        cmocka_unit_test(handlers_see_offset_and_only_their_bits),
        cmocka_unit_test(wide_accesses_reach_narrow_devices_in_pieces),
        cmocka_unit_test(all_ones_has_the_size_of_the_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
