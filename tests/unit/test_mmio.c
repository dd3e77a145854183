/* Device-memory emulation: registers, devices, RAM and flags after each instruction; the flags against the real CPU's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mmio.h"

#include <string.h>

enum { RAM_SIZE = 0x10000, CODE = 0x8000, DATA = 0x9000, DEVICE_SIZE = 0x1000, MAX_LOG = 256 };
#define DEVICE    0xfee00000u
#define CR0_PE    1u
#define CR0_PG    ((uint64_t)1 << 31)
#define CR4_PAE   0x20u
#define EFER_LMA  0x400u
#define EFER_NXE  0x800u
#define FLAG_CF   0x1u
#define FLAG_DF   0x400u
#define FLAGS_ALL 0x8d5u /* OF SF ZF AF PF CF */
#define FLAG_AF   0x10u
#define PTE_PWU   7u
#define PTE_PS    0x80u
#define PTE_XD    ((uint64_t)1 << 63)

static struct {
    uint8_t ram[RAM_SIZE];
    uint8_t device[DEVICE_SIZE];
    struct bus_access log[MAX_LOG];
    unsigned logged;
    unsigned refuse_at; /* the access with this number is refused; 0: none */
    bool absent;        /* no device at all */
} box;

static struct vcpu vcpu;
static struct vcpu_state_view view;
static struct mmio_outcome out;

static bool ram_read(void *context, gpa_t from, void *to, size_t size)
{
    (void)context;
    if (from.raw > RAM_SIZE || size > RAM_SIZE - from.raw)
        return false;
    memcpy(to, box.ram + from.raw, size);
    return true;
}

static bool ram_write(void *context, gpa_t to, const void *from, size_t size)
{
    (void)context;
    if (to.raw > RAM_SIZE || size > RAM_SIZE - to.raw)
        return false;
    memcpy(box.ram + to.raw, from, size);
    return true;
}

static const struct guest_memory memory = {ram_read, ram_write, NULL, 40};

static bool device_access(void *context, struct bus_access *a)
{
    assert_ptr_equal(context, &box);
    assert_true(box.logged < MAX_LOG);
    if (box.absent || box.logged + 1 == box.refuse_at || a->address < DEVICE ||
        a->address - DEVICE + a->size > DEVICE_SIZE)
        return false;
    if (a->write)
        memcpy(box.device + (a->address - DEVICE), &a->value, a->size);
    else
        memcpy(&a->value, box.device + (a->address - DEVICE), a->size);
    box.log[box.logged++] = *a;
    /* Whatever a model leaves above the bytes asked for must not reach the guest. */
    if (!a->write && a->size < 8)
        a->value |= UINT64_MAX << 8 * a->size;
    return true;
}

static uint64_t device64(unsigned offset)
{
    uint64_t value;
    memcpy(&value, box.device + offset, 8);
    return value;
}

static void put64(uint64_t at, uint64_t value) { memcpy(box.ram + at, &value, 8); }

/* 64-bit mode. Linear 0..2 MiB is RAM one to one; linear 0x200000 + n is the device's 2 MiB region. */
static int setup64(void **state)
{
    (void)state;
    memset(&box, 0, sizeof box);
    memset(&vcpu, 0, sizeof vcpu);
    put64(0x1000, 0x2000 | PTE_PWU);
    put64(0x2000, 0x3000 | PTE_PWU);
    put64(0x3000, 0x0 | PTE_PWU | PTE_PS);
    put64(0x3008, DEVICE | PTE_PWU | PTE_PS);
    for (unsigned i = 0; i < DEVICE_SIZE; i++)
        box.device[i] = (uint8_t)(i * 7 + 0x83);
    view = (struct vcpu_state_view){.rip = CODE,
                                    .cr0 = CR0_PE | CR0_PG,
                                    .cr3 = 0x1000,
                                    .cr4 = CR4_PAE,
                                    .efer = EFER_LMA | EFER_NXE,
                                    .cs_long = true,
                                    .rflags = 2};
    for (unsigned i = 0; i < GPRS; i++)
        vcpu.gpr[i] = 0x1111111111111111u * i;
    vcpu.gpr[GPR_RDI] = 0x200010;
    return 0;
}

/* Protected mode without paging, and real mode. */
static int setup32(void **state)
{
    setup64(state);
    view = (struct vcpu_state_view){.rip = CODE, .cr0 = CR0_PE, .cs_default32 = true, .rflags = 2};
    vcpu.gpr[GPR_RDI] = DEVICE + 0x10;
    return 0;
}

