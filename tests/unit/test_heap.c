/*
 * The hypervisor's heap: what lies in pages of its own, what lies close together, and that nothing overlaps. Only the
 * addresses are looked at; the mappings are noted in place of arch/x86_64/paging.c, which takes a table now and then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86_64/heap.h"

#include <string.h>

#include "arch/x86_64/layout.h"
#include "arch/x86_64/paging.h"
#include "tests/unit/fake_phys.h"

#define BASE  0x40000u
#define PAGES 32u
#define FIRST LAYOUT_SLOT((uint64_t)PML4_HEAP)

static bool mapped[PAGES];
static uint32_t tables_wanted; /* that the next paging_map takes */

bool paging_map(uint64_t address, hpa_t to, uint64_t size, unsigned rights)
{
    assert_int_equal(rights, PAGING_WRITE);
    assert_int_equal(address - FIRST, to.raw - BASE);
    for (uint64_t page = (to.raw - BASE) / PAGE_SIZE; page < (to.raw - BASE + size) / PAGE_SIZE; page++) {
        assert_false(mapped[page]);
        mapped[page] = true;
    }
    for (; tables_wanted != 0; tables_wanted--) {
        hpa_t table;
        if (!heap_take_page(&table))
            return false;
    }
    return true;
}

static int setup(void **state)
{
    (void)state;
    fake_phys_setup(BASE, PAGES * PAGE_SIZE);
    memset(fake_phys_at(BASE, PAGES * PAGE_SIZE), 0xcc, PAGES * PAGE_SIZE);
    memset(mapped, 0, sizeof mapped);
    tables_wanted = 0;
    heap_init((struct range){BASE, PAGES * PAGE_SIZE});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_phys_teardown();
    return 0;
}

static uint64_t offset_of(const void *object) { return (uint64_t)(uintptr_t)object - FIRST; }

/* Takes `size` bytes, which must be zero and mapped; their offset. */
static uint64_t take(uint64_t size)
{
    void *object = heap_alloc(size);
    assert_non_null(object);
    uint64_t at = offset_of(object);
    assert_int_equal(heap_phys(object).raw, BASE + at);
    for (uint64_t i = 0; i < size; i++) {
        uint8_t *byte = fake_phys_at(BASE + at + i, 1);
        assert_int_equal(*byte, 0);
        *byte = 0xee; /* somebody's: an object that overlaps it is not zero */
        assert_true(mapped[(at + i) / PAGE_SIZE]);
    }
    return at;
}

static void small_objects_lie_close_together(void **state)
{
    (void)state;
    assert_int_equal(take(40), 0);
    assert_int_equal(take(64), 64);
    assert_int_equal(take(65), 128);
    assert_int_equal(take(PAGE_SIZE - 256 + 1), 256); /* one byte into the next page */
    assert_int_equal(heap_used(), 2 * PAGE_SIZE);
    assert_int_equal(take(8), PAGE_SIZE + 64);
}

static void whole_pages_begin_a_page(void **state)
{
    (void)state;
    assert_int_equal(take(40), 0);
    assert_int_equal(take(PAGE_SIZE), PAGE_SIZE);
    assert_int_equal(take(3 * PAGE_SIZE), 2 * PAGE_SIZE);
    assert_int_equal(take(40), 64); /* the room in the first page is still there */
    assert_int_equal(heap_used(), 5 * PAGE_SIZE);
}

static void what_does_not_fit_before_a_page_goes_behind_it(void **state)
{
    (void)state;
    hpa_t page;
    assert_int_equal(take(40), 0);
    assert_true(heap_take_page(&page));
    assert_int_equal(page.raw, BASE + PAGE_SIZE);
    assert_int_equal(take(PAGE_SIZE + 1), 2 * PAGE_SIZE);
    assert_int_equal(take(PAGE_SIZE - 64), 3 * PAGE_SIZE + 64);
}

static void tables_of_a_mapping_are_nobodys_room(void **state)
{
    (void)state;
    tables_wanted = 2;
    assert_int_equal(take(40), 0);
    assert_int_equal(heap_used(), 3 * PAGE_SIZE);
    assert_int_equal(take(PAGE_SIZE + 1), 3 * PAGE_SIZE);
    assert_false(mapped[1]);
    assert_false(mapped[2]);
}

static void refuses_what_is_not_there(void **state)
{
    (void)state;
    assert_null(heap_alloc(0));
    assert_null(heap_alloc(UINT64_MAX));
    assert_null(heap_alloc(PAGES * PAGE_SIZE + 1));
    assert_int_equal(heap_used(), 0);
    assert_int_equal(take(PAGES * PAGE_SIZE - 64), 0);
    assert_null(heap_alloc(65));
    assert_int_equal(take(1), PAGES * PAGE_SIZE - 64);
    assert_null(heap_alloc(1));
    assert_null(heap_alloc(PAGE_SIZE));
}

static void hands_out_nothing_once_closed(void **state)
{
    (void)state;
    hpa_t page;
    assert_int_equal(take(40), 0);
    heap_close();
    assert_null(heap_alloc(1));
    assert_false(heap_take_page(&page));
    assert_int_equal(heap_used(), PAGE_SIZE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(small_objects_lie_close_together),
        TEST(whole_pages_begin_a_page),
        TEST(what_does_not_fit_before_a_page_goes_behind_it),
        TEST(tables_of_a_mapping_are_nobodys_room),
        TEST(refuses_what_is_not_there),
        TEST(hands_out_nothing_once_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
