/*
 * The length of an intercepted instruction, on CPUs that do not tell: what is accepted must be so for the same bytes
 * whatever follows, a shorter piece must ask for more, and Zydis must find the same length.
 */
#include "arch/x86_64/svm/length.h"

#include <Zydis/Zydis.h>

#include "core/vcpu.h"
#include "tests/fuzz/input.h"

static void require_zydis_agrees(bool long_mode, const uint8_t *bytes, size_t available, uint8_t length)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisMachineMode mode = long_mode ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LEGACY_32;
    ZydisStackWidth width = long_mode ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32;
    require(ZYAN_SUCCESS(ZydisDecoderInit(&decoder, mode, width)));
    /* What Zydis refuses is #UD on the CPU, which is never intercepted as this instruction. */
    if (ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, available, &z, operands)))
        require(z.length == length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    enum svm_instruction expected = (enum svm_instruction)(input_8(&in) % SVM_INSTRUCTIONS);
    bool long_mode = (input_8(&in) & 1) != 0;
    struct svm_length found, again;
    size_t length;
    uint8_t *bytes = input_block(&in, in.left, &length);
    enum decode_result result = svm_length_decode(expected, long_mode, bytes, length, &found);
    require(result != DECODE_TRUNCATED || length < DECODE_MAX_LENGTH);
    if (result == DECODE_OK) {
        require(found.bytes >= 1 && found.bytes <= DECODE_MAX_LENGTH && found.bytes <= length);
        require((expected != SVM_MOV_FROM_CR && expected != SVM_MOV_TO_CR) || found.gpr < GPRS);
        for (size_t less = 0; less < found.bytes; less++)
            require(svm_length_decode(expected, long_mode, bytes, less, &again) == DECODE_TRUNCATED);
        require(svm_length_decode(expected, long_mode, bytes, found.bytes, &again) == DECODE_OK);
        require(again.bytes == found.bytes);
        require_zydis_agrees(long_mode, bytes, length, found.bytes);
    }
    free(bytes);
    return 0;
}