static int setup16(void **state)
{
    setup64(state);
    view = (struct vcpu_state_view){.rip = 0x10, .cs_base = CODE - 0x10, .rflags = 2, .es_base = DEVICE};
    vcpu.gpr[GPR_RDI] = 0x10;
    return 0;
}

static enum mmio_result run_at(uint64_t fault, const uint8_t *code, size_t length)
{
    memcpy(box.ram + CODE, code, length);
    memset(&out, 0xcc, sizeof out);
    return mmio_emulate(&vcpu, &view, gpa(fault), &memory, device_access, &box, &out);
}

#define run(...) run_at(DEVICE + 0x10, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define done(...)                                                                                                      \
    do {                                                                                                               \
        assert_int_equal(run(__VA_ARGS__), MMIO_DONE);                                                                 \
        assert_int_equal(out.length, sizeof((const uint8_t[]){__VA_ARGS__}));                                          \
    } while (0)

static void expect_access(unsigned number, unsigned offset, unsigned size, bool write, uint64_t value)
{
    assert_true(number < box.logged);
    assert_int_equal(box.log[number].address, DEVICE + offset);
    assert_int_equal(box.log[number].size, size);
    assert_int_equal(box.log[number].write, write);
    assert_int_equal(box.log[number].value, value);
}

static void mov_stores(void **state)
{
    (void)state;
    done(0x89, 0x0f); /* mov %ecx, (%rdi) */
    expect_access(0, 0x10, 4, true, 0x11111111);
    done(0x48, 0x89, 0x0f);
    expect_access(1, 0x10, 8, true, 0x1111111111111111);
    done(0x66, 0x89, 0x57, 0x08); /* mov %dx, 8(%rdi) */
    expect_access(2, 0x18, 2, true, 0x2222);
    vcpu.gpr[GPR_RAX] = 0xaabbccdd;
    done(0x88, 0x27); /* mov %ah, (%rdi) */
    expect_access(3, 0x10, 1, true, 0xcc);
    done(0x48, 0xc7, 0x07, 0xfe, 0xff, 0xff, 0xff); /* movq $-2, (%rdi) */
    expect_access(4, 0x10, 8, true, (uint64_t)-2);
    done(0xc6, 0x07, 0x80);
    expect_access(5, 0x10, 1, true, 0x80);
    done(0xa3, 0x20, 0, 0x20, 0, 0, 0, 0, 0); /* mov %eax, 0x200020 */
    expect_access(6, 0x20, 4, true, 0xaabbccdd);
    assert_int_equal(box.logged, 7);
    assert_int_equal(out.rflags, 2);
}

static void mov_loads(void **state)
{
    (void)state;
    uint64_t value = device64(0x10);
    vcpu.gpr[GPR_RCX] = UINT64_MAX;
    done(0x8b, 0x0f);
    assert_int_equal(vcpu.gpr[GPR_RCX], (uint32_t)value); /* the upper half is cleared */
    vcpu.gpr[GPR_RCX] = UINT64_MAX;
    done(0x66, 0x8b, 0x0f);
    assert_int_equal(vcpu.gpr[GPR_RCX], UINT64_MAX << 16 | (value & 0xffff));
    vcpu.gpr[GPR_RCX] = UINT64_MAX;
    done(0x8a, 0x2f); /* mov (%rdi), %ch */
    assert_int_equal(vcpu.gpr[GPR_RCX], (UINT64_MAX & ~(uint64_t)0xff00) | (value & 0xff) << 8);
    done(0x4c, 0x8b, 0x3f);
    assert_int_equal(vcpu.gpr[GPR_R15], value);
    done(0x8a, 0x0f);
    assert_int_equal(vcpu.gpr[GPR_RCX] & 0xff, value & 0xff);
}

