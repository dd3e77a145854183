/*
 * The decoder against hand-written cases, and against Zydis on random bytes.
 * RF_DECODE_RUNS: how many random strings; RF_DECODE_SEED: where they start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/decode.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/vcpu.h"

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

static struct decoded decode_ok(enum decode_mode mode, const uint8_t *bytes, size_t length)
{
    struct decoded d;
    assert_int_equal(decode_instruction(mode, bytes, length, &d), DECODE_OK);
    assert_int_equal(d.length, length);
    return d;
}

static enum decode_result decode_bad(enum decode_mode mode, const uint8_t *bytes, size_t length)
{
    struct decoded d;
    return decode_instruction(mode, bytes, length, &d);
}

static void linux_apic_accessors(void **state)
{
    (void)state;
    /* mov %eax, -0xa00c00(%rdi) and mov -0xa00c00(%rdi), %eax */
    struct decoded d = decode_ok(DECODE_64, BYTES(0x89, 0x87, 0x00, 0xf4, 0x5f, 0xff));
    assert_int_equal(d.operation, DECODE_MOV);
    assert_int_equal(d.form, DECODE_TO_MEMORY);
    assert_int_equal(d.size, 4);
    assert_int_equal(d.reg, GPR_RAX);
    assert_int_equal(d.base, GPR_RDI);
    assert_int_equal(d.index, DECODE_NO_REGISTER);
    assert_int_equal(d.displacement, (uint64_t)-0xa00c00);
    d = decode_ok(DECODE_64, BYTES(0x8b, 0x87, 0x00, 0xf4, 0x5f, 0xff));
    assert_int_equal(d.form, DECODE_TO_REGISTER);
}

static void prefixes_change_widths(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(DECODE_16, BYTES(0x89, 0x07)).size, 2);
    assert_int_equal(decode_ok(DECODE_16, BYTES(0x66, 0x89, 0x07)).size, 4);
    assert_int_equal(decode_ok(DECODE_32, BYTES(0x89, 0x07)).size, 4);
    assert_int_equal(decode_ok(DECODE_32, BYTES(0x66, 0x89, 0x07)).size, 2);
    assert_int_equal(decode_ok(DECODE_64, BYTES(0x66, 0x48, 0x89, 0x07)).size, 8);
    assert_int_equal(decode_ok(DECODE_16, BYTES(0x67, 0x89, 0x07)).address_size, 4);
    assert_int_equal(decode_ok(DECODE_64, BYTES(0x67, 0x89, 0x07)).address_size, 4);
    /* A REX that is followed by another prefix is void. */
    assert_int_equal(decode_ok(DECODE_64, BYTES(0x48, 0x66, 0x89, 0x07)).size, 2);
}

static void high_byte_registers(void **state)
{
    (void)state;
    struct decoded d = decode_ok(DECODE_64, BYTES(0x88, 0x27)); /* mov %ah, (%rdi) */
    assert_true(d.high_byte);
    assert_int_equal(d.reg, GPR_RAX);
    d = decode_ok(DECODE_64, BYTES(0x40, 0x88, 0x27)); /* mov %spl, (%rdi) */
    assert_false(d.high_byte);
    assert_int_equal(d.reg, GPR_RSP);
}

static void segments(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(DECODE_32, BYTES(0x8b, 0x45, 0x00)).segment, SEGMENT_SS); /* (%ebp) */
    assert_int_equal(decode_ok(DECODE_32, BYTES(0x8b, 0x03)).segment, SEGMENT_DS);
    assert_int_equal(decode_ok(DECODE_32, BYTES(0x2e, 0x8b, 0x03)).segment, SEGMENT_CS);
    assert_int_equal(decode_ok(DECODE_64, BYTES(0x64, 0x2e, 0x8b, 0x03)).segment, SEGMENT_FS);
    assert_int_equal(decode_ok(DECODE_64, BYTES(0x2e, 0x8b, 0x03)).segment, SEGMENT_DS);
}

static void rip_relative_and_absolute(void **state)
{
    (void)state;
    struct decoded d = decode_ok(DECODE_64, BYTES(0xc7, 0x05, 0xfc, 0xff, 0xff, 0xff, 1, 2, 3, 0x84));
    assert_true(d.rip_relative);
    assert_int_equal(d.displacement, (uint64_t)-4);
    assert_int_equal(d.immediate, 0xffffffff84030201);
    d = decode_ok(DECODE_32, BYTES(0x8b, 0x05, 0x00, 0x00, 0xe0, 0xfe));
    assert_false(d.rip_relative);
    assert_int_equal(d.base, DECODE_NO_REGISTER);
    d = decode_ok(DECODE_64, BYTES(0xa1, 8, 7, 6, 5, 4, 3, 2, 1));
    assert_int_equal(d.displacement, 0x0102030405060708);
    assert_int_equal(d.reg, GPR_RAX);
}

