/*
 * Remembered instructions: what is remembered is used again as long as nothing that led to it has changed, and
 * everything else goes the general way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/fast_memory.h"

#include <string.h>

#include "core/acpi_tables.h"
#include "core/exit_handle.h"
#include "core/lifecycle.h"
#include "tests/unit/fake_backend.h"
#include "tests/unit/fake_cpu.h"
#include "tests/unit/fake_guest.h"

#define MEMORY   (64 * KIB)
#define ENTRY    7u /* present, writable, user */
#define ACCESSED 0x20u
#define LARGE    0x80u
#define VERSION  0x170020u

/* The second chunk of RAM, which lies elsewhere, begins at the page directory. */
enum {
    ROOT = 0x1000,
    POINTERS = 0x2000,
    SPLIT = 0x3000,
    DIRECTORY = 0x3000,
    TABLE = 0x4000,
    CODE = 0x5000,
    DEVICES = 0x6000
};
enum { CODE_LINEAR = 0x7000, OTHER_CODE = 0x8000 };

static struct partition *p;
static struct vcpu *vcpu;
static struct fake_vcpu *fake;
static struct fast_access access_;

static void put64(uint64_t at, uint64_t value) { assert_true(partition_write(p, gpa(at), &value, sizeof value)); }

static void put_code(uint64_t at, const uint8_t *bytes, size_t size)
{
    uint8_t page[PAGE_SIZE];
    memset(page, 0x90, sizeof page);
    assert_true(partition_write(p, gpa(CODE), page, sizeof page));
    assert_true(partition_write(p, gpa(at), bytes, size));
}

/* Linear CODE_LINEAR is CODE by a table of 4 KiB pages; the fourth GiB's devices are where they are. */
static void put_tables(void)
{
    put64(ROOT, POINTERS | ENTRY);
    put64(POINTERS, DIRECTORY | ENTRY);
    put64(DIRECTORY, TABLE | ENTRY);
    put64(TABLE + 8 * (CODE_LINEAR >> 12), CODE | ENTRY);
    put64(POINTERS + 8 * 3, DEVICES | ENTRY);
    put64(DEVICES + 8 * ((GUEST_IOAPIC_BASE >> 21) & 511), (GUEST_IOAPIC_BASE & ~0x1fffffull) | ENTRY | LARGE);
}

static int setup(void **state)
{
    (void)state;
    fake_guest_setup(BOOT_FLAT, MEMORY, SPLIT);
    fake_guest_module("demo", 16);
    fake_guest.config.load = fake_guest.config.entry = 0x1000;
    fake_cpu_setup();
    p = fake_backend_setup(1);
    assert_int_equal(lifecycle_ask(p, GOAL_START), LIFECYCLE_ACCEPTED);
    assert_true(lifecycle_obey(&p->vcpus[0], &fake_backend_table));
    vcpu = &p->vcpus[0];
    memset(&vcpu->codes, 0, sizeof vcpu->codes); /* the vCPUs outlive a test */
    fake = fake_vcpu_of(vcpu);
    fake->view = (struct vcpu_state_view){
        .rip = CODE_LINEAR, .cr0 = 0x80000001, .cr3 = ROOT, .cr4 = 0x20, .efer = 0x500, .cs_long = true, .rflags = 2};
    put_tables();
    vcpu->gpr[GPR_RSI] = GUEST_IOAPIC_BASE;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_backend_teardown();
    fake_guest_teardown();
    return 0;
}

/* The general way; the guest goes on after the instruction. */
static void general(uint64_t address, bool write)
{
    struct exit exit = {.kind = EXIT_MEMORY, .address = address, .write = write, .own = true};
    fake->advances = 0;
    exit_handle(vcpu, &fake_backend_table, &exit);
    assert_int_equal(fake->advances, 1);
}

static uint8_t fast(uint64_t address, bool write)
{
    access_ = (struct fast_access){
        .rip = fake->view.rip, .cr3 = fake->view.cr3, .cr4 = fake->view.cr4, .address = address, .write = write};
    return fast_memory(vcpu, &access_);
}

static const uint8_t load_window[] = {0x8b, 0x46, 0x10};           /* mov eax, [rsi + 16] */
static const uint8_t store_select[] = {0x89, 0x0e};                /* mov [rsi], ecx */
static const uint8_t store_immediate[] = {0xc7, 0x06, 1, 0, 0, 0}; /* mov dword [rsi], 1 */

/* IOREGSEL is 1: the version register. */
static void learn_load(void)
{
    put_code(CODE, store_immediate, sizeof store_immediate);
    general(GUEST_IOAPIC_BASE, true);
    put_code(CODE, load_window, sizeof load_window);
    vcpu->gpr[GPR_RAX] = UINT64_MAX;
    general(GUEST_IOAPIC_BASE + 0x10, false);
    assert_true(vcpu->gpr[GPR_RAX] == VERSION);
    vcpu->gpr[GPR_RAX] = UINT64_MAX;
}

