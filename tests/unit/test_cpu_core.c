/*
 * Which core a CPU is a hyperthread of, from CPUID as real CPUs answer it: each case is the leaves of one of them, and
 * the ids of two CPUs that must or must not come out as one core.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/cpu_core.h"

static struct {
    uint32_t apic_id;
    uint32_t max_basic, max_extended;
    uint32_t logical;             /* leaf 1: ids of a package; 0: no HTT */
    uint32_t intel_cores;         /* leaf 4: ids of cores of a package */
    uint32_t shift, level, count; /* leaf Bh, subleaf 0; count 0: it says nothing */
    uint32_t amd_threads;         /* leaf 8000001Eh; 0: not there */
    bool amd;
} cpu;

static void read_leaf(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    memset(out, 0, sizeof *out);
    switch (leaf) {
    case 0:
        out->eax = cpu.max_basic;
        memcpy(&out->ebx, cpu.amd ? "Auth" : "Genu", 4);
        break;
    case 1:
        out->ebx = cpu.apic_id << 24 | cpu.logical << 16;
        out->edx = cpu.logical != 0 ? 1u << 28 : 0;
        break;
    case 4:
        out->eax = (cpu.intel_cores - 1) << 26 | 1u << 14 | 0x121;
        break;
    case 0xb:
        assert_int_equal(subleaf, 0);
        if (cpu.count != 0)
            *out = (struct cpuid_regs){cpu.shift | 0xffffffe0, cpu.count, cpu.level << 8, cpu.apic_id};
        break;
    case 0x80000000:
        out->eax = cpu.max_extended;
        break;
    case 0x80000001:
        out->ecx = cpu.amd_threads != 0 ? 1u << 22 : 0;
        break;
    case 0x8000001e:
        *out = (struct cpuid_regs){cpu.apic_id, (cpu.amd_threads - 1) << 8 | cpu.apic_id / 2, 0, 0};
        break;
    default:
        fail_msg("leaf 0x%x was read", leaf);
    }
}

static uint32_t core_of(uint32_t apic_id)
{
    struct cpu_core core;
    cpu.apic_id = apic_id;
    memset(&core, 0xa5, sizeof core);
    cpu_core_read(read_leaf, &core);
    assert_int_equal(core.apic_id, apic_id);
    return core.core;
}

static int setup(void **state)
{
    (void)state;
    memset(&cpu, 0, sizeof cpu);
    cpu.max_basic = 0x16;
    cpu.max_extended = 0x80000008;
    cpu.logical = 16;
    cpu.intel_cores = 8;
    return 0;
}

/* Leaf Bh is believed before all others, and has ids beyond 8 bits. */
static void two_threads_by_leaf_b(void **state)
{
    (void)state;
    cpu.shift = 1;
    cpu.level = 1;
    cpu.count = 2;
    cpu.logical = 1;
    assert_int_equal(core_of(0), core_of(1));
    assert_int_not_equal(core_of(1), core_of(2));
    assert_int_equal(core_of(2), core_of(3));
    assert_int_equal(core_of(0x10006), core_of(0x10007));
    assert_int_not_equal(core_of(0x10006), core_of(6));
    cpu.shift = 2; /* four threads, of which firmware has left some off: the ids keep their gaps */
    assert_int_equal(core_of(4), core_of(7));
    assert_int_not_equal(core_of(3), core_of(4));
}

static void one_thread_by_leaf_b(void **state)
{
    (void)state;
    cpu.shift = 0;
    cpu.level = 1;
    cpu.count = 1;
    assert_int_not_equal(core_of(0), core_of(1));
}

/* A first level that is not of threads says nothing of them. */
static void leaf_b_without_threads(void **state)
{
    (void)state;
    cpu.shift = 3;
    cpu.level = 2;
    cpu.count = 8;
    cpu.logical = 8;
    assert_int_not_equal(core_of(0), core_of(1));
}

static void intel_before_leaf_b(void **state)
{
    (void)state;
    cpu.max_basic = 4;
    assert_int_equal(core_of(0), core_of(1)); /* 16 ids, 8 of them cores */
    assert_int_not_equal(core_of(1), core_of(2));
    cpu.intel_cores = 16;
    assert_int_not_equal(core_of(0), core_of(1));
    cpu.intel_cores = 64; /* more cores than ids: nonsense, and each CPU is a core */
    assert_int_not_equal(core_of(0), core_of(1));
    cpu.max_basic = 2; /* without leaf 4: a package has one core */
    assert_int_equal(core_of(0), core_of(15));
    assert_int_not_equal(core_of(15), core_of(16));
}

static void amd_by_its_own_leaf(void **state)
{
    (void)state;
    cpu.amd = true;
    cpu.max_basic = 0xd;
    cpu.max_extended = 0x8000001f;
    cpu.amd_threads = 2;
    assert_int_equal(core_of(2), core_of(3));
    assert_int_not_equal(core_of(3), core_of(4));
    cpu.amd_threads = 1;
    assert_int_not_equal(core_of(2), core_of(3));
    cpu.amd_threads = 0; /* before family 15h: many CPUs a package, one thread a core */
    assert_int_not_equal(core_of(2), core_of(3));
}

static void one_cpu_a_package(void **state)
{
    (void)state;
    cpu.logical = 0;
    cpu.max_basic = 4;
    assert_int_not_equal(core_of(0), core_of(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_threads_by_leaf_b, setup),  cmocka_unit_test_setup(one_thread_by_leaf_b, setup),
        cmocka_unit_test_setup(leaf_b_without_threads, setup), cmocka_unit_test_setup(intel_before_leaf_b, setup),
        cmocka_unit_test_setup(amd_by_its_own_leaf, setup),    cmocka_unit_test_setup(one_cpu_a_package, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
