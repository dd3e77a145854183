/* Instruction lengths: every instruction, every prefix, every cut; and the fetch through the guest's page tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86_64/svm/length.h"

#include <stdlib.h>
#include <string.h>

struct sample {
    enum svm_instruction instruction;
    uint8_t length;
    uint8_t bytes[4];
};

static const struct sample samples[SVM_INSTRUCTIONS] = {
    {SVM_CPUID, 2, {0x0f, 0xa2}},
    {SVM_RDMSR, 2, {0x0f, 0x32}},
    {SVM_WRMSR, 2, {0x0f, 0x30}},
    {SVM_VMMCALL, 3, {0x0f, 0x01, 0xd9}},
    {SVM_XSETBV, 3, {0x0f, 0x01, 0xd1}},
    {SVM_CACHE, 2, {0x0f, 0x08}},
    {SVM_HLT, 1, {0xf4}},
    {SVM_MOV_FROM_CR, 3, {0x0f, 0x20, 0xc3}},
    {SVM_MOV_TO_CR, 3, {0x0f, 0x22, 0xc3}},
};

/* The decoder must not look beyond `size`: the bytes lie at the end of a block of exactly that size. */
static enum decode_result decode(enum svm_instruction expected, bool long_mode, const uint8_t *bytes, size_t size,
                                 struct svm_length *out)
{
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    memset(out, 0xee, sizeof *out);
    enum decode_result result = svm_length_decode(expected, long_mode, exact, size, out);
    free(exact);
    return result;
}

static void expect(const struct sample *s, bool long_mode, const uint8_t *bytes, size_t size, enum decode_result wanted,
                   unsigned length)
{
    struct svm_length out;
    assert_int_equal(decode(s->instruction, long_mode, bytes, size, &out), wanted);
    assert_int_equal(out.bytes, wanted == DECODE_OK ? length : 0xee);
}

/* QEMU 7.2 tells both as WBINVD. */
static void both_cache_instructions_are_one(void **state)
{
    (void)state;
    const uint8_t wbinvd[] = {0x66, 0x0f, 0x09}, neither[] = {0x0f, 0x0a}, shifted[] = {0x10, 0x08};
    const struct sample *sample = &samples[SVM_CACHE];
    expect(sample, true, wbinvd, sizeof wbinvd, DECODE_OK, 3);
    expect(sample, true, neither, sizeof neither, DECODE_UNKNOWN, 0);
    expect(sample, true, shifted, sizeof shifted, DECODE_UNKNOWN, 0);
}

static void each_instruction_and_each_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_size(samples); i++)
        for (int long_mode = 0; long_mode < 2; long_mode++) {
            const struct sample *s = &samples[i];
            assert_int_equal(s->instruction, i);
            for (size_t cut = 0; cut < s->length; cut++)
                expect(s, long_mode, s->bytes, cut, DECODE_TRUNCATED, 0);
            expect(s, long_mode, s->bytes, s->length, DECODE_OK, s->length);
            expect(s, long_mode, s->bytes, sizeof s->bytes, DECODE_OK, s->length);
        }
}

static void another_instruction_is_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_size(samples); i++)
        for (size_t j = 0; j < array_size(samples); j++)
            if (i != j)
                expect(&samples[i], true, samples[j].bytes, samples[j].length, DECODE_UNKNOWN, 0);
}

static void prefixes_are_counted(void **state)
{
    (void)state;
    static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    for (size_t i = 0; i < array_size(samples); i++)
        for (size_t j = 0; j < array_size(prefixes); j++) {
            uint8_t bytes[8] = {prefixes[j], prefixes[(j + 1) % array_size(prefixes)]};
            memcpy(bytes + 2, samples[i].bytes, samples[i].length);
            expect(&samples[i], false, bytes, 2u + samples[i].length, DECODE_OK, 2u + samples[i].length);
        }
}