static void widening_loads(void **state)
{
    (void)state;
    box.device[0x10] = 0x80;
    box.device[0x11] = 0xff;
    box.device[0x13] = 0x80;
    vcpu.gpr[GPR_RCX] = UINT64_MAX;
    done(0x0f, 0xb6, 0x0f);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0x80);
    done(0x0f, 0xbe, 0x0f);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0xffffff80);
    done(0x48, 0x0f, 0xbf, 0x0f);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0xffffffffffffff80);
    done(0x48, 0x63, 0x0f);
    assert_int_equal(vcpu.gpr[GPR_RCX] >> 31, 0x1ffffffff);
    vcpu.gpr[GPR_RCX] = UINT64_MAX;
    done(0x66, 0x0f, 0xb6, 0x0f);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0xffffffffffff0080);
    expect_access(0, 0x10, 1, false, 0x80);
    expect_access(2, 0x10, 2, false, 0xff80);
    assert_int_equal(box.log[3].size, 4);
}

static void addressing(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RBX] = 0x200000;
    vcpu.gpr[GPR_R9] = 4;
    done(0x42, 0x89, 0x4c, 0xcb, 0x08); /* mov %ecx, 8(%rbx,%r9,8) */
    assert_int_equal(box.log[0].address, DEVICE + 0x28);
    done(0x89, 0x0d, 0x2a, 0x80, 0x1f, 0x00); /* RIP-relative: CODE + 6 + 0x1f802a */
    assert_int_equal(box.log[1].address, DEVICE + 0x30);
    view.gs_base = 0x200000;
    view.ds_base = 0x100;                        /* has no meaning here */
    done(0x65, 0x89, 0x0c, 0x25, 0x40, 0, 0, 0); /* %gs:0x40 */
    done(0x3e, 0x89, 0x0f);                      /* %ds:(%rdi) */
    assert_int_equal(box.log[2].address, DEVICE + 0x40);
    assert_int_equal(box.log[3].address, DEVICE + 0x10);
    vcpu.gpr[GPR_RDI] = 0xffffffff00200010;
    done(0x67, 0x89, 0x0f); /* (%edi) */
    assert_int_equal(box.log[4].address, DEVICE + 0x10);
}

static void protected_mode(void **state)
{
    (void)state;
    done(0x89, 0x0f);
    expect_access(0, 0x10, 4, true, 0x11111111);
    view.ds_base = 0x1000;
    vcpu.gpr[GPR_RDI] = DEVICE - 0xff0;
    done(0x89, 0x0f);
    assert_int_equal(box.log[1].address, DEVICE + 0x10);
    view.ds_base = 0xfffffff0; /* base and offset wrap at 4 GiB */
    vcpu.gpr[GPR_RDI] = DEVICE + 0x20;
    done(0x89, 0x0f);
    assert_int_equal(box.log[2].address, DEVICE + 0x10);
}

static void real_mode(void **state)
{
    (void)state;
    done(0x26, 0x89, 0x0d); /* mov %cx, %es:(%di) */
    expect_access(0, 0x10, 2, true, 0x1111);
    vcpu.gpr[GPR_RBX] = 0xfff0;
    vcpu.gpr[GPR_RSI] = 0x28;
    done(0x26, 0x8b, 0x40, 0x08); /* mov %es:8(%bx,%si), %ax: wraps at 64 KiB */
    expect_access(1, 0x20, 2, false, device64(0x20) & 0xffff);
    done(0x26, 0x66, 0x89, 0x0d);
    assert_int_equal(box.log[2].size, 4);
}

/* Arithmetic: the same operation done by this CPU. */

struct native {
    uint64_t result, flags;
};
typedef struct native native_function(uint64_t a, uint64_t b, uint64_t flags);