static void expect_known(void)
{
    uint64_t before = vcpu->stats.exits[EXIT_MEMORY];
    vcpu->gpr[GPR_RAX] = UINT64_MAX;
    assert_int_equal(fast(GUEST_IOAPIC_BASE + 0x10, false), sizeof load_window);
    assert_true(vcpu->gpr[GPR_RAX] == VERSION);
    assert_int_equal(vcpu->stats.exits[EXIT_MEMORY], before + 1);
}

static void expect_unknown(void)
{
    uint64_t before = vcpu->stats.exits[EXIT_MEMORY];
    vcpu->gpr[GPR_RAX] = UINT64_MAX;
    assert_int_equal(fast(GUEST_IOAPIC_BASE + 0x10, false), 0);
    assert_true(vcpu->gpr[GPR_RAX] == UINT64_MAX);
    assert_int_equal(vcpu->stats.exits[EXIT_MEMORY], before);
}

static void a_load_is_remembered(void **state)
{
    (void)state;
    put_code(CODE, load_window, sizeof load_window);
    expect_unknown();
    learn_load();
    expect_known();
    expect_known();
}

static void stores_are_remembered(void **state)
{
    (void)state;
    put_code(CODE, store_select, sizeof store_select);
    vcpu->gpr[GPR_RCX] = 0x10;
    assert_int_equal(fast(GUEST_IOAPIC_BASE, true), 0);
    general(GUEST_IOAPIC_BASE, true);
    vcpu->gpr[GPR_RCX] = 0x12;
    assert_int_equal(fast(GUEST_IOAPIC_BASE, true), sizeof store_select);
    assert_int_equal(platform_quick_read(p->platform, GUEST_IOAPIC_BASE), 0x12);

    put_code(CODE, store_immediate, sizeof store_immediate);
    general(GUEST_IOAPIC_BASE, true);
    vcpu->gpr[GPR_RCX] = 0x55;
    assert_int_equal(platform_quick_read(p->platform, GUEST_IOAPIC_BASE), 1);
    assert_true(platform_quick_write(p->platform, GUEST_IOAPIC_BASE, 0));
    assert_int_equal(fast(GUEST_IOAPIC_BASE, true), sizeof store_immediate);
    assert_int_equal(platform_quick_read(p->platform, GUEST_IOAPIC_BASE), 1);
}

/* A store to the redirection table may send a message: it is known, and goes the general way all the same. */
static void what_may_send_goes_the_general_way(void **state)
{
    (void)state;
    static const uint8_t store_window[] = {0x89, 0x4e, 0x10};
    put_code(CODE, store_window, sizeof store_window);
    for (unsigned i = 0; i < 3; i++) {
        general(GUEST_IOAPIC_BASE + 0x10, true);
        assert_int_equal(fast(GUEST_IOAPIC_BASE + 0x10, true), 0);
        assert_non_null(fast_memory_find(vcpu, &access_));
    }
}

/* The general way uses what is known too: the entry of the table arrives, and the walk is not made. */
static void the_general_way_knows_it_too(void **state)
{
    (void)state;
    static const uint8_t store_window[] = {0x89, 0x4e, 0x10};
    assert_true(platform_quick_write(p->platform, GUEST_IOAPIC_BASE, 0x10));
    put_code(CODE, store_window, sizeof store_window);
    vcpu->gpr[GPR_RCX] = 0x10031;
    general(GUEST_IOAPIC_BASE + 0x10, true);
    put64(DEVICES + 8 * ((GUEST_IOAPIC_BASE >> 21) & 511), 0); /* the CPU has its translation still */
    vcpu->gpr[GPR_RCX] = 0x10032;
    general(GUEST_IOAPIC_BASE + 0x10, true);
    assert_int_equal(fake->advanced_by, sizeof store_window);
    assert_int_equal(platform_quick_read(p->platform, GUEST_IOAPIC_BASE + 0x10), 0x10032);
    /* An access to the guest's tables has the address of the table, whatever the instruction says. */
    struct exit exit = {.kind = EXIT_MEMORY, .address = GUEST_IOAPIC_BASE + 0x10, .write = true};
    vcpu->gpr[GPR_RCX] = 0x10033;
    exit_handle(vcpu, &fake_backend_table, &exit);
    assert_int_equal(platform_quick_read(p->platform, GUEST_IOAPIC_BASE + 0x10), 0x10032);
    assert_int_equal(fake->exceptions, 1);
}

