/* The flat loader: any size, load address and entry. */
#include "tests/fuzz/loader_promises.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    setup_guest(&in, BOOT_FLAT);
    struct config_partition *config = &fake_guest.config;
    uint8_t flags = input_8(&in);
    config->load = flags & 1 ? input_64(&in) : input_32(&in) % (uint32_t)config->memory;
    config->entry = flags & 2 ? input_64(&in) : config->load + input_16(&in);
    uint64_t length = in.left + (uint64_t)(flags >> 2) * 4096;
    uint8_t *image = fake_guest_module("flat", length);
    input_bytes(&in, image, length);
    if (load_guest()) {
        require(length != 0 && config->load + length <= config->memory);
        require(fake_guest.entry.rip == config->entry && config->entry - config->load < length);
        require_guest_has(config->load, fake_phys_at(fake_guest.machine.modules[0].range.base, length), length);
    }
    fake_guest_teardown();
    return 0;
}
