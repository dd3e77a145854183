/*
 * INS and OUTS with any registers, code bytes and page tables. What is promised for all of them: the port is touched at
 * most as often as RCX says and the bound allows, only with the size that exited, memory is written only by INS, and
 * registers other than RCX, RSI and RDI stay.
 */
#include "core/port_string.h"

#include "tests/fuzz/input.h"

enum { RAM_SIZE = 0x4000, PORT = 0x42 };

static uint8_t ram[RAM_SIZE];
static unsigned accesses;
static bool is_write;
static uint8_t wanted_size;

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

static bool port_access(void *context, struct bus_access *access)
{
    require(context == ram && access->address == PORT && access->size == wanted_size && access->write == is_write);
    require(!access->write || wanted_size == 4 || access->value >> (8 * wanted_size) == 0);
    access->value = 0x0123456789abcdef;
    accesses++;
    return true;
}

static void setup_view(struct input *in, struct vcpu_state_view *view)
{
    uint8_t mode = input_8(in);
    *view = (struct vcpu_state_view){.rflags = 2 | (mode & 0x80 ? 1u << 10 : 0), .cr0 = 1};
    view->rip = input_16(in) % RAM_SIZE;
    view->cr3 = input_16(in) & 0x3000;
    view->cs_default32 = mode & 1;
    if (mode & 2)
        view->cr0 |= (uint64_t)1 << 31;
    if (mode & 4) {
        view->cr0 |= (uint64_t)1 << 31;
        view->efer = 0x500;
        view->cr4 = 0x20;
        view->cs_long = mode & 8;
    }
    view->ds_base = mode & 16 ? input_32(in) : 0;
    view->es_base = mode & 32 ? input_32(in) : 0;
    view->cpl = mode & 64 ? 3 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct guest_memory memory = {.read = ram_read, .write = ram_write, .physical_bits = 36};
    static const uint8_t sizes[] = {1, 2, 4, 1};
    struct input in = {data, size};
    struct vcpu vcpu = {0};
    struct vcpu_state_view view;
    struct mmio_outcome outcome;
    uint8_t flags = input_8(&in);
    setup_view(&in, &view);
    for (unsigned i = 0; i < GPRS; i++)
        vcpu.gpr[i] = 0x1111111111111111u * i;
    vcpu.gpr[GPR_RCX] = flags & 8 ? input_64(&in) : input_8(&in);
    vcpu.gpr[GPR_RSI] = flags & 16 ? input_64(&in) : input_16(&in);
    vcpu.gpr[GPR_RDI] = flags & 32 ? input_64(&in) : input_16(&in);
    memset(ram, 0, sizeof ram);
    input_bytes(&in, ram, sizeof ram);
    struct vcpu before = vcpu;
    is_write = flags & 4;
    wanted_size = sizes[flags & 3];
    accesses = 0;
    struct exit exit = {.kind = EXIT_PORT, .size = wanted_size, .write = is_write, .string = true, .address = PORT};
    enum mmio_result result = port_string_emulate(&vcpu, &view, &exit, &memory, port_access, ram, &outcome);

    require(result != MMIO_REFUSED && accesses <= MMIO_MAX_ELEMENTS);
    require(result != MMIO_UNKNOWN || outcome.reason != NULL);
    require(result != MMIO_DONE || (outcome.length >= 1 && outcome.length <= 15));
    require(result != MMIO_AGAIN || accesses == MMIO_MAX_ELEMENTS);
    require(outcome.rflags == view.rflags);
    for (unsigned i = 0; i < GPRS; i++)
        require(vcpu.gpr[i] == before.gpr[i] || i == GPR_RCX || i == (is_write ? GPR_RSI : GPR_RDI));
    require(vcpu.gpr[GPR_RCX] == before.gpr[GPR_RCX] || accesses != 0);
    return 0;
}
