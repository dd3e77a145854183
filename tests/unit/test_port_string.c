/* INS and OUTS: every size, direction, width and segment, REP and its bound, faults in the middle, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/port_string.h"

#include <string.h>

#include "core/bytes.h"

#define RAM_SIZE 0x20000u
#define CODE     0x1000u
#define DATA     0x4000u
#define EFER_LMA ((uint64_t)1 << 10)
#define FLAG_DF  ((uint64_t)1 << 10)

enum { PORT = 0x1f0, PAGES_AT = 0x10000, CALLS_MAX = 256 };

static uint8_t ram[RAM_SIZE];
static struct vcpu vcpu;
static struct vcpu_state_view view;
static struct mmio_outcome outcome;
static struct bus_access calls[CALLS_MAX];
static unsigned call_count;
static bool port_answers;

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    (void)context;
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

/* The port reads as A1A2A3A0h + the number of the access, and everything above its size is rubbish. */
static bool port_access(void *context, struct bus_access *access)
{
    assert_ptr_equal(context, calls);
    assert_true(call_count < CALLS_MAX);
    if (!access->write)
        access->value = 0xffffffffa1a2a3a0ull + call_count;
    calls[call_count++] = *access;
    return port_answers;
}

/* Flat 32-bit code without paging, RSI and RDI at DATA. */
static int setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i < RAM_SIZE; i++)
        ram[i] = (uint8_t)(i * 7 + (i >> 8));
    memset(&vcpu, 0, sizeof vcpu);
    vcpu.gpr[GPR_RSI] = vcpu.gpr[GPR_RDI] = 0xffffffff00000000 | DATA;
    view = (struct vcpu_state_view){.rip = CODE, .cr0 = 1, .cs_default32 = true, .rflags = 2};
    call_count = 0;
    port_answers = true;
    return 0;
}

/* Puts `bytes` at CS:RIP and emulates them as an access of `size` bytes. */
static enum mmio_result run(const char *bytes, size_t length, uint8_t size, bool write)
{
    uint64_t at = view.rip + (view.cs_long ? 0 : view.cs_base);
    if (at + length <= RAM_SIZE)
        memcpy(ram + at, bytes, length);
    struct exit exit = {.kind = EXIT_PORT, .size = size, .write = write, .string = true, .address = PORT};
    return port_string_emulate(&vcpu, &view, &exit, &memory, port_access, calls, &outcome);
}
#define RUN(bytes, size, write) run(bytes, sizeof(bytes) - 1, size, write)

static void expect_call(unsigned number, uint8_t size, bool write, uint64_t value)
{
    assert_true(number < call_count);
    assert_int_equal(calls[number].address, PORT);
    assert_int_equal(calls[number].size, size);
    assert_int_equal(calls[number].write, write);
    assert_int_equal(calls[number].value, value);
}

static void outs_of_every_size(void **state)
{
    (void)state;
    static const uint8_t sizes[] = {1, 2, 4};
    static const char *const code[] = {"\x6e", "\x66\x6f", "\x6f"};
    for (unsigned i = 0; i < 3; i++) {
        vcpu.gpr[GPR_RSI] = DATA;
        assert_int_equal(run(code[i], strlen(code[i]), sizes[i], true), MMIO_DONE);
        assert_int_equal(outcome.length, strlen(code[i]));
        expect_call(i, sizes[i], true, load32(ram + DATA) & (UINT32_MAX >> (32 - 8 * sizes[i])));
        assert_int_equal(vcpu.gpr[GPR_RSI], DATA + sizes[i]);
    }
    assert_int_equal(vcpu.gpr[GPR_RDI], 0xffffffff00000000 | DATA);
    assert_int_equal(call_count, 3);
}