static void rex_exists_in_long_mode_only(void **state)
{
    (void)state;
    for (unsigned rex = 0x40; rex < 0x50; rex++) {
        uint8_t bytes[] = {(uint8_t)rex, 0x0f, 0xa2};
        expect(&samples[SVM_CPUID], true, bytes, sizeof bytes, DECODE_OK, 3);
        expect(&samples[SVM_CPUID], false, bytes, sizeof bytes, DECODE_UNKNOWN, 0);
    }
}

static void fifteen_bytes_and_no_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_size(samples); i++) {
        const struct sample *s = &samples[i];
        uint8_t bytes[DECODE_MAX_LENGTH + 4];
        memset(bytes, 0x66, sizeof bytes);
        memcpy(bytes + DECODE_MAX_LENGTH - s->length, s->bytes, s->length);
        expect(s, true, bytes, DECODE_MAX_LENGTH, DECODE_OK, DECODE_MAX_LENGTH);
        memset(bytes, 0x66, sizeof bytes);
        memcpy(bytes + DECODE_MAX_LENGTH - s->length + 1, s->bytes, s->length);
        expect(s, true, bytes, sizeof bytes, DECODE_TOO_LONG, 0);
    }
}

static unsigned gpr_of(bool long_mode, const uint8_t *bytes, size_t size)
{
    struct svm_length out;
    assert_int_equal(decode(SVM_MOV_TO_CR, long_mode, bytes, size, &out), DECODE_OK);
    return out.gpr;
}

static void general_registers(void **state)
{
    (void)state;
    for (uint8_t rm = 0; rm < 8; rm++) {
        const uint8_t lock[] = {0xf0, 0x0f, 0x22, (uint8_t)(0xc0 | rm)};
        const uint8_t rex_r[] = {0x44, 0x0f, 0x22, (uint8_t)(0xc0 | rm)};
        const uint8_t rex_rb[] = {0x45, 0x0f, 0x22, (uint8_t)(0xc0 | rm)};
        const uint8_t lost[] = {0x45, 0x66, 0x0f, 0x22, (uint8_t)(0xc0 | rm)};
        assert_int_equal(gpr_of(false, lock, sizeof lock), rm);
        assert_int_equal(gpr_of(true, rex_r, sizeof rex_r), rm);
        assert_int_equal(gpr_of(true, rex_rb, sizeof rex_rb), rm + 8);
        /* a REX prefix that is not the last prefix does nothing */
        assert_int_equal(gpr_of(true, lost, sizeof lost), rm);
    }
    struct svm_length out;
    assert_int_equal(decode(SVM_CPUID, true, samples[SVM_CPUID].bytes, 2, &out), DECODE_OK);
    assert_int_equal(out.gpr, 0);
}

/* ---- the fetch ---- */

#define RAM_SIZE 0x8000u
static uint8_t ram[RAM_SIZE];
static unsigned reads;

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    (void)context;
    reads++;
    if (from.raw > RAM_SIZE || size > RAM_SIZE - from.raw)
        return false;
    memcpy(to, ram + from.raw, size);
    return true;
}

static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    (void)context;
    if (to.raw > RAM_SIZE || size > RAM_SIZE - to.raw)
        return false;
    memcpy(ram + to.raw, from, size);
    return true;
}

static const struct guest_memory memory = {.read = ram_read, .write = ram_write, .physical_bits = 40};

static int fresh(void **state)
{
    (void)state;
    memset(ram, 0, sizeof ram);
    reads = 0;
    return 0;
}

static void put(uint64_t at, uint64_t entry) { memcpy(ram + at, &entry, sizeof entry); }

/* Tables at 1000h-4fffh; linear page n -> page[n], 0: not present. */
static struct vcpu_state_view long_mode_view(uint64_t page0, uint64_t page1)
{
    put(0x1000, 0x2003);
    put(0x2000, 0x3003);
    put(0x3000, 0x4003);
    put(0x4000, page0);
    put(0x4008, page1);
    return (struct vcpu_state_view){
        .cr0 = 0x80000001, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0x500, .cs_long = true, .rflags = 2};
}