static void refusals(void **state)
{
    (void)state;
    assert_int_equal(decode_bad(DECODE_64, BYTES(0x89, 0xc0)), DECODE_UNKNOWN);       /* no memory operand */
    assert_int_equal(decode_bad(DECODE_64, BYTES(0x0f, 0x6f, 0x07)), DECODE_UNKNOWN); /* movq (%rdi), %mm0 */
    assert_int_equal(decode_bad(DECODE_64, BYTES(0xc7, 0x0f)), DECODE_UNKNOWN);       /* not /0 */
    assert_int_equal(decode_bad(DECODE_32, BYTES(0x63, 0x07)), DECODE_UNKNOWN);       /* ARPL */
    assert_int_equal(decode_bad(DECODE_64, BYTES(0x66, 0x63, 0x07)), DECODE_UNKNOWN);
    assert_int_equal(decode_bad(DECODE_64, BYTES(0x82, 0x07, 1)), DECODE_UNKNOWN);
    assert_int_equal(decode_bad(DECODE_32, BYTES(0xf0, 0x89, 0x07)), DECODE_UNDEFINED); /* LOCK MOV */
    assert_int_equal(decode_bad(DECODE_32, BYTES(0xf0, 0x39, 0x07)), DECODE_UNDEFINED); /* LOCK CMP */
    assert_int_equal(decode_bad(DECODE_32, BYTES(0xf0, 0x03, 0x07)), DECODE_UNDEFINED); /* LOCK ADD to a register */
    assert_int_equal(decode_bad(DECODE_64, BYTES(0x8b)), DECODE_TRUNCATED);
    assert_int_equal(decode_bad(DECODE_64, BYTES(0x0f)), DECODE_TRUNCATED);
    assert_int_equal(decode_bad(DECODE_64, NULL, 0), DECODE_TRUNCATED);
}

static void the_sixteenth_byte(void **state)
{
    (void)state;
    uint8_t bytes[16];
    memset(bytes, 0x2e, sizeof bytes);
    bytes[13] = 0x8b;
    bytes[14] = 0x07;
    assert_int_equal(decode_ok(DECODE_64, bytes, 15).length, 15);
    bytes[13] = 0x2e;
    bytes[14] = 0x8b;
    bytes[15] = 0x07;
    assert_int_equal(decode_bad(DECODE_64, bytes, 16), DECODE_TOO_LONG);
    assert_int_equal(decode_bad(DECODE_64, bytes, 15), DECODE_TOO_LONG);
}

/* The oracle */

static const struct {
    ZydisMnemonic mnemonic;
    enum decode_operation operation;
    unsigned string_size; /* 0: no string instruction */
} mnemonics[] = {
    {ZYDIS_MNEMONIC_ADD, DECODE_ADD, 0},      {ZYDIS_MNEMONIC_OR, DECODE_OR, 0},
    {ZYDIS_MNEMONIC_ADC, DECODE_ADC, 0},      {ZYDIS_MNEMONIC_SBB, DECODE_SBB, 0},
    {ZYDIS_MNEMONIC_AND, DECODE_AND, 0},      {ZYDIS_MNEMONIC_SUB, DECODE_SUB, 0},
    {ZYDIS_MNEMONIC_XOR, DECODE_XOR, 0},      {ZYDIS_MNEMONIC_CMP, DECODE_CMP, 0},
    {ZYDIS_MNEMONIC_TEST, DECODE_TEST, 0},    {ZYDIS_MNEMONIC_BT, DECODE_BT, 0},
    {ZYDIS_MNEMONIC_BTS, DECODE_BTS, 0},      {ZYDIS_MNEMONIC_BTR, DECODE_BTR, 0},
    {ZYDIS_MNEMONIC_BTC, DECODE_BTC, 0},      {ZYDIS_MNEMONIC_MOV, DECODE_MOV, 0},
    {ZYDIS_MNEMONIC_MOVZX, DECODE_MOVZX, 0},  {ZYDIS_MNEMONIC_MOVSX, DECODE_MOVSX, 0},
    {ZYDIS_MNEMONIC_MOVSXD, DECODE_MOVSX, 0}, {ZYDIS_MNEMONIC_XCHG, DECODE_XCHG, 0},
    {ZYDIS_MNEMONIC_STOSB, DECODE_STOS, 1},   {ZYDIS_MNEMONIC_STOSW, DECODE_STOS, 2},
    {ZYDIS_MNEMONIC_STOSD, DECODE_STOS, 4},   {ZYDIS_MNEMONIC_STOSQ, DECODE_STOS, 8},
    {ZYDIS_MNEMONIC_MOVSB, DECODE_MOVS, 1},   {ZYDIS_MNEMONIC_MOVSW, DECODE_MOVS, 2},
    {ZYDIS_MNEMONIC_MOVSD, DECODE_MOVS, 4},   {ZYDIS_MNEMONIC_MOVSQ, DECODE_MOVS, 8},
    {ZYDIS_MNEMONIC_LODSB, DECODE_LODS, 1},   {ZYDIS_MNEMONIC_LODSW, DECODE_LODS, 2},
    {ZYDIS_MNEMONIC_LODSD, DECODE_LODS, 4},   {ZYDIS_MNEMONIC_LODSQ, DECODE_LODS, 8},
    {ZYDIS_MNEMONIC_INSB, DECODE_INS, 1},     {ZYDIS_MNEMONIC_INSW, DECODE_INS, 2},
    {ZYDIS_MNEMONIC_INSD, DECODE_INS, 4},     {ZYDIS_MNEMONIC_OUTSB, DECODE_OUTS, 1},
    {ZYDIS_MNEMONIC_OUTSW, DECODE_OUTS, 2},   {ZYDIS_MNEMONIC_OUTSD, DECODE_OUTS, 4},
};