static void ins_stores_its_size_only(void **state)
{
    (void)state;
    static const uint8_t sizes[] = {1, 2, 4};
    static const char *const code[] = {"\x6c", "\x66\x6d", "\x6d"};
    for (unsigned i = 0; i < 3; i++) {
        uint8_t after = ram[DATA + sizes[i]];
        vcpu.gpr[GPR_RDI] = DATA;
        assert_int_equal(run(code[i], strlen(code[i]), sizes[i], false), MMIO_DONE);
        uint32_t value = 0xa1a2a3a0u + i;
        assert_memory_equal(ram + DATA, &value, sizes[i]);
        assert_int_equal(ram[DATA + sizes[i]], after);
        assert_int_equal(vcpu.gpr[GPR_RDI], DATA + sizes[i]);
    }
}

static void rep_counts_down(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RCX] = 0xabcd00000000 | 3;
    assert_int_equal(RUN("\xf3\x6e", 1, true), MMIO_DONE);
    assert_int_equal(call_count, 3);
    for (unsigned i = 0; i < 3; i++)
        expect_call(i, 1, true, ram[DATA + i]);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0);
    assert_int_equal(vcpu.gpr[GPR_RSI], DATA + 3);
    assert_int_equal(RUN("\xf2\x6e", 1, true), MMIO_DONE); /* REPNE is the same; RCX is 0 */
    assert_int_equal(call_count, 3);
}

static void rep_is_bounded(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RCX] = MMIO_MAX_ELEMENTS + 1;
    assert_int_equal(RUN("\xf3\x66\x6d", 2, false), MMIO_AGAIN);
    assert_int_equal(call_count, MMIO_MAX_ELEMENTS);
    assert_int_equal(vcpu.gpr[GPR_RCX], 1);
    assert_int_equal(vcpu.gpr[GPR_RDI], DATA + 2 * MMIO_MAX_ELEMENTS);
    assert_int_equal(RUN("\xf3\x66\x6d", 2, false), MMIO_DONE);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0);
    vcpu.gpr[GPR_RCX] = MMIO_MAX_ELEMENTS;
    assert_int_equal(RUN("\xf3\x66\x6d", 2, false), MMIO_DONE);
}

static void the_direction_flag_goes_down(void **state)
{
    (void)state;
    view.rflags |= FLAG_DF;
    vcpu.gpr[GPR_RCX] = 2;
    assert_int_equal(RUN("\xf3\x6f", 4, true), MMIO_DONE);
    expect_call(0, 4, true, load32(ram + DATA));
    expect_call(1, 4, true, load32(ram + DATA - 4));
    assert_int_equal(vcpu.gpr[GPR_RSI], DATA - 8);
}

/* Real mode: 16-bit registers wrap, their upper parts stay, segments have bases. */
static void sixteen_bit_code(void **state)
{
    (void)state;
    view = (struct vcpu_state_view){.rip = 0x10, .cs_base = CODE, .ds_base = 0x2000, .es_base = 0x3000, .rflags = 2};
    vcpu.gpr[GPR_RSI] = 0x1234ffff;
    vcpu.gpr[GPR_RCX] = 0x56780002;
    assert_int_equal(RUN("\xf3\x6e", 1, true), MMIO_DONE);
    expect_call(0, 1, true, ram[0x2000 + 0xffff]);
    expect_call(1, 1, true, ram[0x2000]);
    assert_int_equal(vcpu.gpr[GPR_RSI], 0x12340001);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0x56780000);
    vcpu.gpr[GPR_RDI] = 0x10;
    assert_int_equal(RUN("\x67\x6c", 1, false), MMIO_DONE); /* 32-bit addresses */
    assert_int_equal(ram[0x3010], 0xa2);
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x11);
}

static void an_address_size_prefix_narrows(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RSI] = 0x10000 | DATA; /* 32-bit code with 16-bit addresses */
    assert_int_equal(RUN("\x67\x6e", 1, true), MMIO_DONE);
    expect_call(0, 1, true, ram[DATA]);
    assert_int_equal(vcpu.gpr[GPR_RSI], 0x10000 | (DATA + 1));
}