static void found_through_page_tables(void **state)
{
    (void)state;
    struct vcpu_state_view view = long_mode_view(0x6003, 0);
    struct svm_length out;
    view.rip = 0x10;
    memcpy(ram + 0x6010, (uint8_t[]){0x48, 0x0f, 0x01, 0xd9}, 4);
    assert_true(svm_length_find(SVM_VMMCALL, &view, &memory, &out));
    assert_int_equal(out.bytes, 4);
    assert_false(svm_length_find(SVM_CPUID, &view, &memory, &out));
}

static void goes_on_in_the_next_page(void **state)
{
    (void)state;
    struct vcpu_state_view view = long_mode_view(0x6003, 0x5003); /* the second page lies below the first */
    struct svm_length out;
    for (unsigned inside = 1; inside < 3; inside++) {
        static const uint8_t bytes[] = {0x0f, 0x01, 0xd1};
        memset(ram + 0x5000, 0, 0x2000);
        memcpy(ram + 0x7000 - inside, bytes, inside);
        memcpy(ram + 0x5000, bytes + inside, 3 - inside);
        view.rip = 0x1000 - inside;
        assert_true(svm_length_find(SVM_XSETBV, &view, &memory, &out));
        assert_int_equal(out.bytes, 3);
    }
}

/* An instruction that ends with its page must not make the next one be looked at: it may not be there. */
static void stays_in_its_page(void **state)
{
    (void)state;
    struct vcpu_state_view view = long_mode_view(0x6003, 0);
    struct svm_length out;
    view.rip = 0xffe;
    memcpy(ram + 0x6ffe, (uint8_t[]){0x0f, 0xa2}, 2);
    assert_true(svm_length_find(SVM_CPUID, &view, &memory, &out));
    assert_int_equal(out.bytes, 2);
    assert_int_equal(reads, 5); /* four tables and the code */
    view.rip = 0xfff;
    ram[0x6fff] = 0x0f;
    assert_false(svm_length_find(SVM_CPUID, &view, &memory, &out));
}

static void real_mode_wraps_at_4_gib(void **state)
{
    (void)state;
    struct svm_length out;
    struct vcpu_state_view view = {.cs_base = 0x6000, .rip = 0x123, .rflags = 2};
    ram[0x6123] = 0xf4;
    assert_true(svm_length_find(SVM_HLT, &view, &memory, &out));
    assert_int_equal(out.bytes, 1);
    view.cs_base = 0xffff0000;
    view.rip = 0x17000; /* 0x7000 */
    ram[0x7000] = 0xf4;
    assert_true(svm_length_find(SVM_HLT, &view, &memory, &out));
}

static void code_that_cannot_be_read(void **state)
{
    (void)state;
    struct svm_length out;
    struct vcpu_state_view view = long_mode_view(0, 0);
    assert_false(svm_length_find(SVM_HLT, &view, &memory, &out)); /* not mapped */
    view = long_mode_view(0x100003, 0);
    assert_false(svm_length_find(SVM_HLT, &view, &memory, &out)); /* mapped to what is no RAM */
    view = long_mode_view(0x6003, 0);
    view.rip = 0x0000800000000000;
    assert_false(svm_length_find(SVM_HLT, &view, &memory, &out)); /* not canonical */
    view.cr3 = 0x100000;
    view.rip = 0;
    assert_false(svm_length_find(SVM_HLT, &view, &memory, &out)); /* tables outside RAM */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_cache_instructions_are_one),
        cmocka_unit_test(each_instruction_and_each_cut),
        cmocka_unit_test(another_instruction_is_unknown),
        cmocka_unit_test(prefixes_are_counted),
        cmocka_unit_test(rex_exists_in_long_mode_only),
        cmocka_unit_test(fifteen_bytes_and_no_more),
        cmocka_unit_test(general_registers),
        cmocka_unit_test_setup(found_through_page_tables, fresh),
        cmocka_unit_test_setup(goes_on_in_the_next_page, fresh),
        cmocka_unit_test_setup(stays_in_its_page, fresh),
        cmocka_unit_test_setup(real_mode_wraps_at_4_gib, fresh),
        cmocka_unit_test_setup(code_that_cannot_be_read, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