#define NATIVE(name, instruction, type)                                                                                \
    static struct native name(uint64_t a64, uint64_t b64, uint64_t flags)                                              \
    {                                                                                                                  \
        type a = (type)a64, b = (type)b64;                                                                             \
        __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpush %[f]\n\tpopf\n\t" instruction                                 \
                         " %[b], %[a]\n\tpushf\n\tpop %[f]\n\tlea 128(%%rsp), %%rsp"                                   \
                         : [a] "+r"(a), [f] "+r"(flags)                                                                \
                         : [b] "r"(b)                                                                                  \
                         : "cc", "memory");                                                                            \
        return (struct native){a, flags};                                                                              \
    }
#define NATIVE_WIDE(op)                                                                                                \
    NATIVE(op##2, #op "w", uint16_t) NATIVE(op##4, #op "l", uint32_t) NATIVE(op##8, #op "q", uint64_t)
#define NATIVE_ALL(op) NATIVE(op##1, #op "b", uint8_t) NATIVE_WIDE(op)
#define FUNCTIONS(op)                                                                                                  \
    {                                                                                                                  \
        op##1, op##2, op##4, op##8                                                                                     \
    }
#define FUNCTIONS_WIDE(op)                                                                                             \
    {                                                                                                                  \
        NULL, op##2, op##4, op##8                                                                                      \
    }

NATIVE_ALL(add)
NATIVE_ALL(or)
NATIVE_ALL(adc)
NATIVE_ALL(sbb)
NATIVE_ALL(and)
NATIVE_ALL(sub)
NATIVE_ALL(xor)
NATIVE_ALL(cmp)
NATIVE_ALL(test)
NATIVE_WIDE(bt)
NATIVE_WIDE(bts)
NATIVE_WIDE(btr)
NATIVE_WIDE(btc)

static const struct {
    const char *name;
    uint8_t opcode[2]; /* of OP register, memory in its wide form; two bytes when the first is 0x0f */
    uint64_t defined;  /* flags that the manual defines */
    bool writes;
    native_function *native[4]; /* by width */
} operations[] = {
    {"add", {0x01}, FLAGS_ALL, true, FUNCTIONS(add)},
    {"or", {0x09}, FLAGS_ALL & ~FLAG_AF, true, FUNCTIONS(or)},
    {"adc", {0x11}, FLAGS_ALL, true, FUNCTIONS(adc)},
    {"sbb", {0x19}, FLAGS_ALL, true, FUNCTIONS(sbb)},
    {"and", {0x21}, FLAGS_ALL & ~FLAG_AF, true, FUNCTIONS(and)},
    {"sub", {0x29}, FLAGS_ALL, true, FUNCTIONS(sub)},
    {"xor", {0x31}, FLAGS_ALL & ~FLAG_AF, true, FUNCTIONS(xor)},
    {"cmp", {0x39}, FLAGS_ALL, false, FUNCTIONS(cmp)},
    {"test", {0x85}, FLAGS_ALL & ~FLAG_AF, false, FUNCTIONS(test)},
    {"bt", {0x0f, 0xa3}, FLAG_CF, false, FUNCTIONS_WIDE(bt)},
    {"bts", {0x0f, 0xab}, FLAG_CF, true, FUNCTIONS_WIDE(bts)},
    {"btr", {0x0f, 0xb3}, FLAG_CF, true, FUNCTIONS_WIDE(btr)},
    {"btc", {0x0f, 0xbb}, FLAG_CF, true, FUNCTIONS_WIDE(btc)},
};

static const uint64_t interesting[] = {0,
                                       1,
                                       2,
                                       7,
                                       0x0f,
                                       0x10,
                                       0x7f,
                                       0x80,
                                       0xff,
                                       0x7fff,
                                       0x8000,
                                       0xffff,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       0x0123456789abcdef,
                                       0x7fffffffffffffff,
                                       0x8000000000000000,
                                       0xfedcba9876543210,
                                       0xffffffffffffffff};

/* Puts the instruction for `width` (0 to 3: 1 to 8 bytes) together; `to_register` flips the direction bit. */
static size_t assemble(uint8_t *code, const uint8_t opcode[2], unsigned width, bool to_register)
{
    size_t n = 0;
    if (width == 1)
        code[n++] = 0x66;
    if (width == 3)
        code[n++] = 0x48;
    bool escape = opcode[0] == 0x0f;
    if (escape)
        code[n++] = 0x0f;
    uint8_t last = escape ? opcode[1] : opcode[0];
    code[n++] = (uint8_t)((width == 0 ? last - 1 : last) + (to_register ? 2 : 0));
    code[n++] = 0x0f; /* (%rdi), %rcx */
    return n;
}

static void compare_one(size_t op, unsigned width, uint64_t a, uint64_t b, uint64_t flags)
{
    uint8_t code[8];
    uint64_t mask = UINT64_MAX >> (64 - (8u << width));
    bool bit = operations[op].opcode[0] == 0x0f;
    uint64_t number = bit ? b & ((8u << width) - 1) : b; /* farther bits: another test */

    size_t length = assemble(code, operations[op].opcode, width, false);
    memcpy(box.device + 0x10, &a, 8);
    vcpu.gpr[GPR_RCX] = number;
    view.rflags = flags | 2;
    box.logged = 0;
    assert_int_equal(run_at(DEVICE, code, length), MMIO_DONE);
    struct native n = operations[op].native[width](a & mask, number & mask, flags | 2);
    if ((device64(0x10) & mask) != (operations[op].writes ? n.result & mask : a & mask) ||
        ((out.rflags ^ n.flags) & operations[op].defined) != 0 || box.logged != (operations[op].writes ? 2 : 1))
        fail_msg("%s width %u a %llx b %llx flags %llx: %llx flags %llx, the CPU has %llx flags %llx",
                 operations[op].name, 1u << width, (unsigned long long)a, (unsigned long long)b,
                 (unsigned long long)flags, (unsigned long long)device64(0x10), (unsigned long long)out.rflags,
                 (unsigned long long)n.result, (unsigned long long)n.flags);
    assert_int_equal(out.rflags & ~(uint64_t)FLAGS_ALL, 2);
    if (bit)
        assert_int_equal((out.rflags ^ flags) & FLAGS_ALL & ~FLAG_CF, 0);
}

static void arithmetic_as_the_cpu_does_it(void **state)
{
    (void)state;
    for (size_t op = 0; op < array_size(operations); op++)
        for (unsigned width = 0; width < 4; width++)
            for (size_t i = 0; i < array_size(interesting) * array_size(interesting); i++)
                for (unsigned carry = 0; carry < 2 && operations[op].native[width] != NULL; carry++)
                    compare_one(op, width, interesting[i / array_size(interesting)],
                                interesting[i % array_size(interesting)], carry ? FLAGS_ALL : 0);
}

static void arithmetic_to_a_register(void **state)
{
    (void)state;
    for (size_t op = 0; op < 8; op++)
        for (unsigned width = 0; width < 4; width++)
            for (size_t i = 0; i < array_size(interesting) * array_size(interesting); i++) {
                uint8_t code[8];
                uint64_t mask = UINT64_MAX >> (64 - (8u << width));
                uint64_t a = interesting[i / array_size(interesting)], b = interesting[i % array_size(interesting)];
                size_t length = assemble(code, operations[op].opcode, width, true);
                memcpy(box.device + 0x10, &b, 8);
                vcpu.gpr[GPR_RCX] = a;
                view.rflags = FLAG_CF | 2;
                box.logged = 0;
                assert_int_equal(run_at(DEVICE, code, length), MMIO_DONE);
                struct native n = operations[op].native[width](a & mask, b & mask, FLAG_CF | 2);
                uint64_t keep = width == 2 ? 0 : a & ~mask;
                assert_int_equal(vcpu.gpr[GPR_RCX], operations[op].writes ? (n.result & mask) | keep : a);
                assert_int_equal((out.rflags ^ n.flags) & operations[op].defined, 0);
                assert_int_equal(box.logged, 1);
            }
}

static void arithmetic_with_immediates(void **state)
{
    (void)state;
    memcpy(box.device + 0x10, &(uint64_t){0xf0f0}, 8);
    done(0x83, 0x0f, 0xf0); /* orl $-16, (%rdi) */
    assert_int_equal(device64(0x10), 0xfffffff0);
    done(0x48, 0x81, 0x27, 0x0f, 0x0f, 0, 0x80); /* andq $0xffffffff80000f0f, (%rdi) */
    assert_int_equal(device64(0x10), 0x80000f00);
    done(0x80, 0x3f, 0x00); /* cmpb $0, (%rdi) */
    assert_int_equal(out.rflags & FLAGS_ALL, 0x44);
    done(0xf7, 0x07, 0, 0x01, 0, 0); /* testl $0x100, (%rdi) */
    assert_int_equal(out.rflags & FLAGS_ALL & ~FLAG_AF, 0x04);
    done(0xf0, 0x0f, 0xba, 0x2f, 0x23); /* lock btsl $35: bit 3 */
    assert_int_equal(device64(0x10), 0x80000f08);
    assert_int_equal(out.rflags & FLAG_CF, 0);
}

static void bit_numbers_reach_far(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RCX] = 32 * 3 + 5;
    done(0x0f, 0xa3, 0x0f); /* bt %ecx, (%rdi) */
    assert_int_equal(box.log[0].address, DEVICE + 0x1c);
    assert_int_equal(out.rflags & FLAG_CF, box.device[0x1c] >> 5 & 1);
    vcpu.gpr[GPR_RCX] = 0xffffffff; /* bit -1: the top of the word before */
    done(0x0f, 0xab, 0x0f);
    assert_int_equal(box.log[1].address, DEVICE + 0x0c);
    assert_int_equal(device64(0x0c) >> 31 & 1, 1);
    vcpu.gpr[GPR_RCX] = (uint64_t)-64;
    done(0x48, 0x0f, 0xb3, 0x0f);
    assert_int_equal(box.log[3].address, DEVICE + 0x08);
    assert_int_equal(box.device[0x08] & 1, 0);
}

static void exchange(void **state)
{
    (void)state;
    uint64_t old = device64(0x10);
    vcpu.gpr[GPR_RCX] = 0xfeedbeefcafe;
    done(0x87, 0x0f);
    assert_int_equal(vcpu.gpr[GPR_RCX], (uint32_t)old);
    expect_access(0, 0x10, 4, false, (uint32_t)old);
    expect_access(1, 0x10, 4, true, 0xbeefcafe);
    assert_int_equal(out.rflags, 2);
    box.logged = 0;
    box.refuse_at = 2; /* the write is refused: the register stays */
    vcpu.gpr[GPR_RCX] = 0x1234;
    assert_int_equal(run(0x87, 0x0f), MMIO_REFUSED);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0x1234);
    assert_true(out.refused.write);
}