static void segment_overrides(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"\x26", "\x2e", "\x36", "\x3e", "\x64", "\x65"};
    view.es_base = 0x100;
    view.ss_base = 0x300;
    view.ds_base = 0x400;
    view.fs_base = 0x500;
    view.gs_base = 0x600;
    for (unsigned i = 0; i < 6; i++) {
        char code[3] = {prefixes[i][0], 0x6e, 0};
        vcpu.gpr[GPR_RSI] = DATA;
        assert_int_equal(run(code, 2, 1, true), MMIO_DONE);
        expect_call(i, 1, true, ram[DATA + (i == 1 ? 0 : (i + 1) * 0x100)]);
    }
    vcpu.gpr[GPR_RDI] = DATA;
    assert_int_equal(RUN("\x65\x6c", 1, false), MMIO_DONE); /* INS has no override */
    assert_int_equal(ram[DATA + 0x100], 0xa6);
}

/* Identity map of 2 MiB by one large page; 64-bit code. */
static void long_mode(void)
{
    memset(ram + PAGES_AT, 0, 0x3000);
    uint64_t entries[] = {(PAGES_AT + 0x1000) | 3, (PAGES_AT + 0x2000) | 3, 0x83};
    for (unsigned i = 0; i < 3; i++)
        memcpy(ram + PAGES_AT + i * 0x1000, &entries[i], 8);
    view = (struct vcpu_state_view){.rip = CODE,
                                    .cr0 = 0x80000001,
                                    .cr3 = PAGES_AT,
                                    .cr4 = 0x20,
                                    .efer = EFER_LMA | 0x100,
                                    .cs_long = true,
                                    .rflags = 2,
                                    .ds_base = 0x100,
                                    .fs_base = 0x200};
}

static void sixty_four_bit_code(void **state)
{
    (void)state;
    long_mode();
    vcpu.gpr[GPR_RSI] = DATA;
    vcpu.gpr[GPR_RCX] = 2;
    assert_int_equal(RUN("\xf3\x48\x6f", 4, true), MMIO_DONE); /* REX is allowed; DS has no base */
    assert_int_equal(outcome.length, 3);
    expect_call(1, 4, true, load32(ram + DATA + 4));
    assert_int_equal(vcpu.gpr[GPR_RSI], DATA + 8);
    assert_int_equal(RUN("\x64\x6e", 1, true), MMIO_DONE);
    expect_call(2, 1, true, ram[DATA + 8 + 0x200]);
    vcpu.gpr[GPR_RSI] = 0xffffffff00000000 | DATA;
    assert_int_equal(RUN("\x67\x6e", 1, true), MMIO_DONE);
    expect_call(3, 1, true, ram[DATA]);
    assert_int_equal(vcpu.gpr[GPR_RSI], DATA + 1); /* a 32-bit result clears the upper half */
}

static void a_fault_comes_before_the_port(void **state)
{
    (void)state;
    long_mode();
    vcpu.gpr[GPR_RDI] = 0x200000;
    assert_int_equal(RUN("\x6c", 1, false), MMIO_EXCEPTION);
    assert_int_equal(outcome.vector, VECTOR_PF);
    assert_int_equal(outcome.error_code, PAGE_FAULT_WRITE);
    assert_int_equal(outcome.cr2, 0x200000);
    assert_int_equal(call_count, 0);
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x200000);
    vcpu.gpr[GPR_RDI] = (uint64_t)1 << 60;
    assert_int_equal(RUN("\x6c", 1, false), MMIO_EXCEPTION);
    assert_int_equal(outcome.vector, VECTOR_GP);
    vcpu.gpr[GPR_RSI] = (uint64_t)1 << 60;
    assert_int_equal(RUN("\x36\x6e", 1, true), MMIO_EXCEPTION);
    assert_int_equal(outcome.vector, VECTOR_GP); /* an override by SS does nothing in 64-bit mode */
    assert_int_equal(call_count, 0);
}

