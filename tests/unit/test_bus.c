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

/* The models of these tests, as a platform has its own. */
struct devices {
    uint64_t other;
    struct probe probe;
};

static struct bus_slot slot(uint32_t base, uint16_t size)
{
    return (struct bus_slot){
        .base = base, .size = size, .handle = probe_access, .device = offsetof(struct devices, probe)};
}

static bool dispatch(const struct bus_slot *slots, size_t count, struct devices *devices, struct bus_access *access)
{
    return bus_dispatch(bus_find(slots, count, access->address), devices, access);
}

static void every_address_is_found_or_not(void **state)
{
    const struct bus_slot slots[] = {
        slot(0x10, 4), slot(0x14, 1), slot(0x20, 0x10), slot(UINT32_MAX - 3, 4), /* the second touches its neighbour */
    };

    (void)state;
    for (uint64_t address = 0; address < 0x40; address++) {
        const struct bus_slot *found = bus_find(slots, array_size(slots), address);
        uint64_t base = address >= 0x20 && address < 0x30   ? 0x20
                        : address == 0x14                   ? 0x14
                        : address >= 0x10 && address < 0x14 ? 0x10
                                                            : 0;
        if (base == 0)
            assert_null(found);
        else
            assert_int_equal(found->base, base);
    }
    assert_ptr_equal(bus_find(slots, array_size(slots), UINT32_MAX), &slots[3]);
    assert_null(bus_find(slots, array_size(slots), (uint64_t)UINT32_MAX + 1));
    assert_null(bus_find(slots, array_size(slots), UINT64_MAX));
}

/* Tables of every length, asked at both ends of each slot and between them. */
static void tables_of_every_length_are_searched(void **state)
{
    struct bus_slot slots[32];

    (void)state;
    for (uint32_t i = 0; i < array_size(slots); i++)
        slots[i] = slot(0x10 * (i + 1), 0xf);
    for (size_t count = 0; count <= array_size(slots); count++)
        for (uint64_t address = 0; address < 0x10 * (array_size(slots) + 2); address++) {
            uint64_t number = address / 0x10;
            bool there = number >= 1 && number <= count && address % 0x10 != 0xf;
            assert_ptr_equal(bus_find(slots, count, address), there ? &slots[number - 1] : NULL);
        }
}

static void an_empty_bus_finds_nothing(void **state)
{
    struct bus_access access = {.address = 0, .size = 1};

    (void)state;
    assert_null(bus_find(NULL, 0, 0));
    assert_false(bus_dispatch(NULL, NULL, &access));
}

static void empty_places_read_all_ones(void **state)
{
    const struct bus_slot empty = {.base = 0x80, .size = 4};
    struct bus_access read = {.address = 0x80, .size = 4},
                      write = {.address = 0x83, .size = 1, .write = true, .value = 7};

    (void)state;
    assert_true(bus_dispatch(&empty, NULL, &read));
    assert_int_equal(read.value, 0xffffffff);
    assert_true(bus_dispatch(&empty, NULL, &write));
    assert_int_equal(write.value, 7);
}

static void accesses_across_an_end_are_refused(void **state)
{
    struct devices devices = {0};
    const struct bus_slot slots[] = {slot(0x100, 4), slot(0x104, 4), slot(UINT32_MAX - 7, 8)};
    struct bus_access access = {.address = 0x103, .size = 2, .write = true, .value = 7};
    struct bus_access last = {.address = UINT32_MAX, .size = 2};
    struct bus_access beyond = {.address = UINT64_MAX, .size = 8};

    (void)state;
    assert_false(dispatch(slots, array_size(slots), &devices, &access));
    access.address = 0x107;
    assert_false(dispatch(slots, array_size(slots), &devices, &access));
    access.address = 0xff;
    assert_false(dispatch(slots, array_size(slots), &devices, &access));
    assert_false(dispatch(slots, array_size(slots), &devices, &last));
    assert_false(dispatch(slots, array_size(slots), &devices, &beyond));
    assert_int_equal(devices.probe.cycles, 0);
}

static void odd_sizes_are_refused(void **state)
{
    static const uint8_t sizes[] = {0, 3, 5, 6, 7, 9, 16, 255};
    const struct bus_slot only = slot(0x100, 0x1000);
    struct devices devices = {0};

    (void)state;
    for (size_t i = 0; i < array_size(sizes); i++) {
        struct bus_access access = {.address = 0x100, .size = sizes[i]};
        assert_false(dispatch(&only, 1, &devices, &access));
    }
    assert_int_equal(devices.probe.cycles, 0);
}

static void handlers_see_offset_and_only_their_bits(void **state)
{
    const struct bus_slot only = slot(0x100, 8);
    struct devices devices = {.probe = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8}}};
    struct bus_access write = {.address = 0x104, .size = 2, .write = true, .value = 0x123456789abcdef0};
    struct bus_access read = {.address = 0x104, .size = 4, .value = UINT64_MAX};
    struct bus_access wide = {.address = 0x100, .size = 8};

    (void)state;
    assert_true(dispatch(&only, 1, &devices, &write));
    assert_int_equal(devices.probe.offset[0], 4);
    assert_int_equal(devices.probe.seen[0].value, 0xdef0);
    assert_true(dispatch(&only, 1, &devices, &read));
    assert_int_equal(read.value, 0x08070605);
    assert_true(dispatch(&only, 1, &devices, &wide));
    assert_int_equal(wide.value, 0x0807060504030201);
}

static void wide_accesses_reach_narrow_devices_in_pieces(void **state)
{
    struct bus_slot only = slot(0x100, 8);
    struct devices devices = {.probe = {.bytes = {0x11, 0x22, 0x33, 0x44}}};
    struct bus_access write = {.address = 0x101, .size = 2, .write = true, .value = 0xbbaa};
    struct bus_access read = {.address = 0x100, .size = 4};

    (void)state;
    only.width = 1;
    assert_true(dispatch(&only, 1, &devices, &write));
    assert_int_equal(devices.probe.cycles, 2);
    assert_int_equal(devices.probe.offset[0], 1);
    assert_int_equal(devices.probe.seen[0].value, 0xaa);
    assert_int_equal(devices.probe.seen[0].size, 1);
    assert_true(devices.probe.seen[0].write);
    assert_int_equal(devices.probe.offset[1], 2);
    assert_int_equal(devices.probe.seen[1].address, 0x102);
    assert_int_equal(devices.probe.seen[1].value, 0xbb);
    assert_int_equal(write.value, 0xbbaa);
    assert_true(dispatch(&only, 1, &devices, &read));
    assert_int_equal(devices.probe.cycles, 6);
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
        cmocka_unit_test(every_address_is_found_or_not),
        cmocka_unit_test(tables_of_every_length_are_searched),
        cmocka_unit_test(empty_places_read_all_ones),
        cmocka_unit_test(an_empty_bus_finds_nothing),
        cmocka_unit_test(accesses_across_an_end_are_refused),
        cmocka_unit_test(odd_sizes_are_refused),
        cmocka_unit_test(handlers_see_offset_and_only_their_bits),
        cmocka_unit_test(wide_accesses_reach_narrow_devices_in_pieces),
        cmocka_unit_test(all_ones_has_the_size_of_the_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
