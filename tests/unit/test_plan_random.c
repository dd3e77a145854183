/* The plan's builder, checker and list of what is free against a page-by-page oracle, on random small boxes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/plan_box.h"

enum { GRAIN = 512, BOX_SIZE = 16 * 1024 * 1024, GRAINS = BOX_SIZE / GRAIN, PER_PAGE = 4096 / GRAIN };

static uint64_t random_state;
static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % limit;
}

static struct range random_range(uint32_t size_limit)
{
    uint64_t base = random_below(GRAINS);
    uint64_t size = random_below(size_limit / GRAIN);
    return (struct range){base * GRAIN, (base + size > GRAINS ? GRAINS - base : size) * GRAIN};
}

static uint8_t usable[GRAINS], taken[GRAINS];

static void mark(uint8_t *map, struct range r)
{
    for (uint64_t i = r.base / GRAIN; i < range_end(r) / GRAIN; i++)
        map[i] = 1;
}

static void random_box(void)
{
    memset(usable, 0, sizeof usable);
    memset(taken, 0, sizeof taken);
    mark(taken, (struct range){0, MIB});
    machine.region_count = machine.module_count = 0;
    for (uint32_t i = 0, n = 1 + random_below(6); i < n; i++) {
        add_region(0, 0, MEMORY_USABLE);
        machine.regions[i].range = random_range(BOX_SIZE);
        mark(usable, machine.regions[i].range);
    }
    for (uint32_t i = 0, n = random_below(6); i < n; i++) {
        struct range r = random_range(64 * 1024);
        add_region(r.base, r.size, (enum memory_kind)(MEMORY_RESERVED + random_below(3)));
        mark(taken, r);
    }
    machine.hypervisor = random_range(MIB);
    mark(taken, machine.hypervisor);
    struct range module = random_range(MIB);
    add_module("vmlinuz", module.base, module.size);
    mark(taken, module);
    machine.caps.nested_2m = random_below(4) != 0;
}

static bool page_is_free(uint64_t page)
{
    for (uint64_t i = 0; i < PER_PAGE; i++)
        if (!usable[page * PER_PAGE + i] || taken[page * PER_PAGE + i])
            return false;
    return true;
}

/* The free runs are the free pages, each once. Returns how many pages. */
static uint64_t check_free(void)
{
    uint64_t pages = 0, listed = 0;
    struct range run = {0, 0};
    for (uint64_t page = 0; page < BOX_SIZE / PAGE_SIZE; page++)
        pages += page_is_free(page);
    while (plan_free_next(&plan, &machine, range_end(run), &run))
        for (uint64_t at = run.base; at < range_end(run); at += PAGE_SIZE, listed++)
            assert_true(page_is_free(at / PAGE_SIZE));
    assert_int_equal(listed, pages);
    return pages;
}

static void random_boxes(void **state)
{
    unsigned planned = 0, refused = 0;
    for (uint32_t seed = 0; seed < 400; seed++) {
        setup(state);
        random_state = seed;
        random_box();
        plan.partition_count = 0;
        check_free();
        for (uint32_t i = 0; i < 4; i++)
            add_partition("p", i, (1 + random_below(6 * 256)) * PAGE_SIZE);
        unsigned left_out = build();
        assert_int_equal(plan.partition_count + left_out, 4);
        assert_int_equal(lines(), left_out);
        bool fragmented = strstr(errors.text, "pieces") != NULL;
        assert_true(check());
        for (uint32_t i = 0; i < plan.partition_count; i++)
            for (uint32_t k = 0; k < plan.partitions[i].chunk_count; k++) {
                struct range r = {plan.partitions[i].chunks[k].hpa.raw, plan.partitions[i].chunks[k].size};
                for (uint64_t at = r.base; at < range_end(r); at += PAGE_SIZE)
                    assert_true(page_is_free(at / PAGE_SIZE));
                mark(taken, r);
            }
        uint64_t left = check_free() * PAGE_SIZE;
        for (uint32_t i = 0; i < 4 && !fragmented; i++) { /* nobody was left out who would have fitted */
            bool in_plan = false;
            for (uint32_t k = 0; k < plan.partition_count; k++)
                in_plan |= plan.partitions[k].config == &config.partitions[i];
            assert_true(in_plan || config.partitions[i].memory > left);
        }
        planned += plan.partition_count;
        refused += left_out;
    }
    assert_true(planned > 100 && refused > 100); /* both really happen */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_boxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