/* Strings */

static void stos(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RAX] = 0xa1b2c3d4;
    done(0xab);
    expect_access(0, 0x10, 4, true, 0xa1b2c3d4);
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x200014);
    vcpu.gpr[GPR_RCX] = 3;
    view.rflags |= FLAG_DF;
    done(0xf3, 0xaa);
    assert_int_equal(box.logged, 4);
    assert_int_equal(box.log[3].address, DEVICE + 0x12);
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x200011);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0);
    done(0xf3, 0xaa); /* nothing left */
    assert_int_equal(box.logged, 4);
}

static void rep_is_bounded(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RCX] = MMIO_MAX_ELEMENTS + 10;
    assert_int_equal(run(0xf3, 0xaa), MMIO_AGAIN);
    assert_int_equal(vcpu.gpr[GPR_RCX], 10);
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x200010 + MMIO_MAX_ELEMENTS);
    done(0xf3, 0xaa);
    assert_int_equal(box.logged, MMIO_MAX_ELEMENTS + 10);
    vcpu.gpr[GPR_RCX] = MMIO_MAX_ELEMENTS;
    done(0xf3, 0xaa); /* exactly as many as fit */
}

static void movs_both_ways(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RSI] = 0x200010;
    vcpu.gpr[GPR_RDI] = DATA + PAGE_SIZE - 3; /* the RAM side crosses a page */
    vcpu.gpr[GPR_RCX] = 2;
    done(0xf3, 0xa5);
    assert_memory_equal(box.ram + DATA + PAGE_SIZE - 3, box.device + 0x10, 8);
    assert_int_equal(box.logged, 2);
    assert_int_equal(vcpu.gpr[GPR_RSI], 0x200018);
    vcpu.gpr[GPR_RSI] = DATA;
    vcpu.gpr[GPR_RDI] = 0x200040;
    put64(DATA, 0x1122334455667788);
    done(0x48, 0xa5);
    expect_access(2, 0x40, 8, true, 0x1122334455667788);
    vcpu.gpr[GPR_RSI] = 0x200010; /* device to device */
    assert_int_equal(run(0xa4), MMIO_DONE);
    expect_access(4, 0x48, 1, true, box.device[0x10]);
}

