/*
 * Hyperthreads in the plan: the builder gives the threads of a core to one partition only, in words that say what to
 * do; the checker finds the same by itself in plans that were spoiled on purpose, and both agree on every small box.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/plan.h"

static struct machine machine;
static struct config config;
static struct plan plan;
static char said[4096];

static void say(struct sink *self, const char *text, size_t length)
{
    (void)self;
    assert_true(strlen(said) + length < sizeof said);
    strncat(said, text, length);
}
static struct sink errors = {say};

static void add_partition(const char *name, uint32_t line, uint32_t cpu_count, const uint32_t *cpus)
{
    struct config_partition *p = &config.partitions[config.partition_count++];
    strncpy(p->name, name, sizeof p->name - 1);
    p->place = (struct config_place){line, 1};
    p->cpus_place = (struct config_place){line + 1, 8};
    p->cpu_count = cpu_count;
    memcpy(p->cpus, cpus, cpu_count * sizeof *cpus);
    p->memory = MIB;
    p->interrupts = INTERRUPTS_VIRTUAL;
    p->kernel = (struct config_text){{"k", 1}, {line + 2, 1}};
}
#define ADD(name, line, ...)                                                                                           \
    add_partition(name, line, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                              \
                  (const uint32_t[]){__VA_ARGS__})

/* Four CPUs; `core` of each is given by the test. */
static int setup(void **state)
{
    (void)state;
    memset(&machine, 0, sizeof machine);
    memset(&config, 0, sizeof config);
    said[0] = '\0';
    machine.cpu_count = 4;
    for (uint32_t i = 0; i < 4; i++)
        machine.cpus[i] = (struct machine_cpu){.apic_id = i, .core = i / 2, .online = true};
    machine.caps = (struct cpu_caps){.nested_2m = true, .physical_bits = 40};
    machine.region_count = 1;
    machine.regions[0] = (struct machine_region){{MIB, 64 * MIB}, MEMORY_USABLE};
    machine.module_count = 1;
    machine.modules[0] = (struct machine_module){{32 * MIB, PAGE_SIZE}, "k"};
    return 0;
}

static unsigned build(void) { return plan_build("f", &config, &machine, &plan, &errors); }

static void threads_of_one_partition(void **state)
{
    (void)state;
    ADD("a", 10, 0, 1);
    ADD("b", 20, 3, 2);
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partition_count, 2);
    assert_true(plan_check(&plan, &machine, &errors));
    assert_string_equal(said, "");
}

/* A thread that nobody owns disturbs nobody. */
static void threads_left_idle(void **state)
{
    (void)state;
    ADD("a", 10, 0);
    ADD("b", 20, 2);
    assert_int_equal(build(), 0);
    assert_true(plan_check(&plan, &machine, &errors));
    assert_string_equal(said, "");
}

static void threads_of_two_partitions(void **state)
{
    (void)state;
    ADD("a", 10, 2, 0);
    ADD("b", 20, 1);
    ADD("c", 30, 3);
    assert_int_equal(build(), 2);
    assert_int_equal(plan.partition_count, 1);
    assert_string_equal(said,
                        "f:21:8: partition 'b': CPU 1 is a hyperthread of the same core as CPU 0 of partition 'a' "
                        "(line 11): give both to one partition, or write share_cores = yes under [box]\n"
                        "f:31:8: partition 'c': CPU 3 is a hyperthread of the same core as CPU 2 of partition 'a' "
                        "(line 11): give both to one partition, or write share_cores = yes under [box]\n");
    assert_true(plan_check(&plan, &machine, &errors));
}

/* A partition that is left out owns no core. */
static void threads_of_a_refused_partition(void **state)
{
    (void)state;
    ADD("a", 10, 0);
    ADD("b", 20, 1);
    config.partitions[0].refused = true;
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partition_count, 1);
    assert_string_equal(said, "");
}

static void threads_shared_on_purpose(void **state)
{
    (void)state;
    ADD("a", 10, 0, 2);
    ADD("b", 20, 1, 3);
    config.share_cores = true;
    assert_int_equal(build(), 0);
    assert_int_equal(plan.partition_count, 2);
    assert_true(plan_check(&plan, &machine, &errors));
    assert_string_equal(said, "");
}

static void checker_sees_a_core_with_two_owners(void **state)
{
    (void)state;
    ADD("a", 10, 0);
    ADD("b", 20, 2);
    assert_int_equal(build(), 0);
    machine.cpus[2].core = 0; /* as if the builder had not looked */
    assert_false(plan_check(&plan, &machine, &errors));
    assert_string_equal(said, "plan: CPU 0 of partition 'a' and CPU 2 of partition 'b' are threads of core 0\n");
    plan.share_cores = true;
    assert_true(plan_check(&plan, &machine, &errors));
}

/* All ways to number the cores of four CPUs and to give them to two partitions: builder and checker agree. */
static void builder_and_checker_agree(void **state)
{
    unsigned refused = 0;
    for (uint32_t cores = 0; cores < 256; cores++)
        for (uint32_t owners = 1; owners < 15; owners++) {
            uint32_t cpus[2][4], counts[2] = {0, 0};
            bool shared = false;
            setup(state);
            for (uint32_t i = 0; i < 4; i++) {
                uint32_t owner = owners >> i & 1;
                cpus[owner][counts[owner]++] = i;
                machine.cpus[i].core = cores >> 2 * i & 3;
                for (uint32_t k = 0; k < i; k++)
                    shared = shared || (machine.cpus[k].core == machine.cpus[i].core && (owners >> k & 1) != owner);
            }
            add_partition("a", 10, counts[0], cpus[0]);
            add_partition("b", 20, counts[1], cpus[1]);
            assert_int_equal(build(), shared);
            assert_true(plan_check(&plan, &machine, &errors));
            config.share_cores = true;
            assert_int_equal(build(), 0);
            plan.share_cores = false;
            assert_int_equal(plan_check(&plan, &machine, &errors), !shared);
            refused += shared;
        }
    assert_true(refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(threads_of_one_partition, setup),
        cmocka_unit_test_setup(threads_left_idle, setup),
        cmocka_unit_test_setup(threads_of_two_partitions, setup),
        cmocka_unit_test_setup(threads_of_a_refused_partition, setup),
        cmocka_unit_test_setup(threads_shared_on_purpose, setup),
        cmocka_unit_test_setup(checker_sees_a_core_with_two_owners, setup),
        cmocka_unit_test_setup(builder_and_checker_agree, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
