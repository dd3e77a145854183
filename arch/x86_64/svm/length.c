/* APM vol. 3, "Instruction Encoding" and "Opcode and Operand Encodings". */
#include "arch/x86_64/svm/length.h"

enum { OPCODE_MAX = 3, REX_B = 1 };

enum form {
    PLAIN,
    MODRM, /* one follows, and names a general register in its low bits */
    PAIR,  /* the next higher last byte is the same instruction */
};

struct opcode {
    uint8_t length;
    uint8_t bytes[OPCODE_MAX];
    enum form form;
};

static const struct opcode opcodes[SVM_INSTRUCTIONS] = {
    [SVM_CPUID] = {2, {0x0f, 0xa2}, PLAIN},
    [SVM_RDMSR] = {2, {0x0f, 0x32}, PLAIN},
    [SVM_WRMSR] = {2, {0x0f, 0x30}, PLAIN},
    [SVM_VMMCALL] = {3, {0x0f, 0x01, 0xd9}, PLAIN},
    [SVM_XSETBV] = {3, {0x0f, 0x01, 0xd1}, PLAIN},
    [SVM_CACHE] = {2, {0x0f, 0x08}, PAIR},
    [SVM_HLT] = {1, {0xf4}, PLAIN},
    [SVM_MOV_FROM_CR] = {2, {0x0f, 0x20}, MODRM},
    [SVM_MOV_TO_CR] = {2, {0x0f, 0x22}, MODRM},
};

static bool is_prefix(uint8_t byte, bool long_mode)
{
    /* Segments; sizes; LOCK, REPNE, REP. */
    static const uint8_t legacy[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
    for (size_t i = 0; i < sizeof legacy; i++)
        if (byte == legacy[i])
            return true;
    return long_mode && (byte & 0xf0) == 0x40;
}

enum decode_result svm_length_decode(enum svm_instruction expected, bool long_mode, const uint8_t *bytes,
                                     size_t available, struct svm_length *length)
{
    const struct opcode *opcode = &opcodes[expected];
    size_t whole = opcode->length + (opcode->form == MODRM ? 1u : 0u);
    size_t at = 0;
    while (at < available && at < DECODE_MAX_LENGTH && is_prefix(bytes[at], long_mode))
        at++;
    if (at + whole > DECODE_MAX_LENGTH)
        return DECODE_TOO_LONG;
    for (size_t i = 0; i < opcode->length; i++) {
        if (at + i == available)
            return DECODE_TRUNCATED;
        bool second = opcode->form == PAIR && i + 1 == opcode->length && bytes[at + i] == opcode->bytes[i] + 1;
        if (bytes[at + i] != opcode->bytes[i] && !second)
            return DECODE_UNKNOWN;
    }
    if (at + whole > available)
        return DECODE_TRUNCATED;
    /* A REX prefix counts only directly before the opcode; one there is a REX, since anything else is no prefix. */
    bool rex_b = long_mode && at > 0 && (bytes[at - 1] & 0xf0) == 0x40 && (bytes[at - 1] & REX_B);
    *length = (struct svm_length){
        .bytes = (uint8_t)(at + whole),
        .gpr = opcode->form == MODRM ? (uint8_t)((bytes[at + opcode->length] & 7) | (rex_b ? 8 : 0)) : 0,
    };
    return DECODE_OK;
}

/* Appends the guest's code from `done` bytes behind RIP up to the end of that page; returns how many bytes there are
 * now. */
static size_t fetch_page(const struct vcpu_state_view *view, const struct guest_memory *memory, uint8_t *bytes,
                         size_t done)
{
    bool long_mode = view->cs_long;
    uint64_t linear = view->rip + done;
    if (!long_mode)
        linear = (view->cs_base + (linear & UINT32_MAX)) & UINT32_MAX;
    uint64_t room = PAGE_SIZE - linear % PAGE_SIZE;
    size_t wanted = DECODE_MAX_LENGTH - done;
    size_t size = room < wanted ? (size_t)room : wanted;
    struct walk_outcome where;
    if (guest_walk(view, memory, linear, WALK_FETCH, &where) != WALK_OK ||
        !memory->read(memory->context, where.address, bytes + done, size))
        return done;
    return done + size;
}

bool svm_length_find(enum svm_instruction expected, const struct vcpu_state_view *view,
                     const struct guest_memory *memory, struct svm_length *length)
{
    uint8_t bytes[DECODE_MAX_LENGTH];
    size_t done = 0;
    for (;;) {
        /* The next page is looked at only when the instruction goes on there. */
        size_t more = fetch_page(view, memory, bytes, done);
        if (more == done)
            return false;
        done = more;
        enum decode_result result = svm_length_decode(expected, view->cs_long, bytes, done, length);
        if (result != DECODE_TRUNCATED)
            return result == DECODE_OK;
    }
}