static void lods(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RSI] = 0x200010;
    vcpu.gpr[GPR_RAX] = UINT64_MAX;
    done(0xad);
    assert_int_equal(vcpu.gpr[GPR_RAX], (uint32_t)device64(0x10));
    assert_int_equal(vcpu.gpr[GPR_RSI], 0x200014);
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x200010);
}

static void rep_leaves_the_device(void **state)
{
    (void)state;
    put64(0x3008, 0x4000 | PTE_PWU); /* 4 KiB pages now: the device's page, then RAM */
    put64(0x4000, DEVICE | PTE_PWU);
    put64(0x4008, DATA | PTE_PWU);
    vcpu.gpr[GPR_RDI] = 0x200ffe;
    vcpu.gpr[GPR_RCX] = 5;
    assert_int_equal(run(0xf3, 0xaa), MMIO_AGAIN);
    assert_int_equal(vcpu.gpr[GPR_RCX], 3);
    assert_int_equal(box.logged, 2);
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x201000);
}

static void rep_faults_in_the_middle(void **state)
{
    (void)state;
    put64(0x3008, 0x4000 | PTE_PWU);
    put64(0x4000, DEVICE | PTE_PWU); /* and nothing after it */
    vcpu.gpr[GPR_RDI] = 0x200ffe;
    vcpu.gpr[GPR_RCX] = 5;
    assert_int_equal(run(0xf3, 0xaa), MMIO_EXCEPTION);
    assert_int_equal(out.vector, VECTOR_PF);
    assert_int_equal(out.error_code, PAGE_FAULT_WRITE);
    assert_int_equal(out.cr2, 0x201000);
    assert_int_equal(vcpu.gpr[GPR_RCX], 3); /* what was done stays done */
}