/* Both want the same slot: the general way knows both, and the fast one the newer. */
static void two_do_not_drive_each_other_out(void **state)
{
    (void)state;
    learn_load();
    assert_true(partition_write(p, gpa(CODE + 16), load_window, sizeof load_window));
    fake->view.rip += 16;
    general(GUEST_IOAPIC_BASE + 0x10, false);
    expect_known();
    assert_non_null(fast_memory_find(vcpu, &access_));
    fake->view.rip -= 16;
    expect_unknown();
    for (unsigned i = 0; i < 2; i++) {
        assert_non_null(fast_memory_find(vcpu, &access_));
        general(GUEST_IOAPIC_BASE + 0x10, false);
        assert_true(vcpu->gpr[GPR_RAX] == VERSION);
    }
}

static void changed_code_is_noticed(void **state)
{
    (void)state;
    learn_load();
    for (size_t i = 0; i < sizeof load_window; i++) {
        uint8_t other = load_window[i] ^ 0x20, same = load_window[i];
        assert_true(partition_write(p, gpa(CODE + i), &other, 1));
        expect_unknown();
        assert_true(partition_write(p, gpa(CODE + i), &same, 1));
        expect_known();
    }
    uint8_t behind = 0xcc;
    assert_true(partition_write(p, gpa(CODE + sizeof load_window), &behind, 1));
    expect_known();
}

static void changed_tables_are_noticed(void **state)
{
    (void)state;
    static const uint64_t entries[] = {ROOT, POINTERS, DIRECTORY, TABLE + 8 * (CODE_LINEAR >> 12)};
    learn_load();
    for (size_t i = 0; i < array_size(entries); i++) {
        uint64_t entry;
        assert_true(partition_read(p, gpa(entries[i]), &entry, sizeof entry));
        assert_true(entry & ACCESSED);
        for (unsigned bit = 0; bit < 64; bit++) {
            put64(entries[i], entry ^ (uint64_t)1 << bit);
            expect_unknown();
        }
        put64(entries[i], entry);
        expect_known();
    }
}

static void another_address_space_is_another(void **state)
{
    (void)state;
    learn_load();
    fake->view.cr3 = ROOT | 8;
    expect_unknown();
    fake->view.cr3 = ROOT;
    fake->view.cr4 |= 0x1000; /* LA57 */
    expect_unknown();
    fake->view.cr4 = 0x20 | 0x80; /* a bit that does not matter here */
    expect_known();
    fake->view.rip += 16; /* the same slot */
    expect_unknown();
    fake->view.rip -= 16;
    vcpu->gpr[GPR_RAX] = 5;
    assert_int_equal(fast(GUEST_IOAPIC_BASE + 0x10, true), 0); /* a load that writes */
    expect_known();
}

static void the_address_must_be_the_instructions(void **state)
{
    (void)state;
    learn_load();
    assert_int_equal(fast(GUEST_IOAPIC_BASE, false), 0);
    assert_int_equal(fast(GUEST_IOAPIC_BASE + 0x11, false), 0);
    vcpu->gpr[GPR_RSI] += 4;
    expect_unknown();
    vcpu->gpr[GPR_RSI] += 0x1000 - 4; /* another linear page, which leads where the CPU says */
    expect_known();
    /* The operand begins on the page before; the CPU names the second half of it. */
    vcpu->gpr[GPR_RSI] = GUEST_IOAPIC_BASE - 0x10 - 2;
    assert_int_equal(fast(GUEST_IOAPIC_BASE, false), 0);
    vcpu->gpr[GPR_RSI] = GUEST_IOAPIC_BASE + 0xffe - 0x10;
    assert_int_equal(fast(GUEST_IOAPIC_BASE + 0xffe, false), 0);
    assert_null(fast_memory_find(vcpu, &access_));
}

static void expect_not_learned(const uint8_t *bytes, size_t size, uint64_t at, bool write)
{
    memset(&vcpu->codes, 0, sizeof vcpu->codes);
    put_code(at, bytes, size);
    fake->view.rip = CODE_LINEAR + at % PAGE_SIZE;
    general(GUEST_IOAPIC_BASE + 0x10, write);
    for (uint32_t i = 0; i < FAST_CODE_SLOTS; i++)
        assert_int_equal(vcpu->codes[i].count, 0);
}

