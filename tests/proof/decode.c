/* The instruction decoder on every sequence of bytes, of every length, in every mode. */
#include "core/decode.c"
#include "core/decode_table.c"

#include "tests/proof/unknown.h"

int main(void)
{
    uint8_t bytes[DECODE_MAX_LENGTH + 1];
    struct decoded decoded = {0};
    unknown(bytes, sizeof bytes);
    enum decode_mode mode = (enum decode_mode)Frama_C_interval(DECODE_16, DECODE_64);
    /*@ loop unroll 20; */
    for (size_t available = 0; available <= sizeof bytes; available++) /* the bytes end where the array ends */
        (void)!decode_instruction(mode, bytes + sizeof bytes - available, available, &decoded);
    return 0;
}