static void sixteen_bit_strings(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RCX] = 0xabcd0002;
    vcpu.gpr[GPR_RDI] = 0x7fff0010;
    done(0xf3, 0xab);
    assert_int_equal(box.logged, 2);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0xabcd0000); /* the upper parts are not touched */
    assert_int_equal(vcpu.gpr[GPR_RDI], 0x7fff0014);
}

/* What goes wrong */

static void refused_by_the_bus(void **state)
{
    (void)state;
    box.absent = true;
    assert_int_equal(run(0x8b, 0x0f), MMIO_REFUSED);
    assert_int_equal(out.refused.address, DEVICE + 0x10);
    assert_int_equal(out.refused.size, 4);
    assert_false(out.refused.write);
    assert_int_equal(out.length, 2);
    assert_int_equal(vcpu.gpr[GPR_RCX], 0x1111111111111111);
    assert_int_equal(run(0x01, 0x0f), MMIO_REFUSED);
    assert_int_equal(out.rflags, 2);
}

static void unknown_instruction(void **state)
{
    (void)state;
    assert_int_equal(run(0x0f, 0x6f, 0x07), MMIO_UNKNOWN);
    assert_non_null(strstr(out.reason, "decoder"));
    assert_int_equal(out.byte_count, 15);
    assert_memory_equal(out.bytes, ((uint8_t[]){0x0f, 0x6f, 0x07}), 3);
    assert_int_equal(run(0x6d), MMIO_UNKNOWN); /* the decoder knows INS, but its page is no device's here */
    assert_string_equal(out.reason, "a port's string instruction reaches no device's memory");
}

static void another_address(void **state)
{
    (void)state;
    assert_int_equal(run_at(DEVICE + 0x1000, (const uint8_t[]){0x89, 0x0f}, 2), MMIO_UNKNOWN);
    assert_non_null(strstr(out.reason, "does not touch"));
    vcpu.gpr[GPR_RDI] = DATA; /* RAM: must have been something else that exited */
    assert_int_equal(run(0xf3, 0xaa), MMIO_UNKNOWN);
    assert_int_equal(box.logged, 0);
}

static void device_access_across_pages(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RDI] = 0x200ffe;
    assert_int_equal(run(0x89, 0x0f), MMIO_UNKNOWN);
    assert_non_null(strstr(out.reason, "crosses"));
    assert_int_equal(run(0xab), MMIO_UNKNOWN);
    assert_int_equal(box.logged, 0);
}

static void undefined_and_too_long(void **state)
{
    (void)state;
    assert_int_equal(run(0xf0, 0x89, 0x0f), MMIO_EXCEPTION);
    assert_int_equal(out.vector, VECTOR_UD);
    uint8_t code[16];
    memset(code, 0x3e, sizeof code);
    assert_int_equal(run_at(DEVICE, code, sizeof code), MMIO_EXCEPTION);
    assert_int_equal(out.vector, VECTOR_GP);
}

static void not_canonical(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RDI] = 0x8000000000000000;
    assert_int_equal(run(0x89, 0x0f), MMIO_EXCEPTION);
    assert_int_equal(out.vector, VECTOR_GP);
    assert_int_equal(out.error_code, 0);
    vcpu.gpr[GPR_RBP] = 0x8000000000000000;
    assert_int_equal(run(0x89, 0x4d, 0x00), MMIO_EXCEPTION);
    assert_int_equal(out.vector, VECTOR_SS);
}

