/* CPUID as guests see it, asked of made-up hosts: one that has everything, an Intel one, an AMD one, and old ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/cpuid.h"

#define BIT(n)      (1u << (n))
#define CR4_OSXSAVE ((uint64_t)1 << 18)
#define CR4_PKE     ((uint64_t)1 << 22)

/* A host whose every bit is 1: what is hidden must be hidden by us. */
static void host_full(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    (void)subleaf;
    *out = (struct cpuid_regs){~0u, ~0u, ~0u, ~0u};
    if (leaf == 0)
        out->eax = 0x30;
    if (leaf == 0x80000000)
        out->eax = 0x80000040;
}

struct host_row {
    uint32_t leaf, subleaf;
    struct cpuid_regs regs;
};

static const struct host_row *host_rows;
static size_t host_row_count;

static void host_table(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    *out = (struct cpuid_regs){0};
    for (size_t i = 0; i < host_row_count; i++)
        if (host_rows[i].leaf == leaf && host_rows[i].subleaf == subleaf)
            *out = host_rows[i].regs;
}

#define USE_HOST(table) (host_rows = (table), host_row_count = array_size(table))

static const struct host_row intel[] = {
    {0x0, 0, {0x1b, 0x756e6547, 0x6c65746e, 0x49656e69}},
    {0x1, 0, {0x50654, 0x07100800, 0x7ffefbff, 0xbfebfbff}},
    {0x2, 0, {0x76036301, 0xf0b5ff, 0, 0xc30000}},
    {0x4, 0, {0x1c004121, 0x01c0003f, 0x3f, 0}},
    {0x4, 1, {0x1c004122, 0x01c0003f, 0x3f, 0}},
    {0x4, 2, {0x1c004143, 0x03c0003f, 0x3ff, 0}},
    {0x4, 3, {0x1c03c163, 0x02c0003f, 0x7fff, 6}},
    {0x7, 0, {2, 0xd39ffffb, 0x00000008, 0xbc000400}},
    {0xd, 0, {0x2ff, 0xa88, 0xa88, 0}},
    {0xd, 1, {0xf, 0xa08, 0x100, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0xd, 3, {0x40, 0x3c0, 0, 0}},
    {0xd, 5, {0x40, 0x440, 0, 0}},
    {0xd, 6, {0x200, 0x480, 0, 0}},
    {0xd, 7, {0x400, 0x680, 0, 0}},
    {0xd, 9, {0x8, 0xa80, 0, 0}},
    {0x15, 0, {2, 168, 25000000, 0}},
    {0x80000000, 0, {0x80000008, 0, 0, 0}},
    {0x80000001, 0, {0, 0, 0x121, 0x2c100800}},
    {0x80000002, 0, {0x65746e49, 0x2952286c, 0x6f655820, 0x2952286e}},
    {0x80000006, 0, {0, 0, 0x01006040, 0}},
    {0x80000007, 0, {0, 0, 0, 0x100}},
    {0x80000008, 0, {0x302e, 0, 0, 0}},
};

static const struct host_row amd[] = {
    {0x0, 0, {0xd, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x1, 0, {0x800f11, 0x00100800, 0x7ed8320b, 0x178bfbff}},
    {0x7, 0, {0, 0x209c01a9, 0, 0}},
    {0xd, 0, {7, 0x340, 0x340, 0}},
    {0xd, 2, {0x100, 0x240, 0, 0}},
    {0x80000000, 0, {0x80000021, 0x68747541, 0x444d4163, 0x69746e65}},
    {0x80000001, 0, {0x800f11, 0x70000000, 0x35c233ff, 0x2fd3fbff}},
    {0x80000008, 0, {0x3930, 0x1007, 0x700f, 0}},
    {0x8000000a, 0, {1, 0x8000, 0, 0xffff}},
    {0x8000001d, 0, {0x4121, 0x01c0003f, 0x3f, 0}},
    {0x8000001d, 3, {0x1c163, 0x03c0003f, 0x1fff, 1}},
    {0x8000001e, 0, {5, 0x102, 0x303, 0}},
    {0x8000001f, 0, {0xf, 0x16f, 0xf, 1}},
    {0x80000021, 0, {0x14d, 0, 0, 0}},
};

static const uint32_t one_id[] = {6};
static const uint32_t sparse_ids[] = {2, 3, 17, 20};

static struct cpuid_guest single(void)
{
    return (struct cpuid_guest){.tsc_hz = 2100000000, .apic_id = 6, .cpu_count = 1, .apic_ids = one_id, .xcr0 = 1};
}

static struct cpuid_guest sparse(uint32_t index)
{
    return (struct cpuid_guest){.tsc_hz = 2100000000,
                                .apic_id = sparse_ids[index],
                                .cpu_index = index,
                                .cpu_count = 4,
                                .apic_ids = sparse_ids,
                                .xcr0 = 1};
}

static struct cpuid_regs ask(const struct cpuid_guest *guest, uint32_t leaf, uint32_t subleaf, cpuid_reader *host)
{
    struct cpuid_regs regs = {0xdead, 0xdead, 0xdead, 0xdead};
    cpuid_answer(guest, leaf, subleaf, host, &regs);
    return regs;
}

static bool is_zero(struct cpuid_regs r) { return (r.eax | r.ebx | r.ecx | r.edx) == 0; }

static void test_unlisted_leaves_are_zero(void **state)
{
    (void)state;
    struct cpuid_guest guest = single();
    static const uint32_t leaves[] = {
        3,          5,          8,          9,          0xa,        0xc,        0xe,        0xf,
        0x10,       0x11,       0x12,       0x13,       0x14,       0x17,       0x18,       0x19,
        0x1a,       0x1c,       0x1d,       0x1f,       0x20,       0x24,       0x3fffffff, 0x40000002,
        0x4000000f, 0x40000011, 0x40000100, 0x7fffffff, 0x80000009, 0x8000000a, 0x80000018, 0x8000001b,
        0x8000001c, 0x8000001f, 0x80000020, 0x80000022, 0x80000026, 0xc0000000, 0xffffffff};
    for (size_t i = 0; i < array_size(leaves); i++)
        for (uint32_t subleaf = 0; subleaf < 3; subleaf++)
            if (!is_zero(ask(&guest, leaves[i], subleaf, host_full)))
                fail_msg("leaf 0x%x.%u is shown", leaves[i], subleaf);
    assert_true(is_zero(ask(&guest, 7, 2, host_full)));
    assert_true(is_zero(ask(&guest, 7, 0xffffffff, host_full)));
}

static void test_leaf_0(void **state)
{
    (void)state;
    struct cpuid_guest guest = single();
    USE_HOST(intel);
    struct cpuid_regs r = ask(&guest, 0, 7, host_table);
    assert_int_equal(r.eax, 0x16);
    assert_memory_equal(&r.ebx, "Genu", 4);
    assert_memory_equal(&r.edx, "ineI", 4);
    assert_memory_equal(&r.ecx, "ntel", 4);
}

static void test_leaf_1_hides(void **state)
{
    (void)state;
    struct cpuid_guest guest = single();
    struct cpuid_regs r = ask(&guest, 1, 0, host_full);
    uint32_t hidden_ecx = BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(10) | BIT(11) | BIT(14) |
                          BIT(15) | BIT(16) | BIT(18) | BIT(27);
    uint32_t hidden_edx = BIT(7) | BIT(10) | BIT(12) | BIT(14) | BIT(18) | BIT(20) | BIT(21) | BIT(22) | BIT(28) |
                          BIT(29) | BIT(30) | BIT(31);
    assert_int_equal(r.ecx, ~hidden_ecx);
    assert_int_equal(r.edx, ~hidden_edx);
}

static void test_leaf_1_follows_host_and_guest(void **state)
{
    (void)state;
    USE_HOST(amd); /* no x2APIC, no TSC deadline */
    struct cpuid_guest guest = single();
    struct cpuid_regs r = ask(&guest, 1, 0, host_table);
    assert_int_equal(r.eax, 0x800f11);
    assert_int_equal(r.ebx, 6u << 24 | 1u << 16 | 0x800);
    assert_int_equal(r.ecx & (BIT(21) | BIT(24) | BIT(27) | BIT(31)), BIT(31));
    guest.cr4 = CR4_OSXSAVE;
    assert_true(ask(&guest, 1, 0, host_table).ecx & BIT(27));

    USE_HOST(intel);
    r = ask(&guest, 1, 0, host_table);
    assert_int_equal(r.ecx & (BIT(21) | BIT(24)), BIT(21) | BIT(24));
    assert_int_equal(r.edx & BIT(28), 0);

    guest = sparse(2);
    r = ask(&guest, 1, 0, host_table);
    assert_int_equal(r.ebx, 17u << 24 | 32u << 16 | 0x800); /* ids 2, 3, 17, 20 differ in 5 bits */
    assert_int_equal(r.edx & BIT(28), BIT(28));
}

static void test_leaf_1_wide_ids(void **state)
{
    (void)state;
    static const uint32_t ids[] = {0, 0x12345};
    struct cpuid_guest guest = {.apic_id = 0x12345, .cpu_index = 1, .cpu_count = 2, .apic_ids = ids};
    struct cpuid_regs r = ask(&guest, 1, 0, host_full);
    assert_int_equal(r.ebx >> 24, 0x45);
    assert_int_equal(r.ebx >> 16 & 0xff, 255);
}

static void test_leaf_7_hides(void **state)
{
    (void)state;
    struct cpuid_guest guest = single();
    struct cpuid_regs r = ask(&guest, 7, 0, host_full);
    assert_int_equal(r.eax, 1);
    assert_int_equal(~r.ebx, BIT(2) | BIT(4) | BIT(11) | BIT(12) | BIT(14) | BIT(15) | BIT(22) | BIT(25));
    assert_int_equal(r.ecx & (BIT(4) | BIT(5) | BIT(7) | BIT(13) | BIT(16) | BIT(23) | BIT(29) | BIT(30) | BIT(31)), 0);
    assert_int_equal(r.ecx & (BIT(2) | BIT(3) | BIT(22)), BIT(2) | BIT(3) | BIT(22));
    assert_int_equal(r.edx, BIT(2) | BIT(3) | BIT(4) | BIT(8) | BIT(10) | BIT(14) | BIT(23));
    guest.cr4 = CR4_PKE;
    assert_int_equal(ask(&guest, 7, 0, host_full).ecx & BIT(4), BIT(4));

    r = ask(&guest, 7, 1, host_full);
    assert_int_equal(r.eax & BIT(26), 0);
    assert_int_equal(r.eax & BIT(4), BIT(4));
    assert_true(r.ebx == 0 && r.ecx == 0 && r.edx == 0);
}

static const struct host_row no_pkru[] = {
    {0x0, 0, {0xd, 0x756e6547, 0, 0}}, {0x1, 0, {0, 0, BIT(26), 0}},   {0x7, 0, {0, 0, BIT(3), 0}},
    {0xd, 0, {0x67, 0, 0, 0}},         {0xd, 2, {0x100, 0x240, 0, 0}}, {0xd, 5, {0xffffffff, 0xffffffff, 0, 0}},
};

static void test_pku_needs_its_xsave_state(void **state)
{
    (void)state;
    USE_HOST(no_pkru);
    struct cpuid_guest guest = single();
    guest.cr4 = CR4_PKE;
    struct cpuid_regs r = ask(&guest, 7, 0, host_table);
    assert_int_equal(r.ecx & (BIT(3) | BIT(4)), 0);
    assert_int_equal(r.eax, 0);
}

static void test_xcr0_allowed(void **state)
{
    (void)state;
    assert_true(cpuid_xcr0_allowed(host_full) == 0x2e7); /* x87 SSE AVX AVX512 PKRU; not MPX, not AMX */
    USE_HOST(intel);
    assert_true(cpuid_xcr0_allowed(host_table) == 0x2e7);
    USE_HOST(amd);
    assert_true(cpuid_xcr0_allowed(host_table) == 0x7);
    USE_HOST(no_pkru); /* AVX512 in two of three parts */
    assert_true(cpuid_xcr0_allowed(host_table) == 0x7);

    struct host_row rows[] = {{0x0, 0, {0xd, 0, 0, 0}}, {0x1, 0, {0}}, {0xd, 0, {7, 0, 0, 0}}};
    USE_HOST(rows); /* no XSAVE */
    assert_true(cpuid_xcr0_allowed(host_table) == 0);
    struct cpuid_guest guest = single();
    guest.cr4 = CR4_OSXSAVE;
    assert_true(is_zero(ask(&guest, 0xd, 0, host_table)));
    assert_int_equal(ask(&guest, 1, 0, host_table).ecx & BIT(27), 0);
    rows[1].regs.ecx = BIT(26);
    rows[2].regs.eax = 5; /* AVX without SSE is none */
    assert_true(cpuid_xcr0_allowed(host_table) == 1);
}

static void test_leaf_d_sizes(void **state)
{
    (void)state;
    USE_HOST(intel);
    static const struct {
        uint64_t xcr0;
        uint32_t size;
    } cases[] = {{1, 576}, {3, 576}, {7, 0x340}, {0xe7, 0xa80}, {0x207, 0xa88}, {0x2e7, 0xa88}, {0x1f, 0x340}};
    for (size_t i = 0; i < array_size(cases); i++) {
        struct cpuid_guest guest = single();
        guest.xcr0 = cases[i].xcr0;
        struct cpuid_regs r = ask(&guest, 0xd, 0, host_table);
        assert_int_equal(r.eax, 0x2e7);
        assert_int_equal(r.edx, 0);
        assert_int_equal(r.ebx, cases[i].size);
        assert_int_equal(r.ecx, 0xa88);
    }
    USE_HOST(amd);
    struct cpuid_guest guest = single();
    assert_int_equal(ask(&guest, 0xd, 0, host_table).ecx, 0x340);
}

static void test_leaf_d_absurd_sizes_do_not_wrap(void **state)
{
    (void)state;
    struct cpuid_guest guest = single();
    guest.xcr0 = 7;
    assert_int_equal(ask(&guest, 0xd, 0, host_full).ebx, 0xffffffff);
}

static void test_leaf_d_components(void **state)
{
    (void)state;
    USE_HOST(intel);
    struct cpuid_guest guest = single();
    struct cpuid_regs r = ask(&guest, 0xd, 1, host_table);
    assert_true(r.eax == 1 && r.ebx == 0 && r.ecx == 0 && r.edx == 0); /* XSAVEOPT alone */
    r = ask(&guest, 0xd, 2, host_table);
    assert_true(r.eax == 0x100 && r.ebx == 0x240 && r.ecx == 0 && r.edx == 0);
    assert_true(is_zero(ask(&guest, 0xd, 3, host_table))); /* MPX */
    for (uint32_t subleaf = 0; subleaf < 70; subleaf++) {
        bool shown = !is_zero(ask(&guest, 0xd, subleaf, host_full));
        assert_int_equal(shown, subleaf < 3 || (subleaf >= 5 && subleaf <= 7) || subleaf == 9);
    }
    assert_true(is_zero(ask(&guest, 0xd, 0xffffffff, host_full)));
}

/* Every pair of vCPUs is one package apart in nothing but the core: for all sets of up to four of these ids. */
static void test_topology_of_any_ids(void **state)
{
    (void)state;
    static const uint32_t pool[] = {0, 1, 2, 5, 16, 17, 254, 255, 256, 0x1000, 0x12345, 0xfffffffe};
    for (uint32_t chosen = 1; chosen < 1u << array_size(pool); chosen++) {
        uint32_t ids[array_size(pool)];
        struct cpuid_guest guest = {.apic_ids = ids};
        for (uint32_t i = 0; i < array_size(pool); i++)
            if (chosen >> i & 1)
                ids[guest.cpu_count++] = pool[i];
        uint32_t first_package = 0;
        for (uint32_t i = 0; i < guest.cpu_count; i++) {
            guest.apic_id = ids[i];
            guest.cpu_index = i;
            struct cpuid_regs threads = ask(&guest, 0xb, 0, host_full);
            struct cpuid_regs cores = ask(&guest, 0xb, 1, host_full);
            assert_true(threads.eax == 0 && threads.ebx == 1 && threads.ecx == 0x100 && threads.edx == ids[i]);
            assert_true(cores.ebx == guest.cpu_count && cores.ecx == 0x201 && cores.edx == ids[i]);
            assert_true(cores.eax <= 32);
            uint32_t package = cores.eax < 32 ? ids[i] >> cores.eax : 0;
            if (i == 0)
                first_package = package;
            assert_int_equal(package, first_package);
            assert_true(cores.eax == 32 || guest.cpu_count <= 1u << cores.eax);
            if (guest.cpu_count == 1)
                assert_int_equal(cores.eax, 0);
        }
    }
}

static void test_topology_ends(void **state)
{
    (void)state;
    struct cpuid_guest guest = sparse(1);
    struct cpuid_regs r = ask(&guest, 0xb, 2, host_full);
    assert_true(r.eax == 0 && r.ebx == 0 && r.ecx == 2 && r.edx == 3);
    r = ask(&guest, 0xb, 0x1234, host_full);
    assert_true(r.eax == 0 && r.ebx == 0 && r.ecx == 0x34 && r.edx == 3);
}

static void test_cache_sharing(void **state)
{
    (void)state;
    USE_HOST(intel);
    struct cpuid_guest guest = sparse(0);
    for (uint32_t i = 0; i < 3; i++) {
        struct cpuid_regs r = ask(&guest, 4, i, host_table);
        assert_int_equal(r.eax >> 14 & 0xfff, 0); /* L1 and L2 are private */
        assert_int_equal(r.eax >> 26, 31);
        assert_int_equal(r.eax & 0x3fff, intel[3 + i].regs.eax & 0x3ff);
        assert_int_equal(r.ebx, intel[3 + i].regs.ebx);
    }
    struct cpuid_regs r = ask(&guest, 4, 3, host_table);
    assert_int_equal(r.eax >> 14 & 0xfff, 31);
    assert_int_equal(r.eax >> 26, 31);
    assert_int_equal(r.ecx, 0x7fff);
    assert_true(is_zero(ask(&guest, 4, 4, host_table)));

    guest = single();
    r = ask(&guest, 4, 3, host_table);
    assert_int_equal(r.eax >> 14, 0);
}

static void test_tsc_ratio_of_host_is_kept_when_true(void **state)
{
    (void)state;
    USE_HOST(intel);
    struct cpuid_guest guest = single(); /* 25 MHz * 168 / 2 = 2100 MHz */
    struct cpuid_regs r = ask(&guest, 0x15, 0, host_table);
    assert_true(r.eax == 2 && r.ebx == 168 && r.ecx == 25000000 && r.edx == 0);
    r = ask(&guest, 0x40000010, 0, host_table);
    assert_true(r.eax == 2100000 && r.ebx == 25000);

    guest.tsc_hz = 100000000; /* an emulator that shows the model's leaf but runs slower */
    r = ask(&guest, 0x15, 0, host_table);
    assert_true(r.eax == 1 && r.ebx == 1 && r.ecx == 100000000);
    r = ask(&guest, 0x40000010, 0, host_table);
    assert_true(r.eax == 100000 && r.ebx == 100000);
    r = ask(&guest, 0x16, 0, host_table);
    assert_true(r.eax == 100 && r.ebx == 100 && r.ecx == 0 && r.edx == 0);
}

/* What the hypervisor itself goes by where no timer counts. */
static void test_tsc_speed_as_the_cpu_tells_it(void **state)
{
    (void)state;
    USE_HOST(intel);
    assert_int_equal(cpuid_tsc_hz(host_table), 2100000000);
    USE_HOST(amd); /* has neither leaf */
    assert_int_equal(cpuid_tsc_hz(host_table), 0);
    static const struct host_row no_crystal[] = {
        {0, 0, {0x16, 0, 0, 0}}, {0x15, 0, {2, 216, 0, 0}}, {0x16, 0, {0xffff0000 | 2600, 3500, 100, 0}}};
    USE_HOST(no_crystal);
    assert_int_equal(cpuid_tsc_hz(host_table), 2600000000);
    static const struct host_row no_base[] = {{0, 0, {0x15, 0, 0, 0}}, {0x15, 0, {2, 216, 0, 0}}};
    USE_HOST(no_base);
    assert_int_equal(cpuid_tsc_hz(host_table), 0);
    static const struct host_row no_ratio[] = {{0, 0, {0x16, 0, 0, 0}}, {0x16, 0, {2600, 3500, 100, 0}}};
    USE_HOST(no_ratio);
    assert_int_equal(cpuid_tsc_hz(host_table), 0);
    static const struct host_row widest[] = {{0, 0, {0x15, 0, 0, 0}}, {0x15, 0, {1, UINT32_MAX, UINT32_MAX, 0}}};
    USE_HOST(widest);
    assert_true(cpuid_tsc_hz(host_table) == (uint64_t)UINT32_MAX * UINT32_MAX);
}

static void test_tsc_ratio_made_up(void **state)
{
    (void)state;
    USE_HOST(amd);
    struct cpuid_guest guest = single();
    static const uint64_t rates[] = {1, 999999999, 4294967295, 4294967296, 5000000001, 17179869184, 40000000000};
    for (size_t i = 0; i < array_size(rates); i++) {
        guest.tsc_hz = rates[i];
        struct cpuid_regs r = ask(&guest, 0x15, 0, host_table);
        assert_int_equal(r.eax, 1);
        uint64_t told = (uint64_t)r.ecx * r.ebx;
        assert_true(told <= rates[i] && rates[i] - told < r.ebx);
        assert_true(rates[i] > UINT32_MAX || r.ebx == 1);
    }
    guest.tsc_hz = 0;
    assert_true(is_zero(ask(&guest, 0x15, 0, host_table)));
    assert_true(is_zero(ask(&guest, 0x16, 0, host_table)));
    assert_true(is_zero(ask(&guest, 0x40000010, 0, host_table)));
}

static void test_hypervisor_leaves(void **state)
{
    (void)state;
    struct cpuid_guest guest = single();
    struct cpuid_regs r = ask(&guest, 0x40000000, 0, host_full);
    assert_int_equal(r.eax, 0x40000010);
    assert_memory_equal(&r.ebx, "KVMK", 4);
    assert_memory_equal(&r.ecx, "VMKV", 4);
    assert_memory_equal(&r.edx, "M\0\0\0", 4);
    r = ask(&guest, 0x40000001, 0, host_full);
    assert_int_equal(r.eax, BIT(1) | BIT(3) | BIT(24));
    assert_true(r.ebx == 0 && r.ecx == 0 && r.edx == 1);
}

static void test_extended_leaves(void **state)
{
    (void)state;
    struct cpuid_guest guest = single();
    USE_HOST(intel);
    assert_int_equal(ask(&guest, 0x80000000, 0, host_table).eax, 0x80000008);
    assert_int_equal(ask(&guest, 0x80000002, 0, host_table).eax, 0x65746e49);
    assert_true(is_zero(ask(&guest, 0x8000001e, 0, host_table)));
    struct cpuid_regs r = ask(&guest, 0x80000001, 0, host_table);
    assert_int_equal(r.edx, BIT(11) | BIT(20) | BIT(26) | BIT(27) | BIT(29));
    assert_int_equal(r.ecx, 0x121);
    r = ask(&guest, 0x80000008, 0, host_table);
    assert_true(r.eax == 0x302e && r.ebx == 0 && r.ecx == 0 && r.edx == 0);

    assert_int_equal(ask(&guest, 0x80000000, 0, host_full).eax, 0x80000021);
    r = ask(&guest, 0x80000001, 0, host_full);
    assert_int_equal(r.ecx & (BIT(1) | BIT(2) | BIT(3) | BIT(9) | BIT(10) | BIT(12) | BIT(15) | BIT(23) | BIT(29)), 0);
    assert_int_equal(r.edx & (BIT(7) | BIT(12) | BIT(14) | BIT(25)), 0);
    r = ask(&guest, 0x80000007, 0, host_full);
    assert_true(r.eax == 0 && r.ebx == 0 && r.ecx == 0 && r.edx == BIT(8));
    r = ask(&guest, 0x80000008, 0, host_full);
    assert_int_equal(r.eax, 0x30ff); /* five-level paging is hidden, so 48 linear bits */
    assert_int_equal(r.ebx, 5);
    assert_int_equal(ask(&guest, 0x80000021, 0, host_full).eax, BIT(0) | BIT(2) | BIT(6));
}

static void test_amd_topology(void **state)
{
    (void)state;
    USE_HOST(amd);
    struct cpuid_guest guest = sparse(3); /* id 20 of 2, 3, 17, 20: five bits */
    assert_int_equal(ask(&guest, 0x80000008, 0, host_table).ecx, 5u << 12 | 3);
    struct cpuid_regs r = ask(&guest, 0x8000001e, 0, host_table);
    assert_true(r.eax == 20 && r.ebx == 20 && r.ecx == 0 && r.edx == 0);
    assert_int_equal(ask(&guest, 0x8000001d, 0, host_table).eax, 0x121);
    assert_int_equal(ask(&guest, 0x8000001d, 3, host_table).eax, 31u << 14 | 0x163);
    assert_int_equal(ask(&guest, 0x80000001, 0, host_table).ecx & (BIT(1) | BIT(2)), BIT(1));
    assert_true(is_zero(ask(&guest, 0x8000000a, 0, host_table)));
    assert_true(is_zero(ask(&guest, 0x8000001f, 0, host_table)));

    guest = single();
    assert_int_equal(ask(&guest, 0x80000008, 0, host_table).ecx, 0);
    assert_int_equal(ask(&guest, 0x80000001, 0, host_table).ecx & BIT(1), 0);
    assert_int_equal(ask(&guest, 0x8000001e, 0, host_table).ebx, 0);
}

/* Intel answers a leaf above its maximum with its last leaf: nothing of that may get through. */
static void host_small(uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
    (void)subleaf;
    *out = (struct cpuid_regs){~0u, ~0u, ~0u, ~0u};
    if (leaf == 0)
        *out = (struct cpuid_regs){2, 0x756e6547, 0, 0};
}

static void test_leaves_above_the_hosts_maximum(void **state)
{
    (void)state;
    struct cpuid_guest guest = single();
    assert_true(is_zero(ask(&guest, 4, 0, host_small)));
    assert_true(is_zero(ask(&guest, 7, 0, host_small)));
    assert_true(is_zero(ask(&guest, 0xd, 0, host_small)));
    assert_int_equal(ask(&guest, 0x15, 0, host_small).ecx, 2100000000);
    assert_int_equal(ask(&guest, 1, 0, host_small).ecx & BIT(0), BIT(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unlisted_leaves_are_zero),
        cmocka_unit_test(test_leaf_0),
        cmocka_unit_test(test_leaf_1_hides),
        cmocka_unit_test(test_leaf_1_follows_host_and_guest),
        cmocka_unit_test(test_leaf_1_wide_ids),
        cmocka_unit_test(test_leaf_7_hides),
        cmocka_unit_test(test_pku_needs_its_xsave_state),
        cmocka_unit_test(test_xcr0_allowed),
        cmocka_unit_test(test_leaf_d_sizes),
        cmocka_unit_test(test_leaf_d_absurd_sizes_do_not_wrap),
        cmocka_unit_test(test_leaf_d_components),
        cmocka_unit_test(test_topology_of_any_ids),
        cmocka_unit_test(test_topology_ends),
        cmocka_unit_test(test_cache_sharing),
        cmocka_unit_test(test_tsc_ratio_of_host_is_kept_when_true),
        cmocka_unit_test(test_tsc_speed_as_the_cpu_tells_it),
        cmocka_unit_test(test_tsc_ratio_made_up),
        cmocka_unit_test(test_hypervisor_leaves),
        cmocka_unit_test(test_extended_leaves),
        cmocka_unit_test(test_amd_topology),
        cmocka_unit_test(test_leaves_above_the_hosts_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