static void a_fault_in_the_middle_keeps_what_is_done(void **state)
{
    (void)state;
    long_mode();
    vcpu.gpr[GPR_RDI] = 0x1ffffe; /* not RAM here, so the first access is refused */
    vcpu.gpr[GPR_RCX] = 4;
    assert_int_equal(RUN("\xf3\x6c", 1, false), MMIO_UNKNOWN);
    assert_int_equal(vcpu.gpr[GPR_RCX], 4);
    vcpu.gpr[GPR_RDI] = RAM_SIZE - 2;
    assert_int_equal(RUN("\xf3\x6c", 1, false), MMIO_UNKNOWN);
    assert_string_equal(outcome.reason, "its memory operand is not the guest's RAM");
    assert_int_equal(call_count, 2);
    assert_int_equal(vcpu.gpr[GPR_RCX], 2);
    assert_int_equal(vcpu.gpr[GPR_RDI], RAM_SIZE);
}

static void an_element_may_cross_a_page(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RDI] = DATA + 0xffe;
    assert_int_equal(RUN("\x6d", 4, false), MMIO_DONE);
    uint32_t value = 0xa1a2a3a0;
    assert_memory_equal(ram + DATA + 0xffe, &value, 4);
    vcpu.gpr[GPR_RSI] = DATA + 0xffe;
    assert_int_equal(RUN("\x6f", 4, true), MMIO_DONE);
    expect_call(1, 4, true, value);
}

static void refuses_what_is_not_the_instruction(void **state)
{
    (void)state;
    static const char gone[] = "the instruction is no longer the one that exited";
    assert_int_equal(RUN("\x90", 1, true), MMIO_UNKNOWN);
    assert_string_equal(outcome.reason, "the decoder does not know the instruction");
    assert_int_equal(outcome.bytes[0], 0x90);
    assert_int_equal(RUN("\xaa", 1, true), MMIO_UNKNOWN); /* STOS, which it does know */
    assert_string_equal(outcome.reason, gone);
    assert_int_equal(RUN("\x6c", 1, true), MMIO_UNKNOWN); /* the other direction */
    assert_string_equal(outcome.reason, gone);
    assert_int_equal(RUN("\x48\x6e", 1, true), MMIO_UNKNOWN); /* DEC EAX */
    assert_int_equal(RUN("\x6e", 2, true), MMIO_UNKNOWN); /* another size */
    assert_string_equal(outcome.reason, gone);
    assert_int_equal(run("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x6e", 16, 1, true),
                     MMIO_EXCEPTION);
    assert_int_equal(outcome.vector, VECTOR_GP);
    view.rip = RAM_SIZE;
    assert_int_equal(RUN("\x6e", 1, true), MMIO_UNKNOWN);
    assert_string_equal(outcome.reason, "the instruction lies outside the guest's RAM");
    assert_int_equal(call_count, 0);
}

static void says_when_the_port_is_silent(void **state)
{
    (void)state;
    port_answers = false;
    assert_int_equal(RUN("\x6e", 1, true), MMIO_UNKNOWN);
    assert_string_equal(outcome.reason, "the port does not answer");
    assert_int_equal(vcpu.gpr[GPR_RSI], 0xffffffff00000000 | DATA);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(outs_of_every_size),
        TEST(ins_stores_its_size_only),
        TEST(rep_counts_down),
        TEST(rep_is_bounded),
        TEST(the_direction_flag_goes_down),
        TEST(sixteen_bit_code),
        TEST(an_address_size_prefix_narrows),
        TEST(segment_overrides),
        TEST(sixty_four_bit_code),
        TEST(a_fault_comes_before_the_port),
        TEST(a_fault_in_the_middle_keeps_what_is_done),
        TEST(an_element_may_cross_a_page),
        TEST(refuses_what_is_not_the_instruction),
        TEST(says_when_the_port_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