static void other_instructions_are_not(void **state)
{
    (void)state;
    static const uint8_t byte[] = {0x8a, 0x46, 0x10}, word[] = {0x66, 0x8b, 0x46, 0x10},
                         quad[] = {0x48, 0x8b, 0x46, 0x10}, widen[] = {0x0f, 0xb6, 0x46, 0x10},
                         add[] = {0x03, 0x46, 0x10}, or_memory[] = {0x09, 0x46, 0x10},
                         index[] = {0x8b, 0x44, 0x2e, 0x10}, fs[] = {0x64, 0x8b, 0x46, 0x10},
                         narrow[] = {0x67, 0x8b, 0x46, 0x10}, stack[] = {0x8b, 0x44, 0x24, 0x10},
                         to_stack[] = {0x8b, 0x66, 0x10}, exchange[] = {0x87, 0x46, 0x10},
                         far_store[] = {0x41, 0xc7, 0x86, 0, 0, 0, 0, 1, 0, 0, 0};
    vcpu->gpr[GPR_RSP] = GUEST_IOAPIC_BASE;
    vcpu->gpr[GPR_R14] = GUEST_IOAPIC_BASE + 0x10;
    vcpu->gpr[GPR_RBP] = 0;
    expect_not_learned(byte, sizeof byte, CODE, false);
    expect_not_learned(word, sizeof word, CODE, false);
    expect_not_learned(quad, sizeof quad, CODE, false);
    expect_not_learned(widen, sizeof widen, CODE, false);
    expect_not_learned(add, sizeof add, CODE, false);
    expect_not_learned(or_memory, sizeof or_memory, CODE, true);
    expect_not_learned(index, sizeof index, CODE, false);
    expect_not_learned(fs, sizeof fs, CODE, false);
    expect_not_learned(narrow, sizeof narrow, CODE, false);
    expect_not_learned(stack, sizeof stack, CODE, false);
    expect_not_learned(to_stack, sizeof to_stack, CODE, false);
    vcpu->gpr[GPR_RSP] = GUEST_IOAPIC_BASE;
    expect_not_learned(exchange, sizeof exchange, CODE, true);
    expect_not_learned(far_store, sizeof far_store, CODE, true);                      /* more than eight bytes */
    expect_not_learned(load_window, sizeof load_window, CODE + PAGE_SIZE - 7, false); /* eight pass the page's end */
    expect_not_learned(load_window, sizeof load_window, CODE + PAGE_SIZE - 3, false);
}

static void other_modes_are_not(void **state)
{
    (void)state;
    fake->view.cs_long = false; /* 32-bit code of a 64-bit kernel */
    fake->view.cs_default32 = true;
    expect_not_learned(load_window, sizeof load_window, CODE, false);
    fake->view.efer = 0;
    fake->view.cr0 = 1;
    fake->view.cs_base = UINT64_MAX - CODE_LINEAR + CODE + 1;
    expect_not_learned(load_window, sizeof load_window, CODE, false);
}

/* All slots empty: not even what zeros would describe is taken for known. */
static void nothing_is_known_at_first(void **state)
{
    (void)state;
    fake->view.rip = fake->view.cr3 = fake->view.cr4 = 0;
    vcpu->gpr[GPR_RAX] = 0x5000; /* the operand's place, were all zeros an instruction */
    assert_int_equal(fast(GUEST_IOAPIC_BASE, false), 0);
    assert_int_equal(vcpu->gpr[GPR_RAX], 0x5000);
}

static void rip_relative_operands_have_one_place(void **state)
{
    (void)state;
    uint8_t relative[] = {0x8b, 0x05, 0, 0, 0, 0};
    uint32_t distance = GUEST_IOAPIC_BASE + 0x10 - (CODE_LINEAR + sizeof relative);
    /* Sign-extended, that is 4 GiB below: mapped there too, by the last entry of the root. */
    memcpy(relative + 2, &distance, sizeof distance);
    put64(ROOT + 8 * 511, POINTERS | ENTRY);
    put64(POINTERS + 8 * 511, DEVICES | ENTRY);
    put_code(CODE, relative, sizeof relative);
    assert_true(platform_quick_write(p->platform, GUEST_IOAPIC_BASE, 1));
    general(GUEST_IOAPIC_BASE + 0x10, false);
    vcpu->gpr[GPR_RAX] = 0;
    assert_int_equal(fast(GUEST_IOAPIC_BASE + 0x10, false), sizeof relative);
    assert_true(vcpu->gpr[GPR_RAX] == VERSION);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_load_is_remembered),
        TEST(stores_are_remembered),
        TEST(what_may_send_goes_the_general_way),
        TEST(the_general_way_knows_it_too),
        TEST(two_do_not_drive_each_other_out),
        TEST(changed_code_is_noticed),
        TEST(changed_tables_are_noticed),
        TEST(another_address_space_is_another),
        TEST(the_address_must_be_the_instructions),
        TEST(other_instructions_are_not),
        TEST(other_modes_are_not),
        TEST(nothing_is_known_at_first),
        TEST(rip_relative_operands_have_one_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
