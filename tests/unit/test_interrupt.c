/* Interrupt messages: decoding of the ICR, and who is reached, by brute force over small sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/interrupt.h"

static void test_icr_fields(void **state)
{
    (void)state;
    struct interrupt_message m = interrupt_from_x2apic_icr(0x123456780000c8a5u);
    assert_int_equal(m.destination, 0x12345678);
    assert_int_equal(m.vector, 0xa5);
    assert_int_equal(m.delivery, DELIVERY_FIXED);
    assert_true(m.logical);
    assert_true(m.assert_line);
    assert_true(m.level);
    assert_int_equal(m.shorthand, SHORTHAND_NONE);

    m = interrupt_from_x2apic_icr(0xc4500); /* what Linux sends as INIT, to all but itself */
    assert_int_equal(m.delivery, DELIVERY_INIT);
    assert_int_equal(m.shorthand, SHORTHAND_OTHERS);
    assert_true(m.assert_line);
    assert_false(m.level);
    assert_false(m.logical);
    assert_int_equal(m.destination, 0);
}

static void test_icr_each_bit_alone(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        struct interrupt_message m = interrupt_from_x2apic_icr((uint64_t)1 << bit);
        assert_int_equal(m.vector, bit < 8 ? 1u << bit : 0);
        assert_int_equal(m.delivery, bit >= 8 && bit < 11 ? 1u << (bit - 8) : 0);
        assert_int_equal(m.logical, bit == 11);
        assert_int_equal(m.assert_line, bit == 14);
        assert_int_equal(m.level, bit == 15);
        assert_int_equal(m.shorthand, bit == 18 || bit == 19 ? 1u << (bit - 18) : 0);
        assert_int_equal(m.destination, bit >= 32 ? 1u << (bit - 32) : 0);
    }
}

/* The rules again, in the words of the manual and one id at a time. */
static bool expect_match(const struct interrupt_message *m, uint32_t id, uint32_t index, uint32_t sender)
{
    if (m->shorthand == SHORTHAND_SELF)
        return index == sender;
    if (m->shorthand == SHORTHAND_OTHERS)
        return index != sender;
    if (m->shorthand == SHORTHAND_ALL || m->destination == 0xffffffff)
        return true;
    if (!m->logical)
        return m->destination == id;
    uint32_t logical_id = (id / 16 % 65536) * 65536 + (1u << id % 16);
    return (m->destination & 0xffff0000) == (logical_id & 0xffff0000) && (m->destination & logical_id & 0xffff) != 0;
}

static enum interrupt_verdict expect(const struct interrupt_message *m, const uint32_t *ids, uint32_t count,
                                     uint32_t sender, uint64_t *bits)
{
    *bits = 0;
    if (m->delivery == 2 || m->delivery == 3 || m->delivery > 6)
        return INTERRUPT_BAD_MODE;
    if (m->delivery <= 1 && m->vector < 16)
        return INTERRUPT_BAD_VECTOR;
    if (m->delivery == 5 && !m->assert_line)
        return INTERRUPT_NOTHING;
    for (uint32_t i = 0; i < count; i++)
        if (expect_match(m, ids[i], i, sender) && (m->delivery != 1 || *bits == 0))
            *bits |= (uint64_t)1 << i;
    return *bits != 0 ? INTERRUPT_DELIVER : INTERRUPT_NOTHING;
}

/* As partition_interrupt does. */
static enum interrupt_verdict resolve(const struct interrupt_message *m, const uint32_t *ids, uint32_t count,
                                      uint32_t sender, uint64_t *bits)
{
    *bits = 0;
    enum interrupt_verdict verdict = interrupt_judge(m);
    if (verdict != INTERRUPT_DELIVER)
        return verdict;
    for (uint32_t i = 0; i < count; i++)
        if (interrupt_reaches(m, i, sender, interrupt_matches(m, ids[i])) &&
            (m->delivery != DELIVERY_LOWEST || *bits == 0))
            *bits |= (uint64_t)1 << i;
    return *bits != 0 ? INTERRUPT_DELIVER : INTERRUPT_NOTHING;
}

static void check(const struct interrupt_message *m, const uint32_t *ids, uint32_t count, uint32_t sender)
{
    uint64_t want, got;
    assert_int_equal(resolve(m, ids, count, sender, &got), expect(m, ids, count, sender, &want));
    assert_true(got == want);
}

static void check_all_modes(struct interrupt_message m, const uint32_t *ids, uint32_t count)
{
    static const uint8_t vectors[] = {0, 15, 16, 255};
    for (unsigned delivery = 0; delivery < 9; delivery++)
        for (unsigned v = 0; v < array_size(vectors); v++)
            for (unsigned shorthand = 0; shorthand < 4; shorthand++)
                for (unsigned flags = 0; flags < 4; flags++)
                    for (uint32_t sender = 0; sender <= count; sender++) {
                        m.delivery = (uint8_t)delivery;
                        m.vector = vectors[v];
                        m.shorthand = (enum shorthand)shorthand;
                        m.level = (flags & 1) != 0;
                        m.assert_line = (flags & 2) != 0;
                        check(&m, ids, count, sender);
                    }
}

static void test_every_message_to_small_sets(void **state)
{
    (void)state;
    static const uint32_t sets[][4] = {{0, 1, 2, 3}, {3, 0, 17, 16}, {5, 255, 4096, 0xfffffffe}, {0x100000, 0, 31, 32}};
    static const uint32_t destinations[] = {0,  1,       2,       3,          4,          15,         16,
                                            17, 31,      32,      255,        4096,       0x10001,    0x10003,
                                            15, 0x1ffff, 0x20001, 0xffff4000, 0xffff8000, 0xfffffffe, 0xffffffff};
    for (unsigned set = 0; set < array_size(sets); set++)
        for (uint32_t count = 0; count <= 4; count++)
            for (unsigned d = 0; d < array_size(destinations); d++)
                for (unsigned logical = 0; logical < 2; logical++)
                    check_all_modes((struct interrupt_message){.destination = destinations[d], .logical = logical == 1},
                                    sets[set], count);
}

static void test_logical_flat_cluster_exhaustive(void **state)
{
    (void)state;
    static const uint32_t ids[] = {0, 5, 15, 16, 21};
    for (uint32_t cluster = 0; cluster < 3; cluster++)
        for (uint32_t mask = 0; mask < 0x10000; mask++)
            check(&(struct interrupt_message){.destination = cluster << 16 | mask,
                                              .logical = true,
                                              .delivery = mask & 1 ? DELIVERY_FIXED : DELIVERY_LOWEST,
                                              .vector = 0x30},
                  ids, array_size(ids), 0);
}

static void test_other_partitions_are_out_of_reach(void **state)
{
    (void)state;
    static const uint32_t ids[] = {2, 3};
    struct interrupt_message m = {.delivery = DELIVERY_NMI};
    for (uint32_t destination = 0; destination < 300; destination++) {
        m.destination = destination;
        assert_int_equal(interrupt_matches(&m, ids[0]), destination == 2);
        assert_int_equal(interrupt_matches(&m, ids[1]), destination == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_icr_fields),
        cmocka_unit_test(test_icr_each_bit_alone),
        cmocka_unit_test(test_every_message_to_small_sets),
        cmocka_unit_test(test_logical_flat_cluster_exhaustive),
        cmocka_unit_test(test_other_partitions_are_out_of_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