static void page_faults(void **state)
{
    (void)state;
    vcpu.gpr[GPR_RDI] = 0x400008;
    assert_int_equal(run(0x89, 0x0f), MMIO_EXCEPTION);
    assert_int_equal(out.vector, VECTOR_PF);
    assert_int_equal(out.error_code, PAGE_FAULT_WRITE);
    assert_int_equal(out.cr2, 0x400008);
    assert_int_equal(run(0x39, 0x0f), MMIO_EXCEPTION); /* CMP only reads */
    assert_int_equal(out.error_code, 0);
    put64(0x3000, 0x0 | PTE_PWU | PTE_PS | PTE_XD);
    assert_int_equal(run(0x89, 0x0f), MMIO_EXCEPTION);
    assert_int_equal(out.error_code, PAGE_FAULT_PRESENT | PAGE_FAULT_FETCH);
    assert_int_equal(out.cr2, CODE);
    assert_int_equal(out.byte_count, 0);
}

static void tables_and_code_outside_ram(void **state)
{
    (void)state;
    put64(0x3008, DEVICE | PTE_PWU);
    assert_int_equal(run(0x89, 0x0f), MMIO_UNKNOWN);
    assert_non_null(strstr(out.reason, "page table"));
    view.rip = 0x200000;
    put64(0x3008, DEVICE | PTE_PWU | PTE_PS);
    assert_int_equal(run(0x89, 0x0f), MMIO_UNKNOWN);
    assert_non_null(strstr(out.reason, "lies outside"));
    assert_int_equal(box.logged, 0);
}

static void code_across_pages(void **state)
{
    (void)state;
    put64(0x3000, 0x4000 | PTE_PWU); /* the code's second page lies elsewhere */
    put64(0x4000 + 8 * 0xa, 0xa000 | PTE_PWU);
    put64(0x4000 + 8 * 0xb, 0xd000 | PTE_PWU);
    view.rip = 0xaffd;
    memcpy(box.ram + 0xaffd, (uint8_t[]){0xc7, 0x87, 0x04}, 3);
    memcpy(box.ram + 0xd000, (uint8_t[]){0, 0, 0, 0x78, 0x56, 0x34, 0x12}, 7);
    assert_int_equal(run(0), MMIO_DONE);
    expect_access(0, 0x14, 4, true, 0x12345678);
    assert_int_equal(out.length, 10);
    put64(0x4000 + 8 * 0xb, 0);
    assert_int_equal(run(0), MMIO_EXCEPTION);
    assert_int_equal(out.cr2, 0xb000);
    assert_int_equal(out.byte_count, 3);
    memcpy(box.ram + 0xaffd, (uint8_t[]){0x90, 0x89, 0x0f}, 3); /* ends at the page: the next is not looked at */
    view.rip = 0xaffe;
    assert_int_equal(run(0), MMIO_DONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(mov_stores, setup64),
        cmocka_unit_test_setup(mov_loads, setup64),
        cmocka_unit_test_setup(widening_loads, setup64),
        cmocka_unit_test_setup(addressing, setup64),
        cmocka_unit_test_setup(protected_mode, setup32),
        cmocka_unit_test_setup(real_mode, setup16),
        cmocka_unit_test_setup(arithmetic_as_the_cpu_does_it, setup64),
        cmocka_unit_test_setup(arithmetic_to_a_register, setup64),
        cmocka_unit_test_setup(arithmetic_with_immediates, setup64),
        cmocka_unit_test_setup(bit_numbers_reach_far, setup64),
        cmocka_unit_test_setup(exchange, setup64),
        cmocka_unit_test_setup(stos, setup64),
        cmocka_unit_test_setup(rep_is_bounded, setup64),
        cmocka_unit_test_setup(movs_both_ways, setup64),
        cmocka_unit_test_setup(lods, setup64),
        cmocka_unit_test_setup(rep_leaves_the_device, setup64),
        cmocka_unit_test_setup(rep_faults_in_the_middle, setup64),
        cmocka_unit_test_setup(sixteen_bit_strings, setup16),
        cmocka_unit_test_setup(refused_by_the_bus, setup64),
        cmocka_unit_test_setup(unknown_instruction, setup64),
        cmocka_unit_test_setup(another_address, setup64),
        cmocka_unit_test_setup(device_access_across_pages, setup64),
        cmocka_unit_test_setup(undefined_and_too_long, setup64),
        cmocka_unit_test_setup(not_canonical, setup64),
        cmocka_unit_test_setup(page_faults, setup64),
        cmocka_unit_test_setup(tables_and_code_outside_ram, setup64),
        cmocka_unit_test_setup(code_across_pages, setup64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