struct oracle {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZyanStatus status;
};

static const char *current; /* the bytes under test, for messages */

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("%s: %s", current, #condition);                                                                   \
    } while (0)

/* The row of Zydis's mnemonic; NULL when it is none of ours. */
static const void *oracle_row(const struct oracle *o)
{
    for (size_t i = 0; i < array_size(mnemonics); i++) {
        bool string = mnemonics[i].string_size != 0;
        /* MOVSD is also the name of an SSE instruction. */
        if (mnemonics[i].mnemonic == o->insn.mnemonic && (!string || o->insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT))
            return &mnemonics[i];
    }
    return NULL;
}

/* What Zydis calls a memory operand of an instruction that the decoder promises to know. */
static bool oracle_supported(const struct oracle *o)
{
    if (!ZYAN_SUCCESS(o->status) || oracle_row(o) == NULL || o->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return false;
    if (o->insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD && o->insn.operand_width == 16)
        return false; /* refused on purpose: the vendors disagree on its width */
    bool memory = false;
    for (unsigned i = 0; i < o->insn.operand_count; i++) {
        const ZydisDecodedOperand *op = &o->operands[i];
        if (op->type == ZYDIS_OPERAND_TYPE_REGISTER && op->visibility != ZYDIS_OPERAND_VISIBILITY_HIDDEN &&
            ZydisRegisterGetClass(op->reg.value) == ZYDIS_REGCLASS_SEGMENT)
            return false; /* moves of segment registers */
        memory |= op->type == ZYDIS_OPERAND_TYPE_MEMORY;
    }
    return memory;
}

static ZydisRegister gpr_of(uint8_t reg, unsigned size)
{
    ZydisRegisterClass class = size == 8   ? ZYDIS_REGCLASS_GPR64
                               : size == 4 ? ZYDIS_REGCLASS_GPR32
                                           : ZYDIS_REGCLASS_GPR16;
    return reg == DECODE_NO_REGISTER ? ZYDIS_REGISTER_NONE : ZydisRegisterEncode(class, reg);
}

static ZydisRegister byte_register(const struct decoded *d)
{
    /* Zydis numbers AL CL DL BL AH CH DH BH SPL BPL SIL DIL R8B...R15B in this class. */
    static const ZydisRegister low[] = {
        ZYDIS_REGISTER_AL,   ZYDIS_REGISTER_CL,   ZYDIS_REGISTER_DL,   ZYDIS_REGISTER_BL,
        ZYDIS_REGISTER_SPL,  ZYDIS_REGISTER_BPL,  ZYDIS_REGISTER_SIL,  ZYDIS_REGISTER_DIL,
        ZYDIS_REGISTER_R8B,  ZYDIS_REGISTER_R9B,  ZYDIS_REGISTER_R10B, ZYDIS_REGISTER_R11B,
        ZYDIS_REGISTER_R12B, ZYDIS_REGISTER_R13B, ZYDIS_REGISTER_R14B, ZYDIS_REGISTER_R15B};
    static const ZydisRegister high[] = {ZYDIS_REGISTER_AH, ZYDIS_REGISTER_CH, ZYDIS_REGISTER_DH, ZYDIS_REGISTER_BH};
    return d->high_byte ? high[d->reg] : low[d->reg];
}

static ZydisRegister register_of(const struct decoded *d)
{
    return d->register_size == 1 ? byte_register(d) : gpr_of(d->reg, d->register_size);
}

/*
 * Zydis 4.0.0 names R13D, without the displacement, where there is no base: SDM vol. 2A, "Special Cases of REX
 * Encodings", says that REX.B is not looked at there.
 */
static bool zydis_is_wrong(const struct decoded *d, const struct oracle *o, const ZydisDecodedOperand *op)
{
    return d->base == DECODE_NO_REGISTER && d->address_size == 4 && op->mem.base == ZYDIS_REGISTER_R13D &&
           o->insn.raw.modrm.mod == 0 && o->insn.raw.sib.base == 5;
}

static void check_memory(const struct decoded *d, const struct oracle *o, const ZydisDecodedOperand *op)
{
    static const ZydisRegister segments_of[] = {ZYDIS_REGISTER_ES, ZYDIS_REGISTER_CS, ZYDIS_REGISTER_SS,
                                                ZYDIS_REGISTER_DS, ZYDIS_REGISTER_FS, ZYDIS_REGISTER_GS};
    ZydisRegister base = gpr_of(d->base, d->address_size);
    if (d->rip_relative)
        base = d->address_size == 8 ? ZYDIS_REGISTER_RIP : ZYDIS_REGISTER_EIP;
    CHECK(op->size == 8u * d->size);
    CHECK(op->mem.type == ZYDIS_MEMOP_TYPE_MEM);
    CHECK(op->mem.segment == segments_of[d->segment]);
    bool wrong = zydis_is_wrong(d, o, op);
    CHECK(op->mem.base == base || wrong);
    CHECK(op->mem.index == gpr_of(d->index, d->address_size));
    CHECK(op->mem.index == ZYDIS_REGISTER_NONE || op->mem.scale == d->scale);
    uint64_t mask = UINT64_MAX >> (64 - 8 * d->address_size);
    CHECK(((uint64_t)op->mem.disp.value & mask) == (d->displacement & mask) || wrong);
}

static void check_string(const struct decoded *d, const struct oracle *o)
{
    bool repeat = (o->insn.attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPNE)) != 0;
    CHECK(!repeat || d->repeat);
    for (unsigned i = 0; i < o->insn.operand_count; i++) {
        const ZydisDecodedOperand *op = &o->operands[i];
        if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
            continue;
        struct decoded side = *d;
        bool source = (op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0;
        side.base = source ? GPR_RSI : GPR_RDI;
        if (!source)
            side.segment = SEGMENT_ES;
        check_memory(&side, o, op);
    }
}

static void check_operands(const struct decoded *d, const struct oracle *o)
{
    bool memory_first = d->form != DECODE_TO_REGISTER;
    const ZydisDecodedOperand *memory = &o->operands[memory_first ? 0 : 1];
    const ZydisDecodedOperand *other = &o->operands[memory_first ? 1 : 0];

    CHECK(memory->type == ZYDIS_OPERAND_TYPE_MEMORY);
    check_memory(d, o, memory);
    if (d->form == DECODE_FROM_IMMEDIATE) {
        CHECK(other->type == ZYDIS_OPERAND_TYPE_IMMEDIATE);
        uint64_t mask = UINT64_MAX >> (64 - 8 * d->size);
        uint64_t bits = other->imm.is_signed ? mask : UINT64_MAX >> (64 - o->insn.raw.imm[0].size);
        CHECK((other->imm.value.u & bits) == (d->immediate & bits));
    } else {
        CHECK(other->type == ZYDIS_OPERAND_TYPE_REGISTER);
        CHECK(other->reg.value == register_of(d));
    }
}

static void check_against_oracle(enum decode_result result, const struct decoded *d, const struct oracle *o)
{
    if (result != DECODE_OK) {
        CHECK(!oracle_supported(o));
        /* Which of several faults is named first is Zydis's business. */
        CHECK((result != DECODE_TRUNCATED && result != DECODE_TOO_LONG) || !ZYAN_SUCCESS(o->status));
        return;
    }
    CHECK(ZYAN_SUCCESS(o->status));
    CHECK(oracle_supported(o));
    CHECK(o->insn.length == d->length);
    CHECK(o->insn.address_width == 8u * d->address_size);
    size_t row = 0;
    while (&mnemonics[row] != oracle_row(o))
        row++;
    CHECK(mnemonics[row].operation == d->operation);
    CHECK(!!(o->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) == d->lock);
    CHECK((mnemonics[row].string_size != 0) == (d->form == DECODE_STRING));
    if (d->form == DECODE_STRING)
        check_string(d, o);
    else
        check_operands(d, o);
}

static uint64_t random_state;

static uint64_t random_next(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Prefixes and opcodes that matter are made likely; everything after them stays random. */
static size_t random_bytes(uint8_t bytes[16])
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x40, 0x48};
    static const uint8_t opcodes[] = {0x88, 0x89, 0x8a, 0x8b, 0xa0, 0xa1, 0xa2, 0xa3, 0xc6, 0xc7, 0x63,
                                      0x84, 0x85, 0x86, 0x87, 0xf6, 0xf7, 0x80, 0x81, 0x82, 0x83, 0xaa,
                                      0xab, 0xa4, 0xa5, 0xac, 0xad, 0x6c, 0x6d, 0x6e, 0x6f, 0x0f};
    static const uint8_t opcodes_0f[] = {0xb6, 0xb7, 0xbe, 0xbf, 0xa3, 0xab, 0xb3, 0xbb, 0xba};
    for (unsigned i = 0; i < 16; i += 8) {
        uint64_t r = random_next();
        memcpy(bytes + i, &r, 8);
    }
    uint64_t r = random_next();
    size_t at = 0;
    unsigned wanted = r % 64 == 0 ? (unsigned)(r >> 6) % 16 : (unsigned)(r >> 6) % 4;
    for (; at < wanted; at++)
        bytes[at] = prefixes[random_next() % array_size(prefixes)];
    if (at < 15 && (r >> 20) % 4 != 0) {
        bytes[at] = opcodes[(r >> 24) % array_size(opcodes)];
        if (bytes[at] == 0x0f)
            bytes[at + 1] = opcodes_0f[(r >> 32) % array_size(opcodes_0f)];
    }
    return (r >> 40) % 8 == 0 ? (r >> 44) % 17 : 16;
}

