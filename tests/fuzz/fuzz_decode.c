/*
 * The instruction decoder: what it accepts it must accept for the same bytes whatever follows them, a shorter piece
 * must ask for more, and Zydis must read the same instruction.
 */
#include "core/decode.h"

#include <Zydis/Zydis.h>

#include "core/vcpu.h"
#include "tests/fuzz/input.h"

static void require_well_formed(const struct decoded *d)
{
    require(d->length >= 1 && d->length <= DECODE_MAX_LENGTH);
    require(d->size == 1 || d->size == 2 || d->size == 4 || d->size == 8);
    require(d->address_size == 2 || d->address_size == 4 || d->address_size == 8);
    require(d->scale == 1 || d->scale == 2 || d->scale == 4 || d->scale == 8);
    require(d->base < GPRS || d->base == DECODE_NO_REGISTER);
    require(d->index < GPRS || d->index == DECODE_NO_REGISTER);
    require(d->segment <= SEGMENT_GS && d->operation <= DECODE_OUTS && d->form <= DECODE_STRING);
    if (d->form == DECODE_TO_MEMORY || d->form == DECODE_TO_REGISTER) {
        require(d->reg < GPRS);
        require(d->register_size >= d->size && d->register_size <= 8);
        require(!d->high_byte || (d->register_size == 1 && d->reg < 4));
    }
}

/* A hardware decoder looks at no byte behind the instruction. */
static void require_prefix_property(enum decode_mode mode, const uint8_t *bytes, const struct decoded *d)
{
    for (size_t length = 0; length <= d->length; length++) {
        struct decoded again;
        uint8_t *exact = malloc(length);
        require(exact != NULL || length == 0);
        memcpy(exact, bytes, length);
        enum decode_result result = decode_instruction(mode, exact, length, &again);
        require(result == (length < d->length ? DECODE_TRUNCATED : DECODE_OK));
        require(length < d->length || again.operation == d->operation);
        free(exact);
    }
}

static const ZydisDecodedOperand *memory_operand(const ZydisDecodedInstruction *z, const ZydisDecodedOperand *operands)
{
    for (ZyanU8 i = 0; i < z->operand_count; i++)
        if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            return &operands[i];
    return NULL;
}

static void require_zydis_agrees(enum decode_mode mode, const uint8_t *bytes, size_t length, const struct decoded *d)
{
    static const ZydisMachineMode modes[] = {ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_MACHINE_MODE_LEGACY_32,
                                             ZYDIS_MACHINE_MODE_LONG_64};
    static const ZydisStackWidth widths[] = {ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64};
    ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    require(ZYAN_SUCCESS(ZydisDecoderInit(&decoder, modes[mode], widths[mode])));
    require(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, length, &z, operands)));
    const ZydisDecodedOperand *memory = memory_operand(&z, operands);
    require(z.length == d->length);
    require(z.address_width == d->address_size * 8);
    require(memory != NULL && memory->size == d->size * 8);
    if (d->form != DECODE_STRING && !d->rip_relative) {
        require((memory->mem.base == ZYDIS_REGISTER_NONE) == (d->base == DECODE_NO_REGISTER));
        require((memory->mem.index == ZYDIS_REGISTER_NONE) == (d->index == DECODE_NO_REGISTER));
        require(d->base == DECODE_NO_REGISTER || ZydisRegisterGetId(memory->mem.base) == d->base);
        require(d->index == DECODE_NO_REGISTER || ZydisRegisterGetId(memory->mem.index) == d->index);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum decode_mode mode = (enum decode_mode)(data[0] % 3);
    const uint8_t *bytes = data + 1;
    size_t length = size - 1;
    struct decoded d;
    switch (decode_instruction(mode, bytes, length, &d)) {
    case DECODE_OK:
        require(d.length <= length);
        require_well_formed(&d);
        require_prefix_property(mode, bytes, &d);
        require_zydis_agrees(mode, bytes, length, &d);
        break;
    case DECODE_TRUNCATED:
        require(length < DECODE_MAX_LENGTH);
        break;
    case DECODE_TOO_LONG:
        require(length >= DECODE_MAX_LENGTH);
        break;
    case DECODE_UNDEFINED:
    case DECODE_UNKNOWN:
        break;
    }
    return 0;
}