static uint64_t environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void describe(char *text, size_t size, int mode, const uint8_t *bytes, size_t length)
{
    int at = snprintf(text, size, "mode %d:", mode);
    for (size_t i = 0; i < length; i++)
        at += snprintf(text + at, size - (size_t)at, " %02x", bytes[i]);
}

static void agrees_with_zydis(void **state)
{
    (void)state;
    static const ZydisMachineMode modes[] = {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
                                             ZYDIS_MACHINE_MODE_LONG_64};
    static const ZydisStackWidth widths[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64};
    uint64_t runs = environment("RF_DECODE_RUNS", 1000000), accepted = 0;
    uint64_t seen[3][DECODE_OUTS + 1] = {0};
    random_state = environment("RF_DECODE_SEED", 20240607);
    print_message("RF_DECODE_SEED=%llu RF_DECODE_RUNS=%llu\n", (unsigned long long)random_state,
                  (unsigned long long)runs);
    ZydisDecoder decoders[3];
    for (int i = 0; i < 3; i++)
        assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&decoders[i], modes[i], widths[i])));
    for (uint64_t run = 0; run < runs; run++) {
        uint8_t bytes[16];
        char text[80];
        size_t length = random_bytes(bytes);
        int mode = (int)(random_next() % 3);
        struct decoded d = {0};
        struct oracle o = {0};
        describe(text, sizeof text, mode, bytes, length);
        current = text;
        enum decode_result result = decode_instruction((enum decode_mode)mode, bytes, length, &d);
        o.status = ZydisDecoderDecodeFull(&decoders[mode], bytes, length, &o.insn, o.operands);
        check_against_oracle(result, &d, &o);
        if (result == DECODE_OK) {
            struct decoded shorter;
            CHECK(decode_instruction((enum decode_mode)mode, bytes, d.length - 1u, &shorter) == DECODE_TRUNCATED);
            accepted++;
            seen[mode][d.operation]++;
        }
    }
    print_message("%llu accepted\n", (unsigned long long)accepted);
    /* The comparison proves nothing about what never came up. */
    for (int mode = 0; mode < 3 && runs >= 1000000; mode++)
        for (int i = 0; i <= DECODE_OUTS; i++)
            assert_true(seen[mode][i] > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linux_apic_accessors),      cmocka_unit_test(prefixes_change_widths),
        cmocka_unit_test(high_byte_registers),       cmocka_unit_test(segments),
        cmocka_unit_test(rip_relative_and_absolute), cmocka_unit_test(refusals),
        cmocka_unit_test(the_sixteenth_byte),        cmocka_unit_test(agrees_with_zydis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
